"""How the body walks: along shortest paths from waypoint to waypoint, or at random. It never jumps.

Every turn is a real action, so a trajectory is one unbroken line and any window of it is a clip.
"""

from __future__ import annotations

from typing import Optional, Protocol

import numpy as np

from harness.collecting.distance_fields import FAR, HEADINGS, Field, Ways, best_heading
from harness.collecting.simulators import OpenScene
from harness.collecting.waypoints import Cell, FarPoints, Grid, UpstreamPoints
from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Primitive
from harness.contracts.cameras import Pose, quaternion_to_yaw
from harness.contracts.errors import Refusal
from harness.contracts.names import nearest
from harness.contracts.portable import PI, sincos

WAYPOINTS, UPSTREAM, RANDOM = "waypoints", "waypoints-upstream", "random"
POLICIES = (WAYPOINTS, UPSTREAM, RANDOM)
TEXTS = {
    WAYPOINTS: "walk to far points of the home along shortest paths",
    UPSTREAM: "walk to far points about two metres away along shortest paths",
    RANDOM: "act at random",
}
"""What the data set calls each policy's task."""

TURN_DEG = 22.5
FORWARD_M = 0.2
FORWARD_MM = 200
ACTIONS = {
    FORWARD: Primitive(FORWARD, FORWARD_M),
    TURN_LEFT: Primitive(TURN_LEFT, TURN_DEG),
    TURN_RIGHT: Primitive(TURN_RIGHT, TURN_DEG),
}

ARRIVED_MM = 250
LEG_ACTIONS = 750
"""A waypoint that is not reached in so many actions is given up, as in the published code."""

PATIENCE = 48
"""A waypoint is given up as well after so many actions that came no nearer: three full turns."""


class Policy(Protocol):
    """Chooses the next action from the body's pose."""

    def action(self, pose: Pose) -> Primitive:
        """Return what to do at ``pose``."""


def make_policy(name: str, scene: OpenScene, generator: np.random.Generator) -> Policy:
    """Return the policy called ``name`` for one trajectory; Refusal names the nearest."""
    if name == RANDOM:
        return RandomActions(generator)
    if name not in POLICIES:
        raise Refusal(f"there is no policy {name!r}.", nearest(name, POLICIES))
    grid = Grid.of(scene.map)
    tour = FarPoints(grid, generator) if name == WAYPOINTS else UpstreamPoints(grid, generator)
    return Walker(scene, tour)


class RandomActions:
    """Forward half of the time, a turn to either side a quarter each: walls are met and left again."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def action(self, pose: Pose) -> Primitive:
        """Return a random action."""
        draw = int(self._generator.integers(4))
        return ACTIONS[(FORWARD, FORWARD, TURN_LEFT, TURN_RIGHT)[draw]]


class Tour(Protocol):
    """Gives one waypoint after the other."""

    def following(self, body: Cell) -> Cell:
        """Return the cell to walk to next from the body's cell."""

    def arrived(self, waypoint: Cell) -> None:
        """Count a waypoint as visited."""


class Walker:
    """Walks down the distance field of one waypoint after the other."""

    def __init__(self, scene: OpenScene, tour: Tour) -> None:
        self._map = scene.map
        self._tour = tour
        self._ways = Ways.of(scene.map.walkable, round(1000 * scene.map.cell_m))
        self._steps = _forward_steps(scene.map.cell_m)
        self._waypoint: Optional[Cell] = None
        self._field: Field = np.empty((0, 0), np.int32)
        self._nearest_mm = int(FAR)
        self._actions = self._since_nearer = 0

    def action(self, pose: Pose) -> Primitive:
        """Return the next action towards the present waypoint, or towards the next one."""
        place = self._place(pose)
        row, column = self._cell(place)
        if self._waypoint is None or self._is_over(int(self._field[row, column])):
            self._choose(row, column)
        heading = round(quaternion_to_yaw(pose.rotation) / TURN_DEG) % HEADINGS
        wanted = best_heading(self._map.walkable, self._field, place, heading, self._steps, FORWARD_MM)
        if wanted < 0:  # hemmed in, where map and simulator differ: turn until something opens
            return ACTIONS[TURN_LEFT]
        turn = (wanted - heading) % HEADINGS
        if turn == 0:
            return ACTIONS[FORWARD]
        return ACTIONS[TURN_LEFT if turn <= HEADINGS // 2 else TURN_RIGHT]

    def _is_over(self, distance_mm: int) -> bool:
        self._actions += 1
        self._since_nearer += 1
        if distance_mm < self._nearest_mm:
            self._nearest_mm, self._since_nearer = distance_mm, 0
        lost = self._actions >= LEG_ACTIONS or self._since_nearer >= PATIENCE
        return distance_mm <= ARRIVED_MM or lost

    def _choose(self, row: int, column: int) -> None:
        if self._waypoint is not None:
            self._tour.arrived(self._waypoint)
        self._waypoint = self._tour.following((row // 2, column // 2))
        fine = self._fine(self._waypoint)
        self._field = self._ways.field(*fine)
        self._nearest_mm, self._actions, self._since_nearer = int(self._field[row, column]), 0, 0

    def _fine(self, waypoint: Cell) -> Cell:
        """Return the first walkable cell of the map inside a cell of the waypoints' grid."""
        row, column = 2 * waypoint[0], 2 * waypoint[1]
        inside = np.argwhere(self._map.walkable[row : row + 2, column : column + 2])[0]
        return row + int(inside[0]), column + int(inside[1])

    def _place(self, pose: Pose) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        x, _, z = pose.position
        origin_x, origin_z = self._map.origin
        return np.array(((z - origin_z) / self._map.cell_m, (x - origin_x) / self._map.cell_m))

    def _cell(self, place: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Cell:
        """Return the body's cell, or the nearest walkable one where the map's edge runs a little inside."""
        row, column = (int(value) for value in np.floor(place))
        walkable = self._map.walkable
        if 0 <= row < walkable.shape[0] and 0 <= column < walkable.shape[1] and walkable[row, column]:
            return row, column
        cells = np.argwhere(walkable)
        off = cells + 0.5 - place
        near = cells[int(np.argmin(off[:, 0] * off[:, 0] + off[:, 1] * off[:, 1]))]
        return int(near[0]), int(near[1])


def _forward_steps(cell_m: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return one forward along each heading as (rows, columns) [16, 2] in cells."""
    turned = [sincos(heading * TURN_DEG * (PI / 180.0)) for heading in range(HEADINGS)]
    return np.array([(-cosine * FORWARD_M / cell_m, -sine * FORWARD_M / cell_m) for sine, cosine in turned])
