"""Where furniture may stand in a room: against walls, clear of doors, with room to walk.

A spot is taken only if a person 0.7 m wide can still get from every door to every other one and to the
rest of the free floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from images.embedded.homes.draft import Frame
from images.embedded.homes.draws import Draws
from images.embedded.homes.floorplan import PlannedRoom, Rect, Wall

PASSAGE = 0.7
"""Width in metres that stays free between pieces of furniture."""
TABLE_PASSAGE = 0.55
"""The same around tables, whose chairs can be pushed in."""
CELL = 0.1
DOOR_CLEARANCE = 0.85
"""How deep the floor in front of a door stays free, in metres."""


@dataclass(frozen=True)
class Block:
    """A piece of furniture seen from above, and its height in metres."""

    rect: Rect
    height: float


@dataclass(frozen=True)
class Spot:
    """A place for a piece: its frame and the wall side behind it (-1 for a free-standing piece)."""

    frame: Frame
    side: int
    along: float


def _overlap(a: Rect, b: Rect, gap: float) -> bool:
    return a[0] < b[2] + gap and b[0] < a[2] + gap and a[1] < b[3] + gap and b[1] < a[3] + gap


def footprint(frame: Frame, left: float, right: float, back: float, front: float) -> Rect:
    """Return the axis-aligned rectangle of a local rectangle seen from above."""
    corners = [frame.point(x, 0.0, z) for x in (left, right) for z in (back, front)]
    xs, zs = [c[0] for c in corners], [c[2] for c in corners]
    return min(xs), min(zs), max(xs), max(zs)


class FloorSpace:
    """The free floor of one room."""

    def __init__(self, room: PlannedRoom, walls: Sequence[Wall], draws: Draws) -> None:
        self.room = room
        self.walls = tuple(walls)
        self.blocks: list[Block] = []
        self._draws = draws
        self._fronts: list[Rect] = []
        self._reserved: list[Rect] = []
        self._doors = [
            footprint(wall.frame, o.left - 0.06, o.right + 0.06, 0.0, DOOR_CLEARANCE)
            for wall in self.walls
            for o in wall.openings
            if o.kind != "window"
        ]

    def against_wall(
        self, width: float, depth: float, height: float, front: float = 0.5, sides: Sequence[int] = (0, 1, 2, 3),
        corner: bool = False, opposite: float = 0.0,
    ) -> Optional[Spot]:  # fmt: skip
        """Find and take a place with the back to a wall; None if there is none.

        ``front`` metres before the piece stay free of other furniture; ``corner`` prefers the ends of walls;
        ``opposite`` > 0 asks for that much free length of wall on the other side of the room (a television).
        """
        for wall, along in self._wall_candidates(width, sides, corner):
            if self._blocked_openings(wall, along, width, depth, height):
                continue
            if opposite > 0.0 and not self._free_opposite(wall, along, opposite):
                continue
            frame = wall.frame.moved(along, 0.0, 0.015)
            rect = footprint(frame, -width / 2.0, width / 2.0, 0.0, depth)
            zone = footprint(frame, -width / 2.0, width / 2.0, 0.0, depth + front)
            if self._take(rect, zone, height):
                return Spot(frame, wall.side, along)
        return None

    def at_wall(self, side: int, along: float, width: float, depth: float, height: float) -> Optional[Spot]:
        """Take one given place at a wall, or return None."""
        wall = self.walls[side]
        if abs(along) + width / 2.0 > wall.length / 2.0 - 0.02:
            return None
        if self._blocked_openings(wall, along, width, depth, height):
            return None
        frame = wall.frame.moved(along, 0.0, 0.015)
        rect = footprint(frame, -width / 2.0, width / 2.0, 0.0, depth)
        return Spot(frame, side, along) if self._take(rect, rect, height) else None

    def island(self, width: float, depth: float, height: float, tries: int = 40) -> Optional[Spot]:
        """Find and take a place in the middle of the room, in either orientation."""
        x0, z0, x1, z1 = self.room.inner
        turn = 0 if (x1 - x0 >= z1 - z0) == (width >= depth) else 1
        for k in range(tries):
            reach = 0.3 + 1.2 * k / tries
            x = (x0 + x1) / 2.0 + self._draws.uniform(-reach, reach)
            z = (z0 + z1) / 2.0 + self._draws.uniform(-reach, reach)
            frame = Frame.facing(turn if k % 3 < 2 else 1 - turn, x, z)
            rect = footprint(frame, -width / 2.0, width / 2.0, -depth / 2.0, depth / 2.0)
            if self._inside(rect, 0.4) and self._take(rect, rect, height, passage=TABLE_PASSAGE):
                return Spot(frame, -1, 0.0)
        return None

    def take_in_front(self, spot: Spot, shift: float, width: float, depth: float, near: float, height: float) -> bool:
        """Take a place in front of a spot (a chair at a desk, a coffee table); its zone is ours already."""
        rect = footprint(spot.frame, shift - width / 2.0, shift + width / 2.0, near, near + depth)
        return self._take(rect, rect, height, ignore_fronts=True, passage=TABLE_PASSAGE)

    def free_wall(self, side: int, left: float, right: float, bottom: float, depth: float = 0.5) -> bool:
        """Tell whether nothing taller than ``bottom`` stands before this stretch of a wall."""
        strip = footprint(self.walls[side].frame, left, right, 0.0, depth)
        return not any(b.height > bottom and _overlap(b.rect, strip, 0.0) for b in self.blocks)

    def block_wall(self, side: int, left: float, right: float, depth: float) -> None:
        """Note that something is mounted high on this stretch of a wall, above furniture that stands there."""
        self.blocks.append(Block(footprint(self.walls[side].frame, left, right, 0.0, depth), 2.2))

    def free_wall_openings(self, side: int, left: float, right: float) -> bool:
        """Tell whether this stretch of a wall has no door or window."""
        return not any(left < o.right + 0.05 and right > o.left - 0.05 for o in self.walls[side].openings)

    def _wall_candidates(self, width: float, sides: Sequence[int], corner: bool) -> list[tuple[Wall, float]]:
        candidates = []
        for side in sides:
            wall = self.walls[side]
            reach = (wall.length - width) / 2.0 - 0.02
            if reach < 0.0:
                continue
            if corner:
                candidates += [(wall, -reach), (wall, reach)]
            else:
                count = max(1, int(2.0 * reach / 0.25))
                candidates += [(wall, reach * (2.0 * k / count - 1.0)) for k in range(count + 1)]
        return self._draws.shuffled(candidates)

    def _blocked_openings(self, wall: Wall, along: float, width: float, depth: float, height: float) -> bool:
        left, right = along - width / 2.0, along + width / 2.0
        for o in wall.openings:
            limit = o.bottom + 0.02 if o.kind == "window" else 0.0
            if height > limit and left < o.right + 0.12 and right > o.left - 0.12:
                return True
        return False

    def _free_opposite(self, wall: Wall, along: float, width: float) -> bool:
        other = self.walls[(wall.side + 2) % 4]
        left, right = -along - width / 2.0, -along + width / 2.0
        if left < -other.length / 2.0 + 0.05 or right > other.length / 2.0 - 0.05:
            return False
        return not any(left < o.right + 0.1 and right > o.left - 0.1 for o in other.openings if o.bottom < 1.3)

    def _inside(self, rect: Rect, margin: float) -> bool:
        x0, z0, x1, z1 = self.room.inner
        return rect[0] > x0 + margin and rect[1] > z0 + margin and rect[2] < x1 - margin and rect[3] < z1 - margin

    def _take(
        self, rect: Rect, zone: Rect, height: float, ignore_fronts: bool = False, passage: float = PASSAGE
    ) -> bool:
        if not self._inside(rect, 0.0):
            return False
        if any(_overlap(rect, door, 0.0) for door in self._doors):
            return False
        if any(_overlap(rect, block.rect, 0.03) for block in self.blocks):
            return False
        if any(_overlap(zone, block.rect, -0.01) for block in self.blocks):
            return False
        if not ignore_fronts and any(_overlap(rect, front, -0.01) for front in self._fronts):
            return False
        slack = (PASSAGE - passage) / 2.0
        reserved = (rect[0] + slack, rect[1] + slack, rect[2] - slack, rect[3] - slack)
        if not self._walkable([*self._reserved, reserved]):
            return False
        self._reserved.append(reserved)
        self.blocks.append(Block(rect, height))
        self._fronts.append(zone)
        return True

    def _walkable(self, rects: Sequence[Rect]) -> bool:
        """Tell whether all doors and nearly all free floor stay connected for a body ``PASSAGE`` wide."""
        free = self._free_cells(rects)
        labels, count = ndimage.label(free)
        if count == 0:
            return False
        sizes = np.bincount(labels.ravel())[1:]
        main = int(sizes.argmax()) + 1
        if int(sizes[main - 1]) * 100 < int(sizes.sum()) * 88:
            return False
        return all(self._reaches(labels, main, door) for door in self._doors)

    def _free_cells(self, rects: Sequence[Rect]) -> npt.NDArray[np.bool_]:
        x0, z0, x1, z1 = self.room.inner
        half = PASSAGE / 2.0
        columns, rows = int((x1 - x0) / CELL), int((z1 - z0) / CELL)
        free = np.ones((rows, columns), np.bool_)
        border = int(half / CELL)
        free[:border] = free[rows - border :] = False
        free[:, :border] = free[:, columns - border :] = False
        for door in self._doors:
            free[self._window(door, -half)] = True
        for rect in rects:
            free[self._window(rect, half)] = False
        return free

    def _window(self, rect: Rect, grow: float) -> tuple[slice, slice]:
        x0, z0, _, _ = self.room.inner
        left, top = max(0, round((rect[0] - grow - x0) / CELL)), max(0, round((rect[1] - grow - z0) / CELL))
        right, bottom = max(0, round((rect[2] + grow - x0) / CELL)), max(0, round((rect[3] + grow - z0) / CELL))
        return slice(top, bottom), slice(left, right)

    def _reaches(self, labels: npt.NDArray[np.int32], main: int, door: Rect) -> bool:
        return bool((labels[self._window(door, 0.0)] == main).any())
