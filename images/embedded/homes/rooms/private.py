"""Bedrooms, children's rooms and studies."""

from __future__ import annotations

from images.embedded.homes.furniture import beds, decor, lighting, screens, seating, storage, tables
from images.embedded.homes.placement import Spot
from images.embedded.homes.rooms import common
from images.embedded.homes.rooms.common import Setting


def bedroom(setting: Setting) -> None:
    """A double bed between nightstands, a wardrobe, a chest with a lamp, a rug."""
    kit, draws = setting.kit, setting.kit.draws
    for width in (draws.pick([1.6, 1.8]), 1.4, 1.2, 0.92):
        spot = setting.space.against_wall(width + 0.1, beds.BED_LENGTH + 0.05, 0.87, front=0.4)
        if spot is not None:
            common.lay_rug(setting, spot.frame.moved(0.0, 0.0, beds.BED_LENGTH - 0.35), width + 1.0, 1.3, 2)
            beds.bed(kit, spot.frame, width, kit.materials.fabric(draws.integer(7)))
            _nightstands(setting, spot, width)
            break
    _wardrobe(setting)
    common.add_chest(setting, "dresser")
    _reading_chair(setting)
    common.add_floor_plant(setting)
    common.add_floor_lamp(setting)


def _nightstands(setting: Setting, bed: Spot, width: float) -> None:
    kit = setting.kit
    for sign in (-1.0, 1.0):
        along = bed.along + sign * (width / 2.0 + 0.32)
        spot = setting.space.at_wall(bed.side, along, 0.42, 0.4, 0.52)
        if spot is not None:
            storage.cabinet(kit, spot.frame, "nightstand", 0.42, 0.5, 0.38, 2, 1)
            top = spot.frame.moved(0.0, 0.5, 0.18)
            if kit.draws.chance(0.7):
                lighting.table_lamp(kit, top)
            else:
                decor.book_pile(kit, top)


def _wardrobe(setting: Setting) -> None:
    for width in (1.8, 1.2, 0.9):
        spot = setting.space.against_wall(width, 0.6, 2.1, front=0.6)
        if spot is not None:
            storage.wardrobe(setting.kit, spot.frame, width)
            return


def _reading_chair(setting: Setting) -> None:
    spot = setting.space.against_wall(0.8, 0.82, 0.9, front=0.5, corner=True)
    if spot is not None:
        seating.armchair(setting.kit, spot.frame, setting.kit.materials.fabric(setting.kit.draws.integer(7)))


def _desk_place(setting: Setting, width: float) -> None:
    kit, draws = setting.kit, setting.kit.draws
    depth = 0.66
    spot = setting.space.against_wall(width, depth, 0.76, front=0.75)
    if spot is None:
        return
    tables.desk(kit, spot.frame, width, depth)
    screens.computer(kit, spot.frame.moved(0.1, 0.74, 0.26))
    lighting.desk_lamp(kit, spot.frame.moved(-width / 2.0 + 0.16, 0.74, 0.14))
    if draws.chance(0.7):
        decor.book_pile(kit, spot.frame.moved(width / 2.0 - 0.2, 0.74, 0.3))
    if setting.space.take_in_front(spot, 0.12, 0.5, 0.5, depth - 0.02 + 0.06, 0.9):
        seat = spot.frame.moved(0.12, 0.0, depth + 0.3).opposite().turned(draws.uniform(-0.5, 0.5))
        seating.office_chair(kit, seat)


def study(setting: Setting) -> None:
    """A desk with computer, shelves all round, an armchair on a rug."""
    _desk_place(setting, setting.kit.draws.uniform(1.3, 1.6))
    for _ in range(3):
        common.add_bookshelf(setting)
    _reading_chair(setting)
    common.add_chest(setting)
    common.add_floor_lamp(setting)
    common.add_floor_plant(setting)
    common.lay_rug(setting, setting.center, 1.7, 1.2, 3)
    _floor_box(setting)


def _floor_box(setting: Setting) -> None:
    spot = setting.space.against_wall(0.45, 0.4, 0.35, front=0.2)
    if spot is not None:
        decor.storage_box(setting.kit, spot.frame.moved(0.0, 0.0, 0.2), 0.42, 0.32)


def kids(setting: Setting) -> None:
    """A single bed, a small desk, shelves, toys on the floor."""
    kit, draws = setting.kit, setting.kit.draws
    spot = setting.space.against_wall(1.0, beds.BED_LENGTH + 0.05, 0.87, front=0.3, corner=draws.chance(0.6))
    if spot is not None:
        beds.bed(kit, spot.frame, 0.92, kit.materials.fabric(4 + draws.integer(3)))
    _desk_place(setting, 1.15)
    _wardrobe(setting)
    common.add_bookshelf(setting)
    common.lay_rug(setting, setting.center, 1.5, 1.5, 4)
    _toys(setting)
    _floor_box(setting)
    common.add_floor_plant(setting)


def _toys(setting: Setting) -> None:
    kit, space, draws = setting.kit, setting.space, setting.kit.draws
    makers = draws.shuffled([0, 1, 2, 3, 4])[: 2 + draws.integer(3)]
    for kind in makers:
        spot = space.against_wall(0.45, 0.45, 0.4, front=0.0, corner=draws.chance(0.3))
        if spot is None:
            continue
        frame = spot.frame.moved(0.0, 0.0, 0.24)
        if kind == 0:
            decor.ball(kit, frame, draws.uniform(0.1, 0.16))
        elif kind == 1:
            decor.toy_blocks(kit, frame)
        elif kind == 2:
            decor.teddy(kit, frame)
        elif kind == 3:
            decor.basket(kit, frame, 0.2, 0.3)
        else:
            decor.cushion(kit, frame.moved(0.0, 0.0, 0.02))
