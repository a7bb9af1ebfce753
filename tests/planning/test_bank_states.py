"""Frozen decisions: they are those of the loop, and their truth is what executing would give."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest

from harness.contracts.cameras import quaternion_to_yaw
from harness.contracts.digest import array_digest
from harness.planning.bank_states import DecisionState, choose, decision_states, may_stay, regret_m
from harness.planning.config import PartConfig
from harness.planning.parts import Parts
from harness.worldmodels.imaginer import EnvironmentImaginer
from tasks.ignav.parts import PARTS
from tasks.ignav.task import TASK
from tests.image_goals import goal_of
from tests.planning.test_loop import toy_tier
from tests.planning.toy import CopyImaginer, ToyEnvironment, toy_episode

pytest.importorskip("numba", reason="the classical score needs numba (the extra 'embedded')")


def parts_of(proposer: Optional[PartConfig] = None) -> Parts:
    tier = toy_tier()
    loop = tier.loop if proposer is None else replace(tier.loop, proposer=proposer)
    return PARTS.make(loop, tier.action_space)


def states(number: int, count: int = 3, proposer: Optional[PartConfig] = None) -> list[DecisionState]:
    return list(decision_states(TASK.begin, ToyEnvironment(), toy_episode(number), parts_of(proposer), 0, count))


@pytest.mark.parametrize("proposer", [None, PartConfig("dog-legs", {"headings": 16, "longest": 13})])
def test_the_truth_is_what_executing_each_end_gives(proposer: Optional[PartConfig]) -> None:
    episode = toy_episode(3)
    for state in states(3, 3, proposer):
        assert len(state.end_distances_m) == len(state.ends)
        for end, expected in list(zip(state.ends, state.end_distances_m, strict=True))[::5]:
            environment = ToyEnvironment()
            here = environment.reset(episode, 0, [])
            for actions in (*state.executed, state.proposal.actions(end)):
                if actions == state.proposal.actions(end):
                    assert here.pose == state.pose
                here = environment.step(actions, [])[-1]
            assert environment.geodesic_distance(here.pose.position, goal_of(episode).goal.position) == expected
        assert environment.geodesic_distance(state.pose.position, goal_of(episode).goal.position) == state.distance_m


def test_states_are_deterministic_and_differ() -> None:
    one, again = states(1), states(1)
    assert [array_digest(state.view.rgb) for state in one] == [array_digest(state.view.rgb) for state in again]
    assert [state.end_distances_m for state in one] == [state.end_distances_m for state in again]
    assert len({array_digest(state.view.rgb) for state in one}) == 3
    assert [len(state.executed) for state in one] == [0, 1, 2]


def test_the_first_decision_is_that_of_the_loop() -> None:
    for number in range(4):
        environment = ToyEnvironment()
        tier = toy_tier()
        imaginer = EnvironmentImaginer(environment)
        played = TASK.play_episode(environment, imaginer, toy_episode(number), tier, 0, "gtsim", "self")
        first = played.trajectory.decisions[0]
        environment = ToyEnvironment()
        state = next(decision_states(TASK.begin, environment, toy_episode(number), parts_of(), 0, 1))
        choice = choose(state, parts_of(), EnvironmentImaginer(environment), 0, "self")
        assert (choice.index, choice.scores, choice.stay_score) == (first.chosen, first.scores, first.stay_score)
        assert first.distance_m == state.distance_m


def test_a_later_decision_remembers_the_places_before() -> None:
    environment = ToyEnvironment()
    for state in decision_states(TASK.begin, environment, toy_episode(2), parts_of(), 0, 3):
        choice = choose(state, parts_of(), EnvironmentImaginer(environment), 0)
        assert choice.ends == len(state.ends) == len(choice.scores)
        assert choice.end is not None and state.ends[choice.index] == choice.end
        assert quaternion_to_yaw(state.pose.rotation) % 360.0 == pytest.approx(environment._yaw % 360.0)


def test_true_imagination_has_less_regret_than_copies() -> None:
    regrets: dict[str, list[float]] = {"gtsim": [], "copy": []}
    for number in range(8):
        environment = ToyEnvironment()
        for state in decision_states(TASK.begin, environment, toy_episode(number), parts_of(), 0, 2):
            for name, imaginer in (("gtsim", EnvironmentImaginer(environment)), ("copy", CopyImaginer())):
                regret = regret_m(state, choose(state, parts_of(), imaginer, 0))
                assert regret >= 0.0
                regrets[name].append(regret)
    assert sum(regrets["gtsim"]) < 0.5 * sum(regrets["copy"])


def test_regret_of_staying_counts_staying_among_the_choices() -> None:
    state = states(0, 1)[0]
    stayed = choose(state, parts_of(), CopyImaginer(), 0, "self")
    assert stayed.end is None
    best = min(state.distance_m, *state.end_distances_m)
    assert regret_m(state, stayed) == state.distance_m - best > 0.0


@pytest.mark.parametrize("within_m", [None, 0.5])
@pytest.mark.parametrize("reviser", ["similarity", "look", "oracle", "uniform"])
def test_what_staying_would_change_is_what_a_free_agent_decides(reviser: str, within_m: Optional[float]) -> None:
    rule = {} if within_m is None or reviser == "uniform" else {"stop_within_m": within_m}
    tier = toy_tier(reviser=PartConfig(reviser, rule))
    own = PARTS.make(tier.loop, tier.action_space)
    environment, stayed = ToyEnvironment(), 0
    for state in decision_states(TASK.begin, environment, toy_episode(4), own, 0, 3):
        imaginer = EnvironmentImaginer(environment) if reviser == "similarity" else None
        forced = choose(state, own, imaginer, 0)
        free, expected = may_stay(state, own, forced, 0), choose(state, own, imaginer, 0, "self")
        assert forced.end is not None
        assert (free.end, free.index, free.actions) == (expected.end, expected.index, expected.actions)
        assert (free.scores, free.stay_score) == (expected.scores, expected.stay_score)
        stayed += free.end is None
    assert reviser != "look" or stayed == 3


def test_the_oracle_knows_the_truth_of_a_state_without_an_environment() -> None:
    tier = toy_tier(reviser=PartConfig("oracle"))
    own = PARTS.make(tier.loop, tier.action_space)
    for state in states(5):
        assert regret_m(state, choose(state, own, None, 0)) <= 1e-6
        assert regret_m(state, may_stay(state, own, choose(state, own, None, 0), 0)) <= 1e-6
