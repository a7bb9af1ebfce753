"""What a model needs of the place where it runs is looked at when a run is planned."""

from __future__ import annotations

import pytest

from harness.contracts.errors import Refusal
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.preparing import Choice, prepare

HOSTED = load_catalog().find("gen4").manifest


def test_a_model_that_needs_a_network_is_refused_in_a_container() -> None:
    with pytest.raises(Refusal, match=r"'gen4' needs a network, and a container has none.*--runtime process"):
        prepare(HOSTED, Choice(), container=True)
    assert prepare(HOSTED, Choice()).lacks == ()


def test_a_mode_that_computes_less_stamps_the_result() -> None:
    manifest = load_catalog().find("ltx").manifest
    fast = prepare(manifest, Choice(("accelerate=taylorseer:3",), "random"))
    assert fast.stamps == ("random-weights", "approximate")
    assert fast.manifest.settings["accelerate"] == fast.overrides["accelerate"] == "taylorseer:3"
    assert prepare(manifest, Choice(("settings.compile=true",), "random")).stamps == ("random-weights",)
