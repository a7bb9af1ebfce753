"""Algorithm 1: far points, apart from each other, nearest first; and the published code's variant."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.collecting import waypoints
from harness.collecting.waypoints import PRUNE_MM, FarPoints, Grid, UpstreamPoints, leaf_scores, pruned_leaves
from harness.contracts.observations import TopDownMap
from tests.collecting.toy import CELL_M, two_rooms


@functools.cache
def grid(rows: int = 240, columns: int = 320) -> Grid:
    return Grid.of(TopDownMap(two_rooms(rows, columns), (0.0, 0.0), CELL_M))


@st.composite
def point_sets(draw: st.DrawFn) -> np.ndarray:  # type: ignore[type-arg]
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    return grid(120, 160).sample(draw(st.integers(2, 80)), generator)


@given(point_sets())
@settings(max_examples=25, deadline=None)
def test_waypoints_are_far_points_and_apart(points: np.ndarray) -> None:  # type: ignore[type-arg]
    distances = grid(120, 160).ways.between(points)
    chosen = pruned_leaves(distances)
    scores = leaf_scores(distances)
    leaves = math.ceil(0.08 * len(points))
    least = np.sort(scores)[::-1][leaves - 1]
    assert 1 <= len(chosen) <= leaves
    assert (scores[chosen] >= least).all() and scores[chosen[0]] == scores.max()
    between = distances[np.ix_(chosen, chosen)] + np.where(np.eye(len(chosen)), PRUNE_MM, 0)
    assert (between >= PRUNE_MM).all()
    for point in np.argsort(-scores, kind="stable")[:leaves]:
        assert point in chosen or (distances[point, chosen] < PRUNE_MM).any()


@given(point_sets())
@settings(max_examples=25, deadline=None)
def test_scores_are_eccentricity_and_mean_distance(points: np.ndarray) -> None:  # type: ignore[type-arg]
    distances = grid(120, 160).ways.between(points)
    expected = distances.max(axis=1) + 1.7 * distances.mean(axis=1)
    np.testing.assert_allclose(leaf_scores(distances) / (10 * len(points)), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_paper_walks_to_the_nearest_unvisited_waypoint(seed: int) -> None:
    home = grid(120, 160)
    tour = FarPoints(home, np.random.default_rng(seed))
    body = (20, 20)
    seen: list[tuple[int, int]] = []
    for _ in range(5):
        goal = tour.following(body)
        away = home.from_cell(body)
        left = [away[row, column] for row, column in tour._waypoints]
        assert away[goal] == min(left) and away[goal] >= PRUNE_MM
        tour.arrived(goal)
        seen, body = [*seen, goal], goal
    assert len(set(seen)) >= 3


def test_the_sample_has_the_papers_size(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    real = Grid.sample

    def sample(self: Grid, count: int, generator: np.random.Generator) -> np.ndarray:  # type: ignore[type-arg]
        counts.append(count)
        return real(self, min(count, 50), generator)

    monkeypatch.setattr(Grid, "sample", sample)
    for rows, columns in ((120, 160), (480, 640)):
        home = grid(rows, columns)
        FarPoints(home, np.random.default_rng(0)).following((20, 20))
        UpstreamPoints(home, np.random.default_rng(0)).following((20, 20))
        area = home.area_m2
        assert counts[-2] == max(1400, math.floor(4 * area))
        assert counts[-1] == min(1400, math.floor(4 * area))
    assert waypoints.UPSTREAM_MOST_POINTS == 1400


def test_the_published_code_goes_about_two_metres() -> None:
    home = grid()
    tour = UpstreamPoints(home, np.random.default_rng(1))
    body = (40, 40)
    for _ in range(4):
        goal = tour.following(body)
        away = home.from_cell(body)
        leaves = tour._points[pruned_leaves(tour._distances)]
        off = [abs(int(away[row, column]) - 2000) for row, column in leaves]
        assert abs(int(away[goal]) - 2000) == min(off)
        assert all(away[row, column] > 500 for row, column in tour._points)
        tour.arrived(goal)
        body = goal


@pytest.mark.parametrize("tour_class", (FarPoints, UpstreamPoints))
def test_a_small_room_still_has_somewhere_to_go(tour_class: type) -> None:
    small = np.zeros((30, 30), np.bool_)
    small[3:27, 3:27] = True
    tour = tour_class(Grid.of(TopDownMap(small, (0.0, 0.0), CELL_M)), np.random.default_rng(0))
    body = (3, 3)
    for _ in range(6):
        goal = tour.following(body)
        tour.arrived(goal)
        body = goal
