"""Kitchens, bathrooms and halls."""

from __future__ import annotations

from images.embedded.homes.furniture import bathroom, decor, kitchen, seating, storage
from images.embedded.homes.furniture.kitchen import UNIT, KitchenFronts
from images.embedded.homes.placement import Spot
from images.embedded.homes.rooms import common
from images.embedded.homes.rooms.common import Setting


def kitchen_room(setting: Setting) -> None:
    """A run of units with sink and stove, wall cupboards where no window is, a fridge, a small table."""
    kit, draws = setting.kit, setting.kit.draws
    wooden = draws.chance(0.4)
    fronts = kit.materials.wood(draws.integer(3)) if wooden else kit.materials.lacquer(draws.integer(3))
    look = KitchenFronts(fronts, fronts if wooden else kit.materials.white(), kit.materials.worktop())
    _run(setting, look, (5, 4, 3), sink=True, stove=True)
    fridge = setting.space.against_wall(0.66, 0.7, 1.85, front=0.7, corner=True) or setting.space.against_wall(
        0.66, 0.7, 1.85, front=0.5
    )
    if fridge is not None:
        kitchen.fridge(kit, fridge.frame)
    _run(setting, look, (3, 2), sink=False, stove=False)
    if not common.dining_group(setting, 1.2, 0.8, 4, None):
        common.dining_group(setting, 0.8, 0.7, 2, None)
    _stand(setting, 0.36, 0)
    common.add_floor_plant(setting)


def _run(setting: Setting, look: KitchenFronts, lengths: tuple[int, ...], sink: bool, stove: bool) -> None:
    kit, draws = setting.kit, setting.kit.draws
    for units in lengths:
        width = units * UNIT
        spot = setting.space.against_wall(width + 0.02, kitchen.DEPTH + 0.02, kitchen.TOP, front=0.75)
        if spot is None:
            continue
        stove_unit = 1 if stove else -1
        sink_unit = units - 1 if sink else -1
        kitchen.counter_run(kit, spot.frame, units, sink_unit, stove_unit, look)
        if setting.space.free_wall_openings(spot.side, spot.along - width / 2.0, spot.along + width / 2.0):
            kitchen.wall_units(kit, spot.frame.moved(0.0, 0.0, -0.012), units, stove_unit, look)
            setting.space.block_wall(spot.side, spot.along - width / 2.0, spot.along + width / 2.0, 0.35)
        for k in range(units):
            if k not in (stove_unit, sink_unit) and draws.chance(0.7):
                x = -width / 2.0 + UNIT * (k + 0.5)
                kitchen.clutter(kit, spot.frame.moved(x, kitchen.TOP, 0.26))
        return


def _stand(setting: Setting, size: float, kind: int) -> None:
    """Put a bin (0) or a basket (1) at a wall."""
    spot = setting.space.against_wall(size, size, 0.6, front=0.2)
    if spot is None:
        return
    frame = spot.frame.moved(0.0, 0.0, size / 2.0)
    if kind == 0:
        decor.bin_(setting.kit, frame)
    else:
        decor.basket(setting.kit, frame, size / 2.0, 0.5)


def bath(setting: Setting) -> None:
    """A tub or a shower, washbasin with mirror, toilet, washing machine, towels, a mat."""
    kit, draws, space = setting.kit, setting.kit.draws, setting.space
    tub = None
    if draws.chance(0.65):
        tub = space.against_wall(1.7, 0.77, 0.56, front=0.3, corner=True)
        if tub is not None:
            bathroom.bathtub(kit, tub.frame, 1.68)
    if tub is None:
        tub = space.against_wall(0.92, 0.92, 2.1, front=0.4, corner=True)
        if tub is not None:
            bathroom.shower(kit, tub.frame)
    width = draws.uniform(0.7, 1.0)
    basin = space.against_wall(width + 0.04, 0.48, 1.9, front=0.5)
    if basin is not None:
        bathroom.washstand(kit, basin.frame, width, kit.materials.wood(1))
        _mat_before(setting, basin)
    toilet = space.against_wall(0.5, 0.7, 0.85, front=0.4)
    if toilet is not None:
        bathroom.toilet(kit, toilet.frame)
    machine = space.against_wall(0.62, 0.6, 0.87, front=0.5)
    if machine is not None:
        bathroom.washing_machine(kit, machine.frame)
        if draws.chance(0.6):
            decor.basket(kit, machine.frame.moved(0.0, 0.85, 0.28), 0.18, 0.22)
    _stand(setting, 0.42, 1)
    if draws.chance(0.5):
        common.add_floor_plant(setting)


def _mat_before(setting: Setting, spot: Spot) -> None:
    common.lay_rug(setting, spot.frame.moved(0.0, 0.0, 0.85), 0.8, 0.5, 4)


def hall(setting: Setting) -> None:
    """A runner, shoe cabinet, bench, plants; most of the floor stays free."""
    kit, draws = setting.kit, setting.kit.draws
    x0, z0, x1, z1 = setting.space.room.inner
    long_x = x1 - x0 >= z1 - z0
    length = max(x1 - x0, z1 - z0)
    runner = min(3.2, length - 1.2)
    common.lay_rug(setting, setting.center.facing_side(0 if long_x else 1), runner, 0.8, 3)
    spot = setting.space.against_wall(0.9, 0.3, 0.9, front=0.3)
    if spot is not None:
        storage.cabinet(kit, spot.frame, "shoe_cabinet", 0.88, 0.88, 0.28, 2, 1)
        decor.ornament(kit, common.on_top(spot, 0.88, 0.28), 0.26)
    bench = setting.space.against_wall(0.9, 0.38, 0.5, front=0.3)
    if bench is not None:
        seating.bench(kit, bench.frame, 0.88)
    spot = setting.space.against_wall(0.3, 0.3, 0.6, front=0.0, corner=True)
    if spot is not None and draws.chance(0.7):
        decor.basket(kit, spot.frame.moved(0.0, 0.0, 0.15), 0.14, 0.5)
