"""Planted errors of answers: views that stand still, and views of the next request."""

from __future__ import annotations

import numpy as np

from harness.contracts.actions import FORWARD, TURN_LEFT, Candidate, Primitive
from harness.contracts.cameras import PINHOLE, Camera
from harness.contracts.observations import View
from harness.worldmodels.imaginer import EnvironmentImaginer
from harness.worldmodels.planted_errors import AnswerError, PlantedErrors
from tests.wire.objects import GridEnvironment, example_episode

WALK, TURN = Primitive(FORWARD, 0.2), Primitive(TURN_LEFT, 22.5)
CANDIDATES = [Candidate((TURN, WALK, WALK, TURN)), Candidate((WALK,) * 5), Candidate((TURN, TURN))]
FRAMES = [(1, 2, 3, 4), (2, 5), (1, 2)]
CAMERA = Camera("front", PINHOLE, 2, 2, 90.0, 1.25)


def view(number: int) -> View:
    return View(CAMERA, np.full((2, 2, 3), number, np.uint8))


def shown(error: AnswerError) -> list[dict[int, int]]:
    """Return what is shown, view number 10 * candidate + frame, where the simulator answers rightly."""
    asked = error.asked(CANDIDATES, FRAMES)
    right = [{i: view(10 * number + i) for i in frames} for number, frames in enumerate(asked)]
    found = error.answered(CANDIDATES, FRAMES, right)
    return [{i: int(seen.rgb[0, 0, 0]) for i, seen in answer.items()} for answer in found]


def test_no_error_answers_what_was_asked() -> None:
    assert shown(AnswerError()) == [{1: 1, 2: 2, 3: 3, 4: 4}, {2: 12, 5: 15}, {1: 21, 2: 22}]


def test_frozen_views_stand_still_after_the_first_forward_and_turns_before_it_are_seen() -> None:
    assert shown(AnswerError(frozen=True)) == [{1: 1, 2: 2, 3: 2, 4: 2}, {2: 11, 5: 11}, {1: 21, 2: 22}]


def test_a_frame_is_frozen_whatever_else_is_asked() -> None:
    error = AnswerError(frozen=True)
    assert error.asked([CANDIDATES[1]], [(5,)]) == [(1,)] and error.asked([CANDIDATES[1]], [(1, 3, 5)]) == [(1,)]


def test_swapped_answers_are_those_of_the_next_request_in_order() -> None:
    assert shown(AnswerError(swapped=True)) == [{1: 12, 2: 15, 3: 15, 4: 15}, {2: 21, 5: 22}, {1: 1, 2: 2}]


def test_one_request_alone_is_answered_rightly() -> None:
    answer = AnswerError(swapped=True).answered(CANDIDATES[:1], [(2,)], [{2: view(7)}])
    assert answer[0][2].rgb[0, 0, 0] == 7


def test_the_simulator_answers_so() -> None:
    """In the grid every action moves on, and images count the moves."""
    environment = GridEnvironment()
    environment.reset(example_episode(), 0, [])
    seen = View(environment.rig.camera("pano"), np.zeros((8, 16, 3), np.uint8))

    def imagined(error: AnswerError) -> list[list[int]]:
        errors = PlantedErrors(answers=error)
        found = EnvironmentImaginer(environment, "x", errors).imagine(seen, CANDIDATES, FRAMES, [1, 2, 3])
        return [[int(answer[i].rgb[0, 0, 0]) for i in sorted(answer)] for answer in found]

    assert imagined(AnswerError()) == [[1, 2, 3, 4], [2, 5], [1, 2]]
    assert imagined(AnswerError(frozen=True)) == [[1, 2, 2, 2], [1, 1], [1, 2]]
    assert imagined(AnswerError(swapped=True)) == [[2, 5, 5, 5], [1, 2], [1, 2]]
