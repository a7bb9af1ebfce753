"""A reference that a suite does not list is refused when it is planned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.contracts.errors import Refusal
from harness.planning.config import PartConfig
from harness.running.references import check_reference
from harness.worldmodels.catalog import load_catalog
from tasks.suite import Reference, load_suite


def test_only_listed_references_play_without_a_world_model() -> None:
    tier = replace(
        load_suite("embedded-v1").tier("easy"), references=(Reference("none", "none", PartConfig("uniform")),)
    )
    catalog = load_catalog()
    for name in ("none", "gtsim", "warp"):
        check_reference(catalog.find(name).manifest, tier)
    for name in ("look", "homing", "oracle"):
        with pytest.raises(Refusal, match=f"no reference '{name}'"):
            check_reference(catalog.find(name).manifest, tier)
        listed = replace(tier, references=(*tier.references, Reference(name, name, PartConfig(name))))
        check_reference(catalog.find(name).manifest, listed)
