"""The walkable area and its distances, against the known geometry of the tiny home."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from harness.contracts.errors import NotNavigable
from harness.contracts.seeds import generator
from images.embedded.navigation import AGENT_RADIUS_M, CELL_M, Navigator
from tests.images.embedded.tiny_home import BOXES, DEPTH, GAP_Z, LENGTH, WALL_X, tiny_home


@pytest.fixture(scope="module")
def navigator() -> Navigator:
    return Navigator(tiny_home())


OBSTACLES = [box for name, _, _, box in BOXES if name not in ("rug", "picture")]


def clearance(x: float, z: float) -> float:
    """Return the distance of a floor point to the nearest wall or obstacle."""
    gaps = [x, LENGTH - x, z, DEPTH - z]
    for x0, _, z0, x1, _, z1 in OBSTACLES:
        gaps.append(math.hypot(max(x0 - x, 0.0, x - x1), max(z0 - z, 0.0, z - z1)))
    return min(gaps)


def test_the_walkable_area_is_the_floor_less_obstacles_and_radius(navigator: Navigator) -> None:
    draws = np.random.default_rng(3)
    for x, z in draws.uniform((-0.5, -0.5), (LENGTH + 0.5, DEPTH + 0.5), (3000, 2)):
        inside = 0.0 < x < LENGTH and 0.0 < z < DEPTH
        free = clearance(x, z) if inside else -1.0
        if navigator.is_navigable((x, 0.0, z)):
            assert free > AGENT_RADIUS_M - 1.5 * CELL_M
        else:
            assert free < AGENT_RADIUS_M + 2.0 * CELL_M


def test_rugs_are_walked_on_and_tables_are_not_walked_under(navigator: Navigator) -> None:
    assert navigator.is_navigable((5.7, 0.0, 1.7))
    assert not navigator.is_navigable((2.0, 0.0, 0.3))


def test_what_hangs_high_is_walked_under() -> None:
    home = tiny_home()
    lifted = home.positions.copy()
    table = np.unique(home.faces[home.face_object == 10])
    lifted[table, 1] += 1.0
    assert Navigator(dataclasses.replace(home, positions=lifted)).is_navigable((2.0, 0.0, 0.3))


@pytest.mark.parametrize("position", [(-3.0, 0.0, 1.0), (1.0, 1.0, 3.0), (math.nan, 0.0, 1.0), (1e9, 0.0, 1e9)])
def test_places_off_the_floor_are_not_navigable(navigator: Navigator, position: tuple[float, float, float]) -> None:
    assert not navigator.is_navigable(position)


def test_samples_are_seeded_and_navigable(navigator: Navigator) -> None:
    first = [navigator.sample(generator(0, "tiny", -1, k, "goal")) for k in range(100)]
    again = [navigator.sample(generator(0, "tiny", -1, k, "goal")) for k in range(100)]
    assert first == again
    assert all(navigator.is_navigable(position) for position in first)
    assert len(set(first)) == 100


def test_distance_in_plain_sight_is_the_straight_line(navigator: Navigator) -> None:
    assert navigator.geodesic_distance((1.0, 0.0, 3.0), (3.0, 0.0, 1.5)) == pytest.approx(2.5, abs=1e-12)


def test_distance_through_the_doorway(navigator: Navigator) -> None:
    """A disc of the body's radius rolls around both edges of the door post: tangents, arcs, the post's thickness."""
    start, goal = (3.0, 0.0, 0.9), (5.0, 0.0, 0.9)
    along, across = WALL_X[0] - start[0], GAP_Z[0] - start[2]
    reach = math.hypot(along, across)
    tangent = math.sqrt(reach * reach - AGENT_RADIUS_M * AGENT_RADIUS_M)
    arc = AGENT_RADIUS_M * (math.atan2(across, along) + math.asin(AGENT_RADIUS_M / reach))
    true = 2.0 * (tangent + arc) + WALL_X[1] - WALL_X[0]
    assert true * 0.99 < navigator.geodesic_distance(start, goal) < true * 1.03


def test_distances_are_nearly_symmetric_and_never_below_the_straight_line(navigator: Navigator) -> None:
    draws = np.random.default_rng(1)
    for _ in range(60):
        a, b = navigator.sample(draws), navigator.sample(draws)
        there, back = navigator.geodesic_distance(a, b), navigator.geodesic_distance(b, a)
        assert there == pytest.approx(back, rel=0.03)
        assert there >= math.hypot(a[0] - b[0], a[2] - b[2]) - 1e-9


def test_a_path_leads_from_start_to_goal_over_walkable_ground(navigator: Navigator) -> None:
    start, goal = (1.0, 0.0, 3.0), (6.0, 0.0, 2.8)
    path = navigator.shortest_path(start, goal)
    assert path.points[0] == start and path.points[-1] == goal
    pieces = list(zip(path.points, path.points[1:]))
    assert path.length_m == pytest.approx(sum(math.dist(a, b) for a, b in pieces))
    assert path.length_m == navigator.geodesic_distance(start, goal)
    for a, b in pieces:
        for share in np.linspace(0.0, 1.0, 50):
            assert navigator.is_navigable((a[0] + share * (b[0] - a[0]), 0.0, a[2] + share * (b[2] - a[2])))


def test_ends_off_the_area(navigator: Navigator) -> None:
    off, on = (0.1, 0.0, 0.1), (1.0, 0.0, 3.0)
    assert navigator.geodesic_distance(off, on) == math.inf
    with pytest.raises(NotNavigable, match=r"goal \(0\.100, 0\.000, 0\.100\)"):
        navigator.shortest_path(on, off)
    with pytest.raises(NotNavigable, match="start"):
        navigator.reference_actions(off, 0.0, on, 0.5)


def test_the_distance_field_is_zero_at_the_goal_and_close_to_the_distance(navigator: Navigator) -> None:
    goal = (1.0, 0.0, 3.0)
    field = navigator.distance_field(goal)
    assert field.min() == 0.0
    assert navigator.distance_field(goal) is field
    assert np.isinf(field[~navigator.walkable]).all()
    draws = np.random.default_rng(2)
    origin_x, origin_z = navigator.top_down_map().origin
    for _ in range(50):
        x, y, z = navigator.sample(draws)
        cell = field[math.floor((z - origin_z) / CELL_M), math.floor((x - origin_x) / CELL_M)]
        distance = navigator.geodesic_distance((x, y, z), goal)
        assert abs(cell - distance) < 0.03 * distance + 1.5 * CELL_M


@pytest.mark.parametrize(
    ("yaw", "actions"),
    [(90.0, 4), (67.5, 5), (-90.0, 12), (112.5, 5), (83.0, 4)],
)
def test_reference_actions_in_the_open(navigator: Navigator, yaw: float, actions: int) -> None:
    """1.25 m straight to the left, radius 0.5 m: four forwards, and the turns that face it first."""
    assert navigator.reference_actions((3.0, 0.0, 3.0), yaw, (1.75, 0.0, 3.0), 0.5) == actions


def test_no_action_is_needed_within_the_radius(navigator: Navigator) -> None:
    assert navigator.reference_actions((3.0, 0.0, 3.0), 0.0, (2.6, 0.0, 3.0), 0.5) == 0


def test_a_small_island_is_left_out() -> None:
    home = tiny_home()
    faces = home.face_object
    closed = home.positions.copy()
    first_wall = np.unique(home.faces[faces == 7])
    edge = first_wall[closed[first_wall, 2] > GAP_Z[0] - 1e-3]
    closed[edge, 2] = GAP_Z[1]
    navigator = Navigator(dataclasses.replace(home, positions=closed))
    sides = {navigator.is_navigable((2.5, 0.0, 2.0)), navigator.is_navigable((5.5, 0.0, 2.0))}
    assert sides == {True, False}
