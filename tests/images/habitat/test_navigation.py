"""Roofs, maps and refusals, on a pathfinder made of rectangles: islands of flat floor at given heights."""

from __future__ import annotations

import math
from typing import Any, List, Sequence, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.cameras import Vec3
from harness.contracts.errors import NotNavigable, Refusal
from images.habitat.navigation import WalkableArea, roof_islands, small_islands
from tests.images.habitat.rectangles import Island, RectanglePathfinder

FLOOR, UPSTAIRS, ROOF = Island(4.0, 2.0, 0.0), Island(3.0, 2.0, 2.6), Island(5.0, 3.0, 5.2)


def below(heights: Sequence[float]) -> Any:
    """Return a cover test: something lies above every point below one of ``heights``."""
    return lambda position: any(position[1] < height for height in heights)


def straight(start: Vec3, goal: Vec3) -> Tuple[float, List[Vec3]]:
    return math.dist(start, goal), [start, goal]


def navigation(islands: Sequence[Island], left_out: Sequence[int] = ()) -> WalkableArea:
    return WalkableArea(RectanglePathfinder(islands), straight, frozenset(left_out))


def test_the_uppermost_surface_of_a_house_is_its_roof() -> None:
    assert roof_islands(RectanglePathfinder([FLOOR, UPSTAIRS, ROOF]), below([5.2])) == {2}


def test_a_scene_that_is_open_everywhere_has_no_roofs() -> None:
    assert roof_islands(RectanglePathfinder([FLOOR, UPSTAIRS]), lambda _: False) == frozenset()


TABLE = Island(1.0, 1.0, 0.75)
YARD = Island(30.0, 20.0, 0.0)


def under(*slabs: Island) -> Any:
    """Return a cover test over whole scenes: something lies above a point that is below and inside one of ``slabs``."""

    def covered(position: Vec3) -> bool:
        x, y, z = position
        return any(y < s.y - 0.05 and 0.0 <= x <= s.size_x and 0.0 <= z <= s.size_z for s in slabs)

    return covered


@pytest.mark.parametrize(
    ("islands", "slabs"),
    [
        ([Island(9.7, 10.0, 0.0), Island(1.6, 1.5, 0.1)], [TABLE]),
        ([YARD, Island(2.0, 2.0, 0.2)], [TABLE]),
        ([Island(9.7, 10.0, 0.0), Island(2.0, 2.0, 0.9)], [Island(2.0, 2.0, 0.9)]),
    ],
    ids=["a covered hollow", "a yard with a shelter", "a table to stand on"],
)
def test_a_room_without_a_ceiling_counts_though_other_islands_are_covered(
    islands: Sequence[Island], slabs: Sequence[Island]
) -> None:
    assert 0 not in roof_islands(RectanglePathfinder(islands), under(*slabs))


def test_a_roof_that_is_larger_than_its_house_is_a_roof() -> None:
    """Its corners lie over the eaves, where nothing is below."""
    house, roof = Island(6.0, 6.0, 0.0), Island(9.0, 9.0, 3.0)
    assert roof_islands(RectanglePathfinder([house, roof]), under(roof)) == {1}


@settings(max_examples=60, deadline=None)
@given(
    floors=st.lists(st.tuples(st.floats(1.0, 30.0), st.floats(1.0, 30.0), st.floats(-9.0, 9.0)), min_size=1, max_size=5)
)
def test_the_lowest_floor_always_counts(floors: List[Tuple[float, float, float]]) -> None:
    islands = [Island(*floor) for floor in floors]
    lowest = min(range(len(islands)), key=lambda number: islands[number].y)
    assert lowest not in roof_islands(RectanglePathfinder(islands), under(*islands))


def test_a_floor_with_holes_in_its_ceiling_is_no_roof() -> None:
    assert roof_islands(RectanglePathfinder([FLOOR, ROOF]), lambda p: p[1] < 5.0 and p[0] > 1.0) == {1}


def test_the_hollow_of_a_sofa_is_no_place_to_live() -> None:
    pathfinder = RectanglePathfinder([FLOOR, Island(0.2, 1.0, 0.1)])
    assert small_islands(pathfinder, 1.0) == {1}
    assert small_islands(pathfinder, 0.1) == frozenset()


def test_in_a_scene_of_small_islands_all_count() -> None:
    assert small_islands(RectanglePathfinder([FLOOR]), 100.0) == frozenset()


def test_nobody_stands_on_a_roof() -> None:
    house = navigation([FLOOR, ROOF], [1])
    assert house.is_navigable((1.0, 0.0, 1.0))
    assert not house.is_navigable((1.0, 5.2, 1.0))
    assert house.geodesic_distance((1.0, 5.2, 1.0), (2.0, 5.2, 1.0)) == math.inf
    assert house.area_m2 == pytest.approx(8.0)


def test_a_map_shows_one_storey_and_no_roof() -> None:
    house = navigation([FLOOR, UPSTAIRS, ROOF], [2])
    ground, upstairs = house.top_down_map(0.0), house.top_down_map(2.6)
    assert ground.walkable.sum() * ground.cell_m**2 == pytest.approx(8.0, rel=0.05)
    assert upstairs.walkable.sum() * upstairs.cell_m**2 == pytest.approx(6.0, rel=0.05)
    assert not house.top_down_map(5.2).walkable.any()


def test_the_map_s_cells_lie_around_the_points_that_were_asked() -> None:
    assert navigation([FLOOR]).top_down_map(0.0).origin == pytest.approx((-0.025, -0.025))


@pytest.mark.parametrize("position", [(math.nan, 0.0, 1.0), (1.0, math.inf, 1.0), (9.0, 0.0, 1.0), (1.0, 0.4, 1.0)])
def test_places_off_the_floor_are_not_navigable(position: Vec3) -> None:
    house = navigation([FLOOR])
    assert not house.is_navigable(position)
    with pytest.raises(NotNavigable, match=r"the goal .* of scene 'x' is not navigable"):
        house.check(position, "goal", "scene 'x'")


def test_without_a_way_there_is_no_path() -> None:
    house = WalkableArea(RectanglePathfinder([FLOOR]), lambda start, goal: (math.inf, []), frozenset())
    with pytest.raises(NotNavigable, match="no way leads"):
        house.shortest_path((1.0, 0.0, 1.0), (2.0, 0.0, 1.0))


def test_a_scene_of_nothing_but_roofs_is_refused() -> None:
    with pytest.raises(Refusal, match="no walkable area"):
        navigation([ROOF], [0])
