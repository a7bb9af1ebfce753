"""The walkable area of the open scene: the simulator's navmesh, less what no body should stand on.

A navmesh covers every surface that a body could stand on, roofs and the hollows of furniture included, in islands that
no way connects. Left out are roofs, which are islands with open sky over most of them in a scene where others are
covered, and islands too small to live on. The mesh's own functions move a position that is off it to the nearest place
on it; here such a position has no distance.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, FrozenSet, List, Tuple

import numpy as np

from harness.contracts.cameras import Vec3
from harness.contracts.errors import NotNavigable, Refusal
from harness.contracts.observations import ShortestPath, TopDownMap

FLOOR_TOLERANCE_M = 0.3
"""How far above or below the navmesh a position may be; less than a step of stairs, more than the mesh's own lift."""

MAP_CELL_M = 0.05

FindPath = Callable[[Vec3, Vec3], Tuple[float, List[Vec3]]]

_COVER_SAMPLES = 64
_LEAST_COVER = 0.5


class Navigation:
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
        islands = set(range(self._pathfinder.num_islands)) - self.left_out
        return float(sum(self._pathfinder.island_area(island) for island in islands))

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


def roof_islands(pathfinder: Any, covered: Callable[[Vec3], bool]) -> FrozenSet[int]:
    """Return the islands of a navmesh that are roofs; none in a scene that is open everywhere."""
    shares = {island: _cover(pathfinder, island, covered) for island in range(pathfinder.num_islands)}
    roofs = frozenset(island for island, share in shares.items() if share < _LEAST_COVER)
    return roofs if len(roofs) < len(shares) else frozenset()


def small_islands(pathfinder: Any, least_m2: float) -> FrozenSet[int]:
    """Return the islands of a navmesh below ``least_m2``; none where all of them are."""
    islands = range(pathfinder.num_islands)
    small = frozenset(island for island in islands if pathfinder.island_area(island) < least_m2)
    return small if len(small) < len(islands) else frozenset()


def _cover(pathfinder: Any, island: int, covered: Callable[[Vec3], bool]) -> float:
    """Return the share of an island that has something above it, judged at corners of its mesh spread over it."""
    corners = pathfinder.build_navmesh_vertices(island)
    chosen = corners[:: max(1, len(corners) // _COVER_SAMPLES)]
    return sum(covered((float(p[0]), float(p[1]), float(p[2]))) for p in chosen) / max(1, len(chosen))
