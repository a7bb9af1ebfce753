"""Folders that the command line hands down: the checkout, the homes cache, the runs."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def cache_root() -> Path:
    """Return the folder of baked homes: ``WIW_CACHE``, or ``wiw-bench/homes`` in the user's cache."""
    named = os.environ.get("WIW_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wiw-bench" / "homes"
