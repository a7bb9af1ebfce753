"""How an end is chosen: memory of decision points, staying, and ties."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, navigation_space
from harness.planning.revisers import STAY, Similarity, Stay, Uniform
from harness.planning.seeding import EpisodeSeeds
from tasks.navigation.memory import VisitedPlaces
from tasks.navigation.odometry import Odometry
from tasks.navigation.proposers.heading_fan import HeadingFan

SPACE = navigation_space()
STEP = {p.name: p for p in SPACE.primitives}
SEEDS = EpisodeSeeds(0, "e")
FAN = HeadingFan(SPACE, 8, [2, 5, 8]).propose(0, (), SEEDS)
rounded = st.floats(0.0, 2.5).map(lambda x: round(x, 6))


@given(st.lists(st.sampled_from([STEP[FORWARD], STEP[TURN_LEFT], STEP[TURN_RIGHT]]), max_size=30))
def test_odometry_undoes_itself_by_turning_round(actions: list) -> None:  # type: ignore[type-arg]
    there = Odometry().advance(actions)
    half = (STEP[TURN_LEFT],) * 8
    mirrored = {TURN_LEFT: STEP[TURN_RIGHT], TURN_RIGHT: STEP[TURN_LEFT]}
    back = [mirrored.get(action.name, action) for action in reversed(actions)]
    assert there.advance(half).advance(back).advance(half).distance(Odometry()) < 1e-9


def test_odometry_axes_follow_the_contract() -> None:
    forward = (STEP[FORWARD],) * 5
    assert Odometry().advance(forward) == Odometry(0.0, pytest.approx(-1.0), 0.0)  # type: ignore[arg-type]
    left = Odometry().advance((STEP[TURN_LEFT],) * 4 + forward)
    assert left.x == pytest.approx(-1.0) and left.z == pytest.approx(0.0, abs=1e-12) and left.yaw_deg == 90.0


def test_ends_near_an_earlier_decision_point_are_left_out() -> None:
    executed = [(STEP[FORWARD],) * 5]
    here = Odometry().advance(executed[0])
    kept = VisitedPlaces(0.3)(FAN, executed)
    dropped = [end for end in FAN.ends if end not in kept]
    assert dropped == [end for end in FAN.ends if here.advance(FAN.actions(end)).distance(Odometry()) < 0.3]
    assert len(dropped) == 1 and dropped[0].candidate == 4


def test_an_end_at_exactly_the_radius_is_kept() -> None:
    """Every end of the fan lies 0.4, 1.0 or 1.6 m from here, which is a decision point too."""
    reached_m = [Odometry().advance(FAN.actions(end)).distance(Odometry()) for end in FAN.ends]
    nearest_m = min(reached_m)
    assert VisitedPlaces(nearest_m)(FAN, []) == FAN.ends
    left = VisitedPlaces(nearest_m + 0.01)(FAN, [])
    assert left == tuple(end for end, m in zip(FAN.ends, reached_m) if m > nearest_m + 0.005) != FAN.ends


def test_when_every_end_is_near_one_all_are_kept_and_radius_zero_keeps_all() -> None:
    assert VisitedPlaces(99.0)(FAN, []) == FAN.ends
    assert VisitedPlaces(0.0)(FAN, [FAN.actions(FAN.ends[0])]) == FAN.ends


@given(st.lists(rounded, min_size=1, max_size=24), rounded)
def test_similarity_takes_a_best_end_or_stays_when_staying_is_as_good(scores: list[float], stay: float) -> None:
    choice = Similarity().choose(len(scores), scores, Stay(True, stay), 0, SEEDS)
    if stay >= max(scores):
        assert choice == STAY
    else:
        assert scores[choice] == max(scores)
    assert scores[Similarity().choose(len(scores), scores, Stay(False, stay), 0, SEEDS)] == max(scores)


near = st.integers(-40, 0).map(lambda tenths: tenths / 10)


@given(st.lists(near, min_size=1, max_size=24), near, st.booleans())
def test_far_from_the_goal_the_agent_neither_stops_nor_takes_an_end_that_is_this_place_again(
    scores: list[float], stay: float, allowed: bool
) -> None:
    choice = Similarity(stop_within_m=0.5).choose(len(scores), scores, Stay(allowed, stay), 0, SEEDS)
    if stay >= -0.5:
        assert choice == Similarity().choose(len(scores), scores, Stay(allowed, stay), 0, SEEDS)
    elif max(scores) > stay or set(scores) == {stay}:
        assert scores[choice] == max(scores)
    else:
        assert choice != STAY and scores[choice] == max(score for score in scores if score < stay)


def test_ties_are_uniform_over_seeds_and_repeat_with_the_seed() -> None:
    scores = [0.5, 1.0, 1.0, 0.2, 1.0]
    choices = [Similarity().choose(5, scores, Stay(False), 3, EpisodeSeeds(seed, "e")) for seed in range(300)]
    assert choices == [Similarity().choose(5, scores, Stay(False), 3, EpisodeSeeds(seed, "e")) for seed in range(300)]
    counts = Counter(choices)
    assert set(counts) == {1, 2, 4} and min(counts.values()) > 70
    by_decision = {Similarity().choose(5, scores, Stay(False), decision, SEEDS) for decision in range(30)}
    assert by_decision == {1, 2, 4}


def test_uniform_draws_every_end_and_staying_only_where_it_is_a_choice() -> None:
    with_stay = Counter(Uniform().choose(4, (), Stay(True), 0, EpisodeSeeds(seed, "e")) for seed in range(500))
    assert set(with_stay) == {STAY, 0, 1, 2, 3} and min(with_stay.values()) > 60
    without = {Uniform().choose(4, (), Stay(False), 0, EpisodeSeeds(seed, "e")) for seed in range(200)}
    assert without == {0, 1, 2, 3}
