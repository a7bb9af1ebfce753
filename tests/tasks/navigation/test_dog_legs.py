"""Proposer `dog-legs`: its ends, its bounds, and that only decision, candidate and seed draw."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, TURN_LEFT, Primitive, navigation_space, signed_turn
from harness.contracts.errors import Refusal
from harness.planning.config import PartConfig
from harness.planning.proposals import Proposal
from harness.planning.seeding import EpisodeSeeds
from tasks.ignav.parts import PARTS
from tasks.navigation.odometry import Odometry
from tasks.navigation.proposers.dog_legs import DogLegs

SPACE = navigation_space()
GO = Primitive(FORWARD, 0.2)


def propose(run_seed: int = 0, decision: int = 0, headings: int = 16, longest: int = 13) -> Proposal:
    return DogLegs(SPACE, headings, longest).propose(decision, (), EpisodeSeeds(run_seed, "e"))


def parts(actions: tuple[Primitive, ...]) -> list[tuple[bool, int]]:
    """Return the runs of forwards (True) and turns (False) with their lengths."""
    runs: list[tuple[bool, int]] = []
    for action in actions:
        forward = action == GO
        if runs and runs[-1][0] == forward:
            runs[-1] = (forward, runs[-1][1] + 1)
        else:
            runs.append((forward, 1))
    return runs


@given(run_seed=st.integers(0, 999), decision=st.integers(0, 9), longest=st.integers(4, 20))
@settings(deadline=None, max_examples=40)
def test_candidate_k_walks_two_legs_from_the_kth_heading(run_seed: int, decision: int, longest: int) -> None:
    proposal = propose(run_seed, decision, longest=longest)
    assert len(proposal.candidates) == 16 and len(proposal.ends) == 64
    for number, candidate in enumerate(proposal.candidates):
        lead = next(i for i, action in enumerate(candidate.actions) if action == GO)
        assert lead <= 8 and len({signed_turn(action) for action in candidate.actions[:lead]}) <= 1
        assert Odometry().advance(candidate.actions[:lead]).yaw_deg == number * 22.5
        core = candidate.actions[lead:]
        assert len(core) <= longest
        runs = parts(core)  # type: ignore[arg-type]
        if len(runs) == 1:  # no turn between the legs
            assert 4 <= runs[0][1] <= 16
        else:
            assert [forward for forward, _ in runs] == [True, False, True]
            assert 2 <= runs[0][1] <= 8 and 1 <= runs[1][1] <= 4 and 2 <= runs[2][1] <= 8


@given(run_seed=st.integers(0, 999))
@settings(deadline=None, max_examples=40)
def test_what_is_scored_is_executed_and_ends_are_middles_and_ends_of_legs(run_seed: int) -> None:
    proposal = propose(run_seed)
    for end in proposal.ends:
        assert end.frames == (end.execute,)
        assert proposal.actions(end)[-1] == GO
    for number, candidate in enumerate(proposal.candidates):
        frames = [end.execute for end in proposal.ends if end.candidate == number]
        assert frames == sorted(set(frames)) and len(frames) == 4 and frames[-1] == len(candidate)
        middle, corner, later, last = (candidate.actions[:frame].count(GO) for frame in frames)
        second = last - corner
        lead = next(i for i, action in enumerate(candidate.actions) if action == GO)
        assert frames[1] == lead + corner and middle == corner // 2 and later == corner + second // 2


def test_draws_are_keyed_by_seed_decision_and_candidate_alone() -> None:
    assert propose(3, 2) == propose(3, 2)
    walked = DogLegs(SPACE).propose(2, (GO, GO), EpisodeSeeds(3, "e"))
    assert walked == propose(3, 2)
    assert len({propose(seed, decision).candidates for seed in range(4) for decision in range(4)}) == 16
    few, all_ = propose(headings=4), propose(headings=16)
    assert few.candidates[0] == all_.candidates[0]
    assert few.candidates[1].actions[:4] == (Primitive(TURN_LEFT, 22.5),) * 4


def test_every_turn_and_second_leg_occurs() -> None:
    cores = [c.actions for seed in range(30) for c in propose(seed).candidates]
    legs = [core[core.index(GO) :] for core in cores]
    assert {sum(map(signed_turn, walked)) / 22.5 for walked in legs} == set(range(-4, 5))
    assert {parts(walked)[-1][1] for walked in legs if parts(walked)[1:]} == set(range(2, 9))  # type: ignore[arg-type]


@pytest.mark.parametrize(("headings", "longest"), [(3, 13), (0, 13), (16, 3)])
def test_impossible_legs_are_refused(headings: int, longest: int) -> None:
    with pytest.raises(Refusal, match="dog-legs"):
        propose(headings=headings, longest=longest)


def test_suite_data_names_it() -> None:
    made = PARTS.make_proposer(PartConfig("dog-legs", {"headings": 16, "longest": 13}), SPACE)
    assert made.propose(0, (), EpisodeSeeds(0, "e")) == propose()
