"""The walkable area of the open scene: the simulator's navmesh, less what no body should stand on.

A navmesh covers every surface that a body could stand on, roofs and the hollows of furniture included, in islands that
no way connects. Left out are roofs, which are islands with open sky over most of them and a storey below at least a
quarter of them, and islands too small to live on. A room without a ceiling has open sky as well, but nothing below: it
counts. The mesh's own functions move a position that is off it to the nearest place on it; here such a position has no
distance.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.cameras import Vec3
from harness.contracts.errors import NotNavigable, Refusal
from harness.contracts.observations import ShortestPath, TopDownMap

FLOOR_TOLERANCE_M = 0.3
"""How far above or below the navmesh a position may be; less than a step of stairs, more than the mesh's own lift."""

MAP_CELL_M = 0.05

FindPath = Callable[[Vec3, Vec3], Tuple[float, List[Vec3]]]

LEAST_STOREY_M = 1.8
"""How far below a roof its storey lies at least: no room is lower, and no table or loft bed stands as high."""

_SAMPLES_A_SIDE = 10
_LEAST_COVER = 0.5
_LEAST_BELOW = 0.25
"""Of a roof's places, how many have a storey straight below: eaves, walls and furniture take the rest."""

_SLOPE_M = 1.0
"""How far a sloping island may be from the height of its nearest corner."""


class WalkableArea:
    """Questions about the walkable area of one scene.

    ``pathfinder`` is the simulator's; ``find_path`` returns length and corners of a shortest way between two places on
    it; ``left_out`` are the numbers of the islands that do not count.
    """

    def __init__(self, pathfinder: Any, find_path: FindPath, left_out: FrozenSet[int]) -> None:
        if not pathfinder.is_loaded or not set(range(pathfinder.num_islands)) - left_out:
            raise Refusal("the scene has no walkable area.", "Check the scene's axes and the navmesh settings.")
        self._pathfinder = pathfinder
        self._find_path = find_path
        self.left_out = left_out
        self._maps: Dict[int, TopDownMap] = {}

    @property
    def area_m2(self) -> float:
        """The walkable area in square metres."""
        return area_of(self._pathfinder, set(range(self._pathfinder.num_islands)) - self.left_out)

    def is_navigable(self, position: Vec3) -> bool:
        """Say whether the body can stand at ``position``."""
        if not all(math.isfinite(value) for value in position):
            return False
        point = np.array(position, np.float32)
        if not self._pathfinder.is_navigable(point, FLOOR_TOLERANCE_M):
            return False
        return self._pathfinder.get_island(point) not in self.left_out

    def check(self, position: Vec3, role: str, where: str) -> None:
        """Raise NotNavigable, naming the position, its ``role`` and ``where``, unless the body can stand there."""
        if not self.is_navigable(position):
            x, y, z = position
            raise NotNavigable(
                f"the {role} ({x:.3f}, {y:.3f}, {z:.3f}) of {where} is not navigable.",
                "Choose a position on the walkable area (top_down_map shows it).",
            )

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        """Return the walkable distance in metres; infinity where an end is not navigable or there is no way."""
        if not (self.is_navigable(start) and self.is_navigable(goal)):
            return math.inf
        return self._find_path(start, goal)[0]

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        """Return a shortest walkable path; raise NotNavigable where there is none."""
        for position, role in ((start, "start"), (goal, "goal")):
            self.check(position, role, "this scene")
        length, points = self._find_path(start, goal)
        if not math.isfinite(length):
            raise NotNavigable(f"no way leads from {start} to {goal}.")
        return ShortestPath(length, tuple(points))

    def top_down_map(self, height_m: float) -> TopDownMap:
        """Return the walkable area on the storey whose floor is at ``height_m``."""
        storey = round(height_m / FLOOR_TOLERANCE_M)
        if storey not in self._maps:
            islands = self._pathfinder.get_topdown_island_view(MAP_CELL_M, height_m, FLOOR_TOLERANCE_M)
            walkable = (islands >= 0) & ~np.isin(islands, list(self.left_out))
            corner = self._pathfinder.get_bounds()[0]
            # the simulator asks at points a cell apart from the corner on: those are the centres of our cells
            origin = (float(corner[0]) - MAP_CELL_M / 2.0, float(corner[2]) - MAP_CELL_M / 2.0)
            self._maps[storey] = TopDownMap(np.ascontiguousarray(walkable), origin, MAP_CELL_M)
        return self._maps[storey]


def roof_islands(
    pathfinder: Any, covered: Callable[[Vec3], bool], among: Optional[Sequence[int]] = None
) -> FrozenSet[int]:
    """Return the islands of a navmesh that are roofs: open sky over most of them, a storey below a quarter or more.

    ``covered`` says whether anything of the scene lies above a place; ``among`` are the islands in question (None:
    all). The lowest island is never one, so something always counts.
    """
    asked = range(pathfinder.num_islands) if among is None else among
    corners = {island: _corners(pathfinder, island) for island in range(pathfinder.num_islands)}
    roofs = []
    for island in asked:
        places = _places(pathfinder, island, corners[island])
        if _share(covered, places) >= _LEAST_COVER:
            continue
        heights = sorted({_rounded(p[1]) for other, found in corners.items() if other != island for p in found})
        below = partial(_storey_below, pathfinder, island, heights, covered)
        if _share(below, places) >= _LEAST_BELOW:
            roofs.append(island)
    return frozenset(roofs)


def small_islands(pathfinder: Any, least_m2: float) -> FrozenSet[int]:
    """Return the islands of a navmesh below ``least_m2``; none where all of them are."""
    islands = range(pathfinder.num_islands)
    small = frozenset(island for island in islands if pathfinder.island_area(island) < least_m2)
    return small if len(small) < len(islands) else frozenset()


def area_of(pathfinder: Any, islands: Iterable[int]) -> float:
    """Return the area of islands in square metres."""
    return float(sum(pathfinder.island_area(island) for island in sorted(islands)))


def _storey_below(
    pathfinder: Any, island: int, heights: Sequence[float], covered: Callable[[Vec3], bool], place: Vec3
) -> bool:
    """Say whether one can stand under cover on another island straight below ``place``, at one of ``heights``."""
    x, y, z = place
    for height in heights:
        if height > y - LEAST_STOREY_M:
            return False
        point = np.array((x, height, z), np.float32)
        if not pathfinder.is_navigable(point, FLOOR_TOLERANCE_M) or pathfinder.get_island(point) == island:
            continue
        if covered((x, height, z)):
            return True
    return False


def _places(pathfinder: Any, island: int, corners: Sequence[Vec3]) -> List[Vec3]:
    """Return places spread evenly over an island; its corners where it is too thin for that.

    Corners alone would not do: those of a roof lie over its eaves, with no storey below.
    """
    if not corners:
        return []
    points = np.array(corners)
    low, high = points.min(axis=0), points.max(axis=0)
    steps = (np.arange(_SAMPLES_A_SIDE) + 0.5) / _SAMPLES_A_SIDE
    found: List[Vec3] = []
    for x in low[0] + steps * (high[0] - low[0]):
        for z in low[2] + steps * (high[2] - low[2]):
            near = int(np.argmin((points[:, 0] - x) ** 2 + (points[:, 2] - z) ** 2))
            point = np.array((x, points[near, 1], z), np.float32)
            if pathfinder.is_navigable(point, _SLOPE_M) and pathfinder.get_island(point) == island:
                found.append((float(x), float(points[near, 1]), float(z)))
    return found or list(corners)


def _corners(pathfinder: Any, island: int) -> List[Vec3]:
    return [(float(p[0]), float(p[1]), float(p[2])) for p in pathfinder.build_navmesh_vertices(island)]


def _share(holds: Callable[[Vec3], bool], places: Sequence[Vec3]) -> float:
    return sum(holds(place) for place in places) / max(1, len(places))


def _rounded(height: float) -> float:
    return round(height / FLOOR_TOLERANCE_M) * FLOOR_TOLERANCE_M
