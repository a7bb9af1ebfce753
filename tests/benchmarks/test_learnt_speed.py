"""How long the learnt score takes for one panorama: target <= 6 ms on one core (49 in 0.3 s)."""

from __future__ import annotations

from typing import Any

from harness.contracts.observations import View
from tasks.ignav.scores.learnt import GoalComparer
from tasks.ignav.scores.learnt_network import network_from
from tests.tasks.ignav.learnt_weights import FRONT, PANO, picture, random_tensors


def test_learnt_score_of_one_panorama(benchmark: Any) -> None:
    compare = GoalComparer(network_from(random_tensors()), View(FRONT, picture(1, 128)))
    view = View(PANO, picture(2))
    compare([view])
    assert -9.0 <= benchmark(compare, [view]) <= 0.0
