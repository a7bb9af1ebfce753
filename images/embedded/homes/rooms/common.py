"""What the recipes of all rooms share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from images.embedded.homes.draft import Frame, Kit
from images.embedded.homes.furniture import decor, lighting, seating, storage, tables
from images.embedded.homes.materials import Material
from images.embedded.homes.placement import FloorSpace, Spot
from images.embedded.homes.surfaces import RoomSurfaces


@dataclass(frozen=True)
class Setting:
    """A room that is being furnished."""

    kit: Kit
    space: FloorSpace
    surfaces: RoomSurfaces

    @property
    def center(self) -> Frame:
        """The frame at the middle of the floor."""
        x0, z0, x1, z1 = self.space.room.inner
        return Frame.facing(0, (x0 + x1) / 2.0, (z0 + z1) / 2.0)


def lay_rug(setting: Setting, frame: Frame, width: float, depth: float, index: int) -> None:
    """Lay a rug centred on the frame, cut where it would pass under a wall."""
    x0, z0, x1, z1 = setting.space.room.inner
    (ax, az), (bx, bz) = frame.local(x0, z0), frame.local(x1, z1)
    margin = 0.05
    left, right = max(-width / 2.0, min(ax, bx) + margin), min(width / 2.0, max(ax, bx) - margin)
    back, front = max(-depth / 2.0, min(az, bz) + margin), min(depth / 2.0, max(az, bz) - margin)
    middle = frame.moved((left + right) / 2.0, 0.0, (back + front) / 2.0)
    decor.rug(setting.kit, middle, right - left, front - back, index)


def on_top(spot: Spot, height: float, depth: float, shift: float = 0.0) -> Frame:
    """Return the frame on top of a wall piece, at the middle of its depth."""
    return spot.frame.moved(shift, height, depth / 2.0)


def add_ceiling_lamps(setting: Setting) -> None:
    """Hang one lamp, or two in a long room, bright enough for its floor area."""
    x0, z0, x1, z1 = setting.space.room.inner
    width, depth = x1 - x0, z1 - z0
    area = width * depth
    count = 2 if max(width, depth) > 5.6 else 1
    power = lighting.CEILING_POWER * min(1.5, max(0.6, area / 14.0)) / count
    for k in range(count):
        share = (k + 0.5) / count - 0.5
        frame = setting.center
        frame = frame.moved(share * width, 0.0, 0.0) if width >= depth else frame.moved(0.0, 0.0, share * depth)
        lighting.ceiling_lamp(setting.kit, frame, power)


def add_bookshelf(setting: Setting) -> None:
    """Put one bookshelf against a wall, high or half-high."""
    draws = setting.kit.draws
    width, height = draws.uniform(0.75, 1.1), draws.pick([1.2, 1.85, 2.0])
    spot = setting.space.against_wall(width, 0.34, height)
    if spot is not None:
        storage.bookshelf(setting.kit, spot.frame, width, height)


def add_chest(setting: Setting, category: str = "cabinet") -> None:
    """Put a chest of drawers or a sideboard against a wall, with ornaments on it."""
    draws = setting.kit.draws
    width, height = draws.uniform(0.8, 1.4), draws.uniform(0.72, 0.95)
    spot = setting.space.against_wall(width, 0.44, height)
    if spot is None:
        return
    rows, columns = (1, max(2, round(width / 0.45))) if draws.chance(0.5) else (3, 1 if width < 1.0 else 2)
    storage.cabinet(setting.kit, spot.frame, category, width, height, 0.42, rows, columns)
    for share in draws.shuffled([-0.3, 0.0, 0.3])[: 1 + draws.integer(3)]:
        top = on_top(spot, height, 0.42, share * width)
        if draws.chance(0.25):
            lighting.table_lamp(setting.kit, top)
        else:
            decor.ornament(setting.kit, top, 0.28)


def add_floor_plant(setting: Setting) -> None:
    """Put a large plant in a corner, or at a wall."""
    draws = setting.kit.draws
    spot = setting.space.against_wall(0.76, 0.76, 1.0, front=0.0, corner=draws.chance(0.7))
    if spot is not None:
        decor.floor_plant(setting.kit, spot.frame.moved(0.0, 0.0, 0.38), draws.uniform(0.8, 1.4))


def add_floor_lamp(setting: Setting) -> None:
    """Put a standing lamp in a corner."""
    spot = setting.space.against_wall(0.42, 0.42, 1.6, front=0.0, corner=True)
    if spot is not None:
        lighting.floor_lamp(setting.kit, spot.frame.moved(0.0, 0.0, 0.21))


def add_chairs_around(setting: Setting, frame: Frame, places: list[tuple[float, float, int]]) -> None:
    """Put chairs of one design around a table; ``places`` are (x, z, side that the chair looks to)."""
    draws, materials = setting.kit.draws, setting.kit.materials
    design, wood, cloth = draws.integer(3), materials.wood(draws.integer(3)), materials.fabric(draws.integer(7))
    for x, z, side in places:
        seat = frame.moved(x, 0.0, z).facing_side(side).turned(draws.uniform(-0.12, 0.12))
        seating.chair(setting.kit, seat, design, wood, cloth)


def dining_group(setting: Setting, width: float, depth: float, seats: int, rug: Optional[int]) -> bool:
    """Put a table with ``seats`` (2, 4 or 6) chairs in the room; the chairs are pulled in half-way."""
    draws = setting.kit.draws
    reach = 0.30
    spot = setting.space.island(width + (2.0 * reach if seats == 6 else 0.0), depth + 2.0 * reach, tables.DINING_HEIGHT)
    if spot is None:
        return False
    wood: Material = setting.kit.materials.wood(draws.integer(3))
    tables.table(setting.kit, spot.frame, width, depth, tables.DINING_HEIGHT, wood)
    columns = [-width / 4.0, width / 4.0] if seats >= 4 else [0.0]
    places = [(x, -depth / 2.0 - 0.06, 0) for x in columns] + [(x, depth / 2.0 + 0.06, 2) for x in columns]
    if seats == 6:
        places += [(-width / 2.0 - 0.06, 0.0, 1), (width / 2.0 + 0.06, 0.0, 3)]
    add_chairs_around(setting, spot.frame, places)
    if rug is not None:
        lay_rug(setting, spot.frame, width + 1.0, depth + 1.1, rug)
    _lay_table(setting, spot.frame.moved(0.0, tables.DINING_HEIGHT, 0.0), width, depth, columns)
    return True


def _lay_table(setting: Setting, top: Frame, width: float, depth: float, columns: list[float]) -> None:
    draws = setting.kit.draws
    if draws.chance(0.4):
        tables.table_runner(setting.kit, top, width * 0.9, depth * 0.3)
        top = top.moved(0.0, 0.006, 0.0)
    if draws.chance(0.5):
        decor.bowl(setting.kit, top, 0.15)
    else:
        decor.vase(setting.kit, top, draws.uniform(0.2, 0.3))
    if draws.chance(0.5):
        for x in columns:
            for sign in (-1.0, 1.0):
                plate = top.moved(x, 0.0, sign * (depth / 2.0 - 0.16))
                tables.place_setting(setting.kit, plate if sign > 0 else plate.opposite())
