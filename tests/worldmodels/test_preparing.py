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
