"""What is told of the authors' own code before a run is planned, and by the plugin that runs it."""

from __future__ import annotations

from typing import Any

from harness.worldmodels.catalog import CatalogEntry


def says_where_from(entry: CatalogEntry, code: Any) -> None:
    """Check that ``code_from`` of a plugin.toml says of the code what ``code``, an OfficialCode, says."""
    for part in (f"git clone {code.address} ", code.licence, code.revision[:10], f"pip install {code.packages})"):
        assert part in entry.code_from
