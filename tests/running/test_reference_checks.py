"""What cannot choose, or cannot be imagined where it is to be played, is refused when it is planned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.contracts.errors import Refusal
from harness.running.compatibility import check_reference
from harness.worldmodels.catalog import load_catalog
from tasks.suite import Reference, load_suite

CATALOG = load_catalog()
SUITE = load_suite("embedded-v1")
NONE = Reference("none", "none", "uniform")


def test_only_listed_references_play_without_a_world_model() -> None:
    tier = replace(SUITE.tier("easy"), references=(NONE,))
    for name in ("none", "gtsim", "warp"):
        check_reference(CATALOG.find(name).manifest, SUITE, tier)
    for name in ("look", "homing", "oracle"):
        with pytest.raises(Refusal, match=f"no reference '{name}'"):
            check_reference(CATALOG.find(name).manifest, SUITE, tier)
        listed = replace(tier, references=(NONE, Reference(name, name, name)))
        check_reference(CATALOG.find(name).manifest, SUITE, listed)


def test_an_environment_without_what_the_task_needs_plays_nothing_of_it() -> None:
    suite = replace(SUITE, environment="rlbench")
    for name in ("none", "warp", "gtsim"):
        with pytest.raises(Refusal, match="task ignav cannot be played in rlbench: it does not show what") as caught:
            check_reference(CATALOG.find(name).manifest, suite, suite.tier("easy"))
        assert "--suite embedded" in caught.value.next_step


def test_habitat_plays_no_errors_of_motion_and_no_oracle() -> None:
    suite = SUITE.in_environment("habitat")
    tier = suite.tier("easy")
    for name in ("none", "look", "homing", "gtsim", "gtsim-blur-3", "gtsim-hue-30"):
        check_reference(CATALOG.find(name).manifest, suite, tier)
    for name in ("oracle", "gtsim-walls", "gtsim-null-1cm", "gtsim-motion-75"):
        with pytest.raises(Refusal, match=f"{name} cannot be played in habitat"):
            check_reference(CATALOG.find(name).manifest, suite, tier)
        check_reference(CATALOG.find(name).manifest, SUITE, SUITE.tier("easy"))
