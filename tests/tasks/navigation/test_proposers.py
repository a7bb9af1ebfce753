"""Proposers: what the candidates of a decision are, whatever was executed before."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Primitive, navigation_space, signed_turn
from harness.contracts.errors import EpisodeError, Refusal
from harness.planning.seeding import EpisodeSeeds
from tasks.navigation.odometry import Odometry
from tasks.navigation.proposers.heading_fan import HeadingFan
from tasks.navigation.proposers.heuristic import Heuristic

SPACE = navigation_space()
SEEDS = EpisodeSeeds(0, "e")
STEP = {p.name: p for p in SPACE.primitives}
prefix_lists = st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True).map(sorted)
histories = st.lists(st.sampled_from([STEP[FORWARD], STEP[TURN_LEFT], STEP[TURN_RIGHT]]), max_size=8)


@given(headings=st.sampled_from([1, 2, 4, 8, 16]), prefixes=prefix_lists)
@settings(deadline=None, max_examples=40)
def test_a_fan_turns_the_shorter_way_then_walks_straight_to_every_prefix(headings: int, prefixes: list[int]) -> None:
    proposal = HeadingFan(SPACE, headings, prefixes).propose(0, (), SEEDS)
    assert len(proposal.candidates) == headings
    assert len(proposal.ends) == headings * len(prefixes)
    reached = set()
    for end in proposal.ends:
        candidate = proposal.candidates[end.candidate]
        turns = [action for action in candidate.actions if signed_turn(action)]
        assert candidate.actions == tuple(turns) + (STEP[FORWARD],) * prefixes[-1]
        assert len(set(turns)) <= 1 and len(turns) <= 8
        assert end.frames == (end.execute,)
        walked = proposal.actions(end)
        assert walked.count(STEP[FORWARD]) in prefixes
        reached.add((round(Odometry().advance(walked).yaw_deg / 22.5) % 16, walked.count(STEP[FORWARD])))
    assert reached == {(k * 16 // headings, n) for k in range(headings) for n in prefixes}


def test_half_a_circle_goes_left_and_the_present_heading_comes_first() -> None:
    proposal = HeadingFan(SPACE, 8, [2, 5, 8]).propose(0, (), SEEDS)
    assert proposal.candidates[0].actions == (STEP[FORWARD],) * 8
    assert proposal.candidates[4].actions[:8] == (STEP[TURN_LEFT],) * 8
    assert proposal.candidates[5].actions[:6] == (STEP[TURN_RIGHT],) * 6
    assert [len(proposal.actions(end)) for end in proposal.ends[:3]] == [2, 5, 8]


@pytest.mark.parametrize(("headings", "prefixes"), [(3, [2]), (0, [2]), (8, []), (8, [5, 2]), (8, [0, 2]), (8, [2, 2])])
def test_impossible_fans_are_refused(headings: int, prefixes: list[int]) -> None:
    with pytest.raises(Refusal, match="heading-fan"):
        HeadingFan(SPACE, headings, prefixes)


@given(history=histories, run_seed=st.integers(0, 99), published=st.booleans())
@settings(deadline=None, max_examples=60)
def test_heuristic_candidates_keep_the_published_rules(
    history: list[Primitive], run_seed: int, published: bool
) -> None:
    proposer = Heuristic(SPACE, candidates=3, length=5, published_rng=published)
    proposal = proposer.propose(2, history, EpisodeSeeds(run_seed, "e"))
    assert len({candidate.actions for candidate in proposal.candidates}) == 3
    for candidate, end in zip(proposal.candidates, proposal.ends, strict=True):
        assert len(candidate) == 5
        assert end.frames == (1, 2, 3, 4, 5) and end.execute == 3
        walked = [*history, *candidate.actions]
        for at in range(len(history), len(walked)):
            if at:
                assert {walked[at], walked[at - 1]} != {STEP[TURN_LEFT], STEP[TURN_RIGHT]}
            assert walked[at] == STEP[FORWARD] or at < 4 or walked[at - 4 : at + 1] != [walked[at]] * 5


@given(history=histories)
@settings(deadline=None, max_examples=20)
def test_with_the_published_generator_only_the_history_decides(history: list[Primitive]) -> None:
    published = Heuristic(SPACE, 3, 5, published_rng=True)
    assert published.propose(0, history, EpisodeSeeds(0, "a")) == published.propose(7, history, EpisodeSeeds(1, "b"))


def test_with_keyed_draws_run_seeds_differ_and_repeat() -> None:
    keyed = Heuristic(SPACE, 3, 5, published_rng=False)
    proposals = [keyed.propose(0, (), EpisodeSeeds(seed, "a")) for seed in range(20)]
    assert len({p.candidates for p in proposals}) > 10
    assert proposals == [keyed.propose(0, (), EpisodeSeeds(seed, "a")) for seed in range(20)]


def test_every_primitive_starts_some_candidate() -> None:
    keyed = Heuristic(SPACE, 3, 5, published_rng=False)
    first = [keyed.propose(0, (), EpisodeSeeds(s, "a")).candidates[0].actions[0] for s in range(60)]
    counts = [first.count(STEP[name]) for name in (FORWARD, TURN_LEFT, TURN_RIGHT)]
    assert min(counts) > 8


@pytest.mark.parametrize(("length", "execute"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 3)])
def test_all_but_two_primitives_are_executed_but_at_least_one(length: int, execute: int) -> None:
    assert Heuristic(SPACE, 2, length).propose(0, (), SEEDS).ends[0].execute == execute


def test_more_candidates_than_exist_are_an_episode_error() -> None:
    with pytest.raises(EpisodeError, match="3 distinct candidates"):
        Heuristic(SPACE, candidates=4, length=1).propose(0, (), SEEDS)
