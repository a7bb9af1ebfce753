"""A plugin that promises equal bytes in every batch is held to it; one that promises nothing may round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.conformance import repeat_checks
from harness.conformance.plugin_under_test import Subject
from harness.conformance.results import FAILED, PASSED
from harness.contracts.manifests import PLUGIN, ModelManifest
from harness.contracts.observations import RGB
from harness.worldmodels.catalog import CatalogEntry


class Rounding(Subject):
    """Answers in this process, one grey level brighter in batches of ``rounds`` requests."""

    def __init__(self, rounds: int, promised: bool) -> None:
        manifest = ModelManifest("m", "m", PLUGIN, max_batch=6, settings={"batch_tolerance": 2.0})
        self.target: Any = SimpleNamespace(entry=CatalogEntry(manifest, Path(), batch_invariant=promised))
        self.probe: Any = SimpleNamespace(different=lambda size: list(range(size)))
        self._rounds = rounds

    def ask(self, requests: Sequence[Any]) -> list[RGB]:
        return [np.full((1, 2, 2, 3), 100 + (len(requests) == self._rounds), np.uint8) for _ in requests]

    def ask_one(self, request: Any) -> RGB:
        return self.ask([request])[0]


@pytest.mark.parametrize(
    ("rounds", "promised", "state"), [(0, True, PASSED), (6, True, FAILED), (2, True, FAILED), (6, False, PASSED)]
)
def test_a_promise_of_equal_bytes_leaves_no_room_for_rounding(rounds: int, promised: bool, state: str) -> None:
    assert repeat_checks.batch(Rounding(rounds, promised)).state == state
