"""Proposer `look-fan`: every place of a fan seen in every direction, each once, and executed as it was seen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, navigation_space, signed_turn
from harness.contracts.errors import Refusal
from harness.planning.seeding import EpisodeSeeds
from harness.worldmodels.folding import fold
from tasks.navigation.odometry import Odometry
from tasks.navigation.proposers.look_fan import LookFan

SPACE = navigation_space()
SEEDS = EpisodeSeeds(0, "e")
prefix_lists = st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True).map(sorted)


@given(headings=st.sampled_from([1, 2, 4, 8]), prefixes=prefix_lists, looks=st.integers(1, 8))
@settings(deadline=None, max_examples=40)
def test_every_place_is_seen_once_in_every_direction_within_reach(
    headings: int, prefixes: list[int], looks: int
) -> None:
    proposal = LookFan(SPACE, headings, prefixes, looks).propose(0, (), SEEDS)
    seen = []
    for end in proposal.ends:
        walked = proposal.actions(end)
        assert end.frames == (end.execute,) and len(walked) == end.execute
        place = Odometry().advance(walked)
        forwards = [number for number, action in enumerate(walked) if signed_turn(action) == 0.0]
        assert len(forwards) in prefixes and forwards[-1] - forwards[0] == len(forwards) - 1
        led = Odometry().advance(walked[: forwards[0]]).yaw_deg
        seen.append((round(led / 22.5) % 16, len(forwards), round((place.yaw_deg - led) / 22.5) % 16))
    directions = {k % 16 for k in range(-min(looks, 7), looks + 1)}
    assert len(seen) == len(set(seen))
    assert set(seen) == {(h * 16 // headings, n, d) for h in range(headings) for n in prefixes for d in directions}


@given(prefixes=prefix_lists, looks=st.integers(1, 8))
@settings(deadline=None, max_examples=20)
def test_a_perspective_model_is_asked_for_no_more_than_the_walk_and_the_looks(prefixes: list[int], looks: int) -> None:
    proposal = LookFan(SPACE, 8, prefixes, looks).propose(0, (), SEEDS)
    longest = max(len(fold(candidate, fold_trailing=False).core) for candidate in proposal.candidates)
    assert longest == prefixes[-1] + looks
    assert len(proposal.candidates) == 2 * 8 * len(prefixes)
    assert all(FORWARD in {getattr(a, "name", "") for a in c.actions} for c in proposal.candidates)


@pytest.mark.parametrize(
    ("headings", "prefixes", "looks"), [(3, [2], 4), (8, [], 4), (8, [5, 2], 4), (8, [0], 4), (8, [2], 0), (8, [2], 9)]
)
def test_impossible_fans_are_refused(headings: int, prefixes: list[int], looks: int) -> None:
    with pytest.raises(Refusal, match="look-fan"):
        LookFan(SPACE, headings, prefixes, looks)
