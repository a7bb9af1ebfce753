"""What hangs on walls: pictures, mirrors, clocks, shelves, coats, towels, curtains.

Comes after the furniture, because nothing may hang behind something taller.
"""

from __future__ import annotations

from dataclasses import dataclass

from images.embedded.homes.floorplan import Wall
from images.embedded.homes.furniture import bathroom, decor, storage
from images.embedded.homes.placement import FloorSpace
from images.embedded.homes.rooms.common import Setting
from images.embedded.homes.shell import build_curtains

EYE = 1.52
"""Height of the middle of pictures in metres."""


@dataclass(frozen=True)
class Gap:
    """A free stretch of wall from ``left`` to ``right``; ``low`` is the top of the furniture before it."""

    wall: Wall
    left: float
    right: float
    low: float

    @property
    def width(self) -> float:
        """Length in metres."""
        return self.right - self.left


def hang(setting: Setting) -> None:
    """Hang curtains, then fill free stretches of wall."""
    _curtains(setting)
    gaps = [gap for wall in setting.space.walls for gap in wall_gaps(setting.space, wall)]
    draws = setting.kit.draws
    wanted = {"hall": 4, "bath": 2, "kitchen": 2}.get(setting.space.room.kind, 4)
    clock_left = True
    for gap in draws.shuffled(gaps)[:wanted]:
        clock_left = _fill(setting, gap, clock_left)


def _curtains(setting: Setting) -> None:
    draws, kind = setting.kit.draws, setting.space.room.kind
    if kind in ("bath", "kitchen") or not draws.chance(0.85):
        return
    material = setting.kit.materials.curtain(setting.space.room.id)
    for wall in setting.space.walls:
        for opening in wall.openings:
            if opening.kind == "window":
                left, right = opening.left - 0.3, opening.right + 0.3
                if setting.space.free_wall(wall.side, left, right, 0.05):
                    bottom = 0.03
                elif setting.space.free_wall(wall.side, left, right, opening.bottom - 0.2):
                    bottom = opening.bottom - 0.14
                else:
                    bottom = opening.bottom + 0.02
                build_curtains(setting.kit, wall, opening, material, bottom)


def wall_gaps(space: FloorSpace, wall: Wall) -> list[Gap]:
    """Maximal stretches without openings or tall furniture, in steps of 5 cm."""
    step = 0.05
    count = int(wall.length / step)
    start = -wall.length / 2.0
    free = []
    for k in range(count):
        left, right = start + k * step, start + (k + 1) * step
        hole = any(left < o.right + 0.34 and right > o.left - 0.34 for o in wall.openings)
        free.append(not hole and space.free_wall(wall.side, left, right, 1.0, 0.4))
    gaps, k = [], 0
    while k < count:
        end = k
        while end < count and free[end]:
            end += 1
        left, right = start + k * step, start + end * step
        if right - left > 0.5:
            low = 1.0 if not space.free_wall(wall.side, left, right, 0.3, 0.4) else 0.0
            gaps.append(Gap(wall, left, right, low))
        k = max(end, k + 1)
    return gaps


def _fill(setting: Setting, gap: Gap, clock_left: bool) -> bool:
    """Hang something into a gap; return whether the room may still get a clock."""
    kit, draws, kind = setting.kit, setting.kit.draws, setting.space.room.kind
    middle = (gap.left + gap.right) / 2.0
    frame = gap.wall.frame.moved(middle, 0.0, 0.0)
    if kind == "hall" and gap.low == 0.0 and gap.width > 0.8 and draws.chance(0.5):
        storage.coat_rack(kit, frame.moved(0.0, 1.7, 0.0), min(1.0, gap.width - 0.2))
        return clock_left
    if kind == "bath":
        if gap.low == 0.0 and gap.width > 0.75:
            bathroom.towel_rail(kit, frame.moved(0.0, 1.25, 0.0))
        return clock_left
    if kind in ("hall", "bedroom") and gap.low == 0.0 and draws.chance(0.35):
        width = min(0.55, gap.width - 0.2)
        decor.wall_mirror(kit, frame.moved(0.0, 1.15, 0.0), width, 1.3, kit.materials.wood(draws.integer(3)))
        return clock_left
    if clock_left and kind in ("kitchen", "dining", "living", "study") and draws.chance(0.3):
        decor.wall_clock(kit, frame.moved(0.0, 1.85, 0.0), 0.15)
        return False
    if kind in ("study", "kids", "living") and gap.width > 1.1 and draws.chance(0.25):
        storage.shelf_board(kit, frame.moved(0.0, 1.5, 0.0), min(1.0, gap.width - 0.2))
        return clock_left
    _pictures(setting, gap)
    return clock_left


def _pictures(setting: Setting, gap: Gap) -> None:
    """One large picture or a row of equal ones."""
    kit, draws = setting.kit, setting.kit.draws
    rim = kit.materials.wood(draws.integer(3)) if draws.chance(0.6) else kit.materials.dark()
    count = 1 if gap.width < 1.5 else 1 + draws.integer(3)
    each = gap.width / count
    width = min(draws.uniform(0.45, 1.0), each - 0.22)
    height = width * draws.pick([0.7, 1.0, 1.3]) if width < 0.7 else width * 0.72
    indices = draws.shuffled(range(12))
    y = EYE if gap.low == 0.0 else max(EYE, gap.low + 0.12 + height / 2.0)
    for k in range(count):
        x = gap.left + each * (k + 0.5)
        frame = gap.wall.frame.moved(x, y, 0.0)
        decor.framed_picture(kit, frame, width, height, indices[k], rim)
