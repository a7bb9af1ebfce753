"""The measures of one state, by hand and by what must hold whatever was chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.banking.measures import is_best, measures, rank_correlation
from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.cameras import Pose
from harness.contracts.observations import View
from harness.planning.agent import Choice
from harness.planning.bank_states import DecisionState
from harness.planning.proposals import End, Proposal
from tests.planning.toy import FRONT, PANO

STEP = Candidate((Primitive(FORWARD, 0.2),))
VIEW = View(PANO, np.zeros((32, 64, 3), np.uint8))
GOAL = View(FRONT, np.zeros((16, 16, 3), np.uint8))
DISTANCES = st.lists(st.floats(0.0, 9.0).map(lambda x: round(x, 2)), min_size=2, max_size=12)


def state_with(distances: list[float], here: float = 2.0) -> DecisionState:
    ends = tuple(End(number, (1,), 1) for number in range(len(distances)))
    proposal = Proposal((STEP,) * len(distances), ends)
    pose = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
    return DecisionState("e", "h", 0, (), VIEW, GOAL, proposal, ends, pose, tuple(distances), here)


def choice_of(state: DecisionState, index: Optional[int], scores: tuple[float, ...] = ()) -> Choice:
    end = None if index is None else state.ends[index]
    count = len(state.ends)
    return Choice(end, -1 if index is None else index, (), count, count, scores, 0.0, {}, 3)


def test_by_hand() -> None:
    state = state_with([1.0, 3.0, 0.5, 1.5])
    forced, free = choice_of(state, 0, (0.9, 0.1, 0.8, 0.3)), choice_of(state, None)
    found = measures(state, forced, free)
    assert found["regret_m"] == 0.5 and found["self_regret_m"] == 1.5 and found["chance_m"] == 1.0
    assert found["top_1"] == 0.0 and found["stayed"] == 1.0 and found["ends"] == 4.0 and found["rollouts"] == 3.0
    assert found["rank_correlation"] == pytest.approx(0.8)
    assert measures(state, choice_of(state, 2), free)["top_1"] == 1.0


def test_staying_where_one_stands_best_costs_nothing() -> None:
    state = state_with([1.0, 3.0], here=0.2)
    assert measures(state, choice_of(state, 0), choice_of(state, None))["self_regret_m"] == 0.0


def test_ends_within_a_micrometre_are_equally_good() -> None:
    state = state_with([1.0, 1.0 + 9e-7, 1.0 + 2e-6])
    assert [is_best(state, choice_of(state, index)) for index in range(3)] == [True, True, False]


def test_nothing_is_ranked_without_scores_or_without_a_better_end() -> None:
    state = state_with([1.0, 2.0])
    assert rank_correlation(state, choice_of(state, 0)) is None
    assert "rank_correlation" not in measures(state, choice_of(state, 0), choice_of(state, 0))
    alike = state_with([1.0, 1.0])
    assert rank_correlation(alike, choice_of(alike, 0, (0.1, 0.2))) is None
    assert rank_correlation(state, choice_of(state, 0, (0.5, 0.5))) == 0.0


@given(DISTANCES, st.data())
def test_what_must_hold_of_any_choice(distances: list[float], data: st.DataObject) -> None:
    state = state_with(distances)
    index = data.draw(st.integers(0, len(distances) - 1))
    found = measures(state, choice_of(state, index), choice_of(state, None))
    assert found["regret_m"] >= 0.0 and found["self_regret_m"] >= 0.0 and found["chance_m"] >= 0.0
    assert (found["regret_m"] == 0.0) == (found["top_1"] == 1.0)
    true = tuple(-distance for distance in distances)
    right = rank_correlation(state, choice_of(state, index, true))
    wrong = rank_correlation(state, choice_of(state, index, tuple(-score for score in true)))
    if right is not None and wrong is not None:
        assert right == pytest.approx(1.0) and wrong == pytest.approx(-1.0)


@given(DISTANCES.filter(lambda values: max(values) - min(values) > 0.01))
def test_ranks_alone_matter(distances: list[float]) -> None:
    state = state_with(distances)
    rng = np.random.default_rng(len(distances))
    scores = tuple(float(x) for x in rng.permutation(len(distances)))
    first = rank_correlation(state, choice_of(state, 0, scores))
    other = rank_correlation(state, choice_of(state, 0, tuple(x**3 + 5.0 for x in scores)))
    assert first == pytest.approx(other)
    assert rank_correlation(replace(state, distance_m=9.0), choice_of(state, 0, scores)) == first
