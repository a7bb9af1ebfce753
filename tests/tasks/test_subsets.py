"""The subset `mini`: 96 episodes, homes in turn, strata of distance balanced, the same for everybody."""

from __future__ import annotations

from collections import Counter
from typing import List, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from tasks.subsets import MINI_EPISODES, STRATA, mini, subset_name
from tasks.suite import load_suite
from tests.image_goals import changed, goal_of
from tests.planning.toy import toy_episode

TOY = toy_episode(0)
SHIPPED = [(tier, split) for tier in load_suite("embedded").tiers for split in ("validation", "test")]


def split_of(distances: Sequence[float], homes: int) -> List[Episode]:
    return [
        changed(TOY, id=f"e{number:03d}", home=f"home-{number % homes}", geodesic_m=distance)
        for number, distance in enumerate(distances)
    ]


def strata_counts(chosen: Sequence[Episode], all_of_them: Sequence[Episode]) -> List[int]:
    """Return how many chosen episodes lie in each quarter of all distances."""
    order = [e.id for e in sorted(all_of_them, key=lambda e: (goal_of(e).geodesic_m, e.id))]
    counts = Counter(order.index(e.id) * STRATA // len(order) for e in chosen)
    return [counts[k] for k in range(STRATA)]


@pytest.mark.parametrize(("tier", "split"), SHIPPED)
def test_the_shipped_tiers_have_a_balanced_subset(tier: str, split: str) -> None:
    episodes = load_suite("embedded").episodes(tier, split)
    chosen = mini(episodes)
    assert len(chosen) == MINI_EPISODES == len({e.id for e in chosen})
    counts = strata_counts(chosen, episodes)
    assert max(counts) - min(counts) <= 3, counts
    homes = Counter(e.home for e in chosen)
    assert max(homes.values()) - min(homes.values()) <= 1 and len(homes) == min(96, len({e.home for e in episodes}))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(1.5, 3.0), min_size=96, max_size=150), st.integers(1, 40), st.randoms())
def test_the_order_of_a_file_changes_the_order_alone(distances: List[float], homes: int, random: object) -> None:
    episodes = split_of(distances, homes)
    chosen = mini(episodes)
    assert len({e.id for e in chosen}) == MINI_EPISODES
    assert [e for e in episodes if e in chosen] == list(chosen)
    assert set(mini(episodes[::-1])) == set(chosen)


def test_what_leaves_the_file_takes_no_part() -> None:
    episodes = split_of([1.5 + 0.01 * k for k in range(120)], 30)
    assert all(e in episodes for e in mini(episodes))
    with pytest.raises(Refusal, match="95 episodes, fewer than the 96"):
        mini(episodes[:95])


def test_results_call_a_subset_by_its_name() -> None:
    assert subset_name(96, 400, "mini") == "mini"
    assert subset_name(400, 400, "all") == subset_name(400, 400, "400") == "all"
    assert subset_name(24, 400, "") == "24"
