"""Turn folding: only what a turn cannot explain is left to the model, and no frame is lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.actions import Candidate, Primitive, signed_turn
from harness.worldmodels.folding import fold
from harness.worldmodels.panorama import roll
from tests.worldmodels.toy_world import AHEAD, LEFT, RIGHT, play, toy_view

actions = st.lists(st.sampled_from([LEFT, RIGHT, AHEAD]), max_size=12)


@given(actions, st.booleans(), st.integers(0, 2**31))
def test_folding_then_resolving_equals_playing_every_action(moves: list[Primitive], trailing: bool, seed: int) -> None:
    view = toy_view(seed).rgb
    folded = fold(Candidate(tuple(moves)), fold_trailing=trailing)
    core = play(roll(view, folded.lead_deg), folded.core.actions)
    assert len(folded.sources) == len(moves) + 1
    for source, expected in zip(folded.sources, play(view, moves), strict=True):
        image = view if source.core_frame == 0 else core[source.core_frame]
        np.testing.assert_array_equal(roll(image, source.yaw_deg), expected)


@given(actions)
def test_the_core_starts_with_a_move_or_a_reversal_and_ends_with_a_move(moves: list[Primitive]) -> None:
    folded = fold(Candidate(tuple(moves)))
    if not folded.core.actions:
        assert all(signed_turn(move) for move in moves)
        return
    assert signed_turn(folded.core.actions[0]) * folded.lead_deg <= 0.0
    assert signed_turn(folded.core.actions[-1]) == 0.0


def test_the_published_example() -> None:
    folded = fold(Candidate((LEFT, LEFT, AHEAD, AHEAD, RIGHT)))
    assert folded.lead_deg == 45.0
    assert folded.core.actions == (AHEAD, AHEAD)
    assert [(s.core_frame, s.yaw_deg) for s in folded.sources] == [
        (0, 0),
        (0, 22.5),
        (0, 45),
        (1, 0),
        (2, 0),
        (2, -22.5),
    ]


def test_a_reversal_stays_in_the_core_as_published() -> None:
    folded = fold(Candidate((LEFT, RIGHT, AHEAD)))
    assert (folded.lead_deg, folded.core.actions) == (22.5, (RIGHT, AHEAD))


def test_perspective_models_keep_trailing_turns() -> None:
    assert fold(Candidate((LEFT, AHEAD, RIGHT)), fold_trailing=False).core.actions == (AHEAD, RIGHT)


def test_an_empty_candidate_is_the_present_view() -> None:
    folded = fold(Candidate(()))
    assert not folded.core.actions
    assert len(folded.sources) == 1
