"""Where a trajectory goes: far points of the walkable area, one after the other (Algorithm 1 of arXiv 2510.18135).

Points are sampled uniformly; those far from all others (eccentricity + 1.7 × mean geodesic distance, the top 8 %) are
leaves; of leaves within 3 m of each other the farthest stays. These are the waypoints. All distances are geodesic, in
whole millimetres on a grid of 0.1 m, so that scores are exact and equal everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Tuple

import numpy as np
import numpy.typing as npt

from harness.collecting.distance_fields import FAR, Ways, halved
from harness.contracts.observations import TopDownMap

LEAST_POINTS = 1400
POINTS_PER_M2 = 4
LEAF_PERCENT = 8
PRUNE_MM = 3000
"""Leaves nearer than this to a better one are dropped, and waypoints nearer than this to the body count as visited."""

UPSTREAM_MOST_POINTS = 1400
UPSTREAM_AWAY_MM = 2000
UPSTREAM_DROP_MM = 500
UPSTREAM_LEAST_LEAVES = 3

Cell = Tuple[int, int]
Distances = npt.NDArray[np.int32]


def leaf_scores(distances: Distances) -> npt.NDArray[np.int64]:
    """Return (eccentricity + 1.7 × mean distance) × 10 n of each point, from distances [n, n]: whole numbers."""
    count = len(distances)
    wide = distances.astype(np.int64)
    scores: npt.NDArray[np.int64] = 10 * count * wide.max(axis=1) + 17 * wide.sum(axis=1)
    return scores


def pruned_leaves(distances: Distances, least_apart_mm: int = PRUNE_MM) -> npt.NDArray[np.int64]:
    """Return the waypoints among points with ``distances`` [n, n], best first; equal scores in the points' order."""
    count = math.ceil(len(distances) * LEAF_PERCENT / 100)
    leaves = np.argsort(-leaf_scores(distances), kind="stable")[:count]
    kept: list[int] = []
    for leaf in leaves.tolist():
        if all(distances[leaf, other] >= least_apart_mm for other in kept):
            kept.append(leaf)
    return np.array(kept, np.int64)


@dataclass(frozen=True, eq=False)
class Grid:
    """A walkable map as waypoints use it: cells of about 0.1 m."""

    ways: Ways
    cells: npt.NDArray[np.int64]
    area_m2: float

    @classmethod
    def of(cls, top_down: TopDownMap) -> Grid:
        """Return the grid of a map."""
        coarse = halved(top_down.walkable)
        area = int(top_down.walkable.sum()) * top_down.cell_m * top_down.cell_m
        return cls(Ways.of(coarse, round(2000 * top_down.cell_m)), np.argwhere(coarse), area)

    def sample(self, count: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return ``count`` walkable cells [n, 2], drawn uniformly."""
        return self.cells[generator.integers(len(self.cells), size=count)]

    def from_cell(self, cell: Cell) -> npt.NDArray[np.int32]:
        """Return the distance of every cell to ``cell``."""
        return self.ways.field(*cell)


@dataclass(eq=False)
class FarPoints:
    """The paper's tour: the nearest waypoint that is not yet visited; a fresh sample when all are."""

    grid: Grid
    generator: np.random.Generator
    _waypoints: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))

    def following(self, body: Cell) -> Cell:
        """Return the cell to walk to next from the body's cell."""
        away = self.grid.from_cell(body)
        self._visit(away)
        if not len(self._waypoints):
            self._waypoints = self._sampled(away)
            farthest = self._waypoints[int(np.argmax(_at(away, self._waypoints)))]
            self._visit(away)
            if not len(self._waypoints):  # a home so small that everything is near
                return int(farthest[0]), int(farthest[1])
        nearest = self._waypoints[int(np.argmin(_at(away, self._waypoints)))]
        return int(nearest[0]), int(nearest[1])

    def arrived(self, waypoint: Cell) -> None:
        """Count a waypoint as visited, reached or given up."""
        self._waypoints = self._waypoints[(self._waypoints != np.array(waypoint)).any(axis=1)]

    def _visit(self, away: npt.NDArray[np.int32]) -> None:
        self._waypoints = self._waypoints[_at(away, self._waypoints) >= PRUNE_MM]

    def _sampled(self, away: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        count = max(LEAST_POINTS, math.floor(POINTS_PER_M2 * self.grid.area_m2))
        points = _reachable(self.grid.sample(count, self.generator), away)
        chosen = pruned_leaves(self.grid.ways.between(points))
        return points[chosen]


@dataclass(eq=False)
class UpstreamPoints:
    """The tour of the published code: at most 1400 points, leaves again after every waypoint, the next one about 2 m
    away; points within 0.5 m of the body are dropped, and fewer than three leaves end the tour (a fresh sample)."""

    grid: Grid
    generator: np.random.Generator
    _points: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))
    _distances: Distances = field(default_factory=lambda: np.empty((0, 0), np.int32))

    def following(self, body: Cell) -> Cell:
        """Return the cell to walk to next from the body's cell."""
        away = self.grid.from_cell(body)
        self._keep(_at(away, self._points) > UPSTREAM_DROP_MM)
        leaves = self._leaves()
        if len(leaves) < UPSTREAM_LEAST_LEAVES:
            self._sample(away)
            self._keep(_at(away, self._points) > UPSTREAM_DROP_MM)
            leaves = self._leaves()
        off = np.abs(_at(away, self._points[leaves]).astype(np.int64) - UPSTREAM_AWAY_MM)
        waypoint = self._points[leaves[int(np.argmin(off))]]
        return int(waypoint[0]), int(waypoint[1])

    def arrived(self, waypoint: Cell) -> None:
        """Count a waypoint as visited, reached or given up."""
        self._keep((self._points != np.array(waypoint)).any(axis=1))

    def _leaves(self) -> npt.NDArray[np.int64]:
        return pruned_leaves(self._distances) if len(self._points) else np.empty(0, np.int64)

    def _keep(self, mask: npt.NDArray[np.bool_]) -> None:
        self._points = self._points[mask]
        self._distances = self._distances[np.ix_(mask, mask)]

    def _sample(self, away: npt.NDArray[np.int32]) -> None:
        count = min(UPSTREAM_MOST_POINTS, max(1, math.floor(POINTS_PER_M2 * self.grid.area_m2)))
        self._points = _reachable(self.grid.sample(count, self.generator), away)
        self._distances = self.grid.ways.between(self._points)


def _at(distances: npt.NDArray[np.int32], cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    found: npt.NDArray[np.int32] = distances[cells[:, 0], cells[:, 1]]
    return found


def _reachable(points: npt.NDArray[np.int64], away: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return points[_at(away, points) < FAR]
