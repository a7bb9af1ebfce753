"""Thinking that costs steps: the last plan goes on, then the agent stands still, and the budget counts all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, Action, Candidate, Primitive
from harness.contracts.errors import Refusal
from harness.contracts.search import Search, search_of
from harness.contracts.trajectories import PlayedEpisode
from harness.planning.agent import Choice
from harness.planning.thinking import ThinkingTime
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from harness.worldmodels.imaginer import EnvironmentImaginer
from tasks.ignav.task import TASK
from tests.planning.test_loop import toy_tier
from tests.planning.toy import ToyEnvironment, toy_episode

NUMBERS = range(5)
LONGEST = 16
"""Half a circle of turns and the 8 forwards of the longest walk: what a decision of the tier executes at most."""


def play(number: int, steps: float | None, share: float | None = None, stop: str = "self") -> PlayedEpisode:
    environment = ToyEnvironment()
    seconds = (None, None) if steps is None else (steps * 0.5, 0.5)
    search = Search(None, share, *seconds)
    imaginer = EnvironmentImaginer(environment)
    return TASK.play_episode(environment, imaginer, toy_episode(number), toy_tier(), 0, "gtsim", stop, search)


def actions(played: PlayedEpisode, decision: int) -> list[Action]:
    return [step.action for step in played.trajectory.decisions[decision].steps]


def test_a_decision_that_costs_nothing_changes_nothing() -> None:
    for number in NUMBERS[:1]:
        assert play(number, 0.0).trajectory == play(number, None).trajectory


def test_a_decision_in_which_nobody_is_asked_costs_nothing() -> None:
    assert play(1, 6.0, share=0.0).trajectory == play(1, None, share=0.0).trajectory


def test_the_first_decision_waits_where_it_stands_and_the_next_begins_with_what_was_left_of_its_plan() -> None:
    went_on = 0
    for number in NUMBERS:
        free, charged = play(number, None, stop="oracle"), play(number, 3.0, stop="oracle")
        if not charged.trajectory.decisions:
            continue
        assert actions(charged, 0) == actions(free, 0), "no plan was left from before"
        forwards = sum(action == Primitive(FORWARD, 0.2) for action in actions(charged, 0))
        if len(charged.trajectory.decisions) > 1 and forwards < 8:
            went_on += 1
            kept = min(3, 8 - forwards)
            assert actions(charged, 1)[:kept] == [Primitive(FORWARD, 0.2)] * kept
            assert not any(step.gap for step in charged.trajectory.decisions[1].steps), "imagined for another place"
            assert charged.frames[1].imagined == {}
    assert went_on


def test_thinking_uses_up_the_steps_of_an_episode() -> None:
    played = play(0, 5.0 * LONGEST)
    assert played.trajectory.stopped == "budget" and not played.trajectory.solved
    (decision,) = played.trajectory.decisions
    assert decision.steps == ()
    assert played.trajectory.final_distance_m == decision.distance_m
    slower = [sum(play(n, cost).metrics["success"] for n in NUMBERS[:3]) for cost in (None, 40.0)]
    assert slower[0] > slower[1]


@settings(deadline=None)
@given(st.integers(0, 40), st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2)), min_size=1, max_size=6))
def test_no_more_steps_are_taken_than_there_are_and_none_is_counted_twice(
    cost: int, chosen: list[tuple[int, int]]
) -> None:
    plan = Candidate(tuple(Primitive(FORWARD, 0.1 * n) for n in range(1, 9)))
    thinking = ThinkingTime(cost, len(chosen))
    left = 8 * len(chosen)
    rest: tuple[Action, ...] = ()
    for execute, rollouts in chosen:
        if thinking.is_over:
            break
        choice = Choice(
            None, 0, plan.actions[:execute], 1, 1, (), 0.0, {}, rollouts, rest=plan.actions[execute:], longest=8
        )
        taken = thinking.taken(choice).actions
        waited = min(cost if rollouts else 0, left)
        expected = (*rest[:waited], *choice.actions[: left - waited]) if cost else choice.actions
        assert taken == expected
        left -= waited + len(choice.actions[: left - waited])
        rest = choice.rest
        assert not cost or thinking.is_over == (left == 0)
    assert left >= 0


def test_seconds_become_whole_steps() -> None:
    for decision_s, step_s, steps in ((4.0, 0.5, 8), (1.1, 0.1, 11), (0.01, 0.5, 1), (0.0, 0.5, 0)):
        assert Search(decision_seconds=decision_s, step_seconds=step_s).steps_a_decision == steps
    assert Search().steps_a_decision == 0
    assert Search(decision_seconds=4.1, step_seconds=0.5).stamps == ("decision-seconds-4.1", "step-seconds-0.5")
    for plain in ({"decision_seconds": 1.0}, {"decision_seconds": -1.0, "step_seconds": 1.0},
                  {"decision_seconds": 1.0, "step_seconds": 0.0}):  # fmt: skip
        with pytest.raises(ValueError):
            search_of({"search": plain})


def test_it_is_part_of_what_a_run_asks_and_what_cannot_be_is_refused() -> None:
    pytest.importorskip("numba")
    charged: Any = {"decision_seconds": 4.0, "step_seconds": 0.5}
    plain = RunOptions("gtsim", "ignav", tier="easy", episodes="2")
    identity = make_plan(replace(plain, **charged)).identity
    assert identity.search == Search(**charged) and not identity.searches_as(make_plan(plain).identity)
    for changes, told in (
        ({"decision_seconds": 4.0}, "are given together"),
        ({**charged, "decision_seconds": float("nan")}, "nan seconds a decision"),
        ({**charged, "wm": "none"}, "none asks no world model"),
    ):
        with pytest.raises(Refusal) as refused:
            make_plan(replace(plain, **changes))
        assert told in refused.value.what
