"""How long the classical score takes for one panorama: target <= 4 ms on one core."""

from __future__ import annotations

from typing import Any

from harness.contracts.cameras import Camera
from harness.contracts.observations import View
from tasks.ignav.scores.classical import Classical
from tests.tasks.ignav.test_scores import blocks, goal_of


def test_classical_score_of_one_panorama(benchmark: Any) -> None:
    view = View(Camera("pano", "equirect", 128, 256, 360.0, 1.25), blocks(1))
    compare = Classical().against(goal_of(blocks(2)))
    compare([view])
    assert 0.0 < benchmark(compare, [view]) < 2.5
