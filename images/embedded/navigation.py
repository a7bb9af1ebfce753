"""Where the body can stand, and how far it has to walk.

The walkable area is read off the mesh, as a navigation mesh would be: a grid of 0.05 m whose cells have a floor
and nothing between 0.12 m and 1.5 m, eroded by the body's radius, largest connected part. Distances are lengths of
real walkable paths: a shortest path on the grid with 16 directions, pulled tight.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from harness.contracts.actions import Action
from harness.contracts.cameras import Vec3
from harness.contracts.errors import NotNavigable
from harness.contracts.observations import ShortestPath, TopDownMap
from images.embedded import grid
from images.embedded.cameras import HEADING_STEP_DEG, HEADINGS, heading_sincos
from images.embedded.mesh import Home
from images.embedded.motion import Body, move, standable

CELL_M = 0.05
AGENT_RADIUS_M = 0.18
STEP_HEIGHT_M = 0.12
"""What rises less than this is stepped over (rugs, sills)."""

AGENT_HEIGHT_M = 1.5
"""What hangs higher than this is walked under."""

_FLOOR_TOLERANCE_M = 0.3
_BORDER_CELLS = 2
_FIELDS_KEPT = 16


class Navigator:
    """The walkable area of one home and the questions about it. Positions are (x, y, z) with y = 0 on the floor."""

    def __init__(self, home: Home) -> None:
        corners = home.positions.astype(np.float64)[home.faces]
        self._frame, shape = _grid_frame(corners)
        self.walkable = _walkable_area(corners, self._frame, shape)
        self._cells = np.flatnonzero(self.walkable)
        self._graph = _grid_graph(self.walkable)
        self._fields: OrderedDict[Tuple[int, int], npt.NDArray[np.float64]] = OrderedDict()
        self._points = np.empty((self.walkable.size + 2, 2))

    @property
    def area_m2(self) -> float:
        """The walkable area in square metres."""
        return len(self._cells) * CELL_M * CELL_M

    @property
    def origin(self) -> Tuple[float, float]:
        """The (x, z) of the corner of the grid's first cell in metres."""
        return self._frame[0], self._frame[1]

    def is_navigable(self, position: Vec3) -> bool:
        """Say whether the body can stand at ``position``."""
        x, y, z = position
        if not (math.isfinite(x) and math.isfinite(z) and abs(y) <= _FLOOR_TOLERANCE_M):
            return False
        return bool(standable(self.walkable, *self._frame, float(x), float(z)))

    def sample(self, generator: np.random.Generator) -> Vec3:
        """Return a position drawn uniformly from the walkable area (inside a cell, off its edges)."""
        cell = int(self._cells[int(generator.integers(len(self._cells)))])
        row, column = divmod(cell, self.walkable.shape[1])
        x = self._frame[0] + (column + 0.1 + 0.8 * float(generator.random())) * CELL_M
        z = self._frame[1] + (row + 0.1 + 0.8 * float(generator.random())) * CELL_M
        return (x, 0.0, z)

    def move(self, body: Body, action: Action) -> Tuple[Body, bool]:
        """Return (body after ``action``, collided)."""
        return move(body, action, self.walkable, self.origin, CELL_M)

    def distance_field(self, goal: Vec3) -> npt.NDArray[np.float64]:
        """Return the grid distance in metres of every cell to the goal's cell (infinite off the walkable area).

        Kept for the latest goals; up to 2.8 % above the true distance, which ``geodesic_distance`` corrects.
        """
        row, column = self._cell(goal)
        if (row, column) not in self._fields:
            node = row * self.walkable.shape[1] + column
            distances = dijkstra(self._graph, directed=True, indices=node).reshape(self.walkable.shape)
            self._fields[row, column] = distances * CELL_M
            if len(self._fields) > _FIELDS_KEPT:
                self._fields.popitem(last=False)
        self._fields.move_to_end((row, column))
        return self._fields[row, column]

    def geodesic_distance(self, start: Vec3, goal: Vec3) -> float:
        """Return the walkable distance in metres; infinity where an end is not navigable."""
        if not (self.is_navigable(start) and self.is_navigable(goal)):
            return math.inf
        return self._tight_path(start, goal)[1]

    def shortest_path(self, start: Vec3, goal: Vec3) -> ShortestPath:
        """Return a shortest walkable path, both ends included; raise NotNavigable for an end off the area."""
        self.check(start, "start")
        self.check(goal, "goal")
        count, length = self._tight_path(start, goal)
        return ShortestPath(length, tuple((float(x), 0.0, float(z)) for x, z in self._points[:count]))

    def reference_actions(self, start: Vec3, start_yaw_deg: float, goal: Vec3, radius_m: float) -> int:
        """Return the length of a shortest action sequence to within ``radius_m`` of geodesic distance of ``goal``.

        Forwards and turns count one each, a stop counts nothing, 0 means that the start is near enough. Found by
        breadth-first search over the exact motion, sliding included; states in the same 0.05 m cell with the same
        heading are merged (the first found stands for all), so the sequence is real and the length at most a little
        above the true minimum. Raises NotNavigable where an end is off the area or no sequence leads there.
        """
        self.check(start, "start")
        self.check(goal, "goal")
        yaws = [start_yaw_deg + HEADING_STEP_DEG * index for index in range(HEADINGS)]
        directions = np.array([(-sine, -cosine) for sine, cosine in map(heading_sincos, yaws)])
        field = self.distance_field(goal)
        count = grid.shortest_actions(
            self.walkable, field, self._frame, start[0], start[2], 0, directions, goal[0], goal[2], radius_m
        )
        if count < 0:
            raise NotNavigable(f"no action sequence leads from {start} to within {radius_m} m of {goal}.")
        return int(count)

    def top_down_map(self) -> TopDownMap:
        """Return the walkable area as an image."""
        return TopDownMap(self.walkable.copy(), self.origin, CELL_M)

    def check(self, position: Vec3, role: str, where: str = "this home") -> None:
        """Raise NotNavigable, naming the position, its ``role`` and ``where``, unless the body can stand there."""
        if not self.is_navigable(position):
            x, y, z = position
            raise NotNavigable(
                f"the {role} ({x:.3f}, {y:.3f}, {z:.3f}) of {where} is not navigable.",
                "Choose a position on the walkable area (top_down_map shows it).",
            )

    def _cell(self, position: Vec3) -> Tuple[int, int]:
        row = math.floor((position[2] - self._frame[1]) / CELL_M)
        return row, math.floor((position[0] - self._frame[0]) / CELL_M)

    def _tight_path(self, start: Vec3, goal: Vec3) -> Tuple[int, float]:
        field = self.distance_field(goal)
        count, length = grid.walking_distance(
            self.walkable, field, self._frame, start[0], start[2], goal[0], goal[2], self._points
        )
        return int(count), float(length)


def _grid_frame(corners: npt.NDArray[np.float64]) -> Tuple[Tuple[float, float, float], Tuple[int, int]]:
    """Return ((origin x, origin z, cell), (rows, columns)) of a grid around everything at floor height."""
    low = np.abs(corners[:, :, 1]).max(axis=1) <= STEP_HEIGHT_M
    floor = corners[low].reshape(-1, 3)
    if len(floor) == 0:
        raise NotNavigable("the home has no floor at height 0.")
    first = np.floor(floor.min(axis=0) / CELL_M).astype(np.int64) - _BORDER_CELLS
    last = np.floor(floor.max(axis=0) / CELL_M).astype(np.int64) + _BORDER_CELLS
    frame = (float(first[0]) * CELL_M, float(first[2]) * CELL_M, CELL_M)
    return frame, (int(last[2] - first[2]) + 1, int(last[0] - first[0]) + 1)


def _walkable_area(
    corners: npt.NDArray[np.float64], frame: Tuple[float, float, float], shape: Tuple[int, int]
) -> npt.NDArray[np.bool_]:
    blocked = np.zeros(shape, np.bool_)
    floor = np.zeros(shape, np.bool_)
    grid.mark_obstacles(corners, STEP_HEIGHT_M, AGENT_HEIGHT_M, frame, blocked)
    grid.mark_floor(corners, STEP_HEIGHT_M, frame, floor)
    clearance = ndimage.distance_transform_edt(floor & ~blocked) * CELL_M
    parts, count = ndimage.label(clearance > AGENT_RADIUS_M)
    if count == 0:
        raise NotNavigable("the home has no walkable area.")
    largest = int(np.bincount(parts.ravel())[1:].argmax()) + 1
    area: npt.NDArray[np.bool_] = parts == largest
    return area


def _grid_graph(walkable: npt.NDArray[np.bool_]) -> csr_matrix:
    most = int(walkable.sum()) * len(grid.MOVES)
    sources, targets, lengths = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most)
    count = grid.grid_edges(walkable, sources, targets, lengths)
    return csr_matrix((lengths[:count], (sources[:count], targets[:count])), (walkable.size, walkable.size))
