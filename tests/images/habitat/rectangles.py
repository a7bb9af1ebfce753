"""A pathfinder made of rectangles: islands of flat floor at given heights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Sequence, Tuple

import numpy as np


@dataclass(frozen=True)
class Island:
    """A rectangle of floor: x and z from 0 to its size, at height y."""

    size_x: float
    size_z: float
    y: float


class RectanglePathfinder:
    """The part of the simulator's pathfinder that Navigation asks, over islands one above the other."""

    is_loaded = True

    def __init__(self, islands: Sequence[Island]) -> None:
        self._islands = list(islands)
        self.num_islands = len(islands)

    def island_area(self, island: int) -> float:
        return self._islands[island].size_x * self._islands[island].size_z

    def build_navmesh_vertices(self, island: int) -> List[Any]:
        one = self._islands[island]
        return [np.array((x, one.y, z)) for x in (0.0, one.size_x) for z in (0.0, one.size_z)]

    def get_island(self, point: Any) -> int:
        return int(np.argmin([abs(point[1] - island.y) for island in self._islands]))

    def is_navigable(self, point: Any, tolerance: float) -> bool:
        one = self._islands[self.get_island(point)]
        inside = 0.0 <= point[0] <= one.size_x and 0.0 <= point[2] <= one.size_z
        return inside and abs(float(point[1]) - one.y) <= tolerance

    def get_bounds(self) -> Tuple[Any, Any]:
        return np.zeros(3), np.array([max(i.size_x for i in self._islands), 9.0, max(i.size_z for i in self._islands)])

    def get_topdown_island_view(self, cell: float, height: float, tolerance: float) -> Any:
        _, high = self.get_bounds()
        rows, columns = int(high[2] / cell), int(high[0] / cell)
        view = np.full((rows, columns), -1)
        island = self.get_island((0.0, height, 0.0))
        one = self._islands[island]
        if abs(height - one.y) <= tolerance:
            view[: int(one.size_z / cell) + 1, : int(one.size_x / cell) + 1] = island
        return view
