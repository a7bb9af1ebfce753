"""Living and dining rooms."""

from __future__ import annotations

from typing import Optional

from images.embedded.homes.furniture import decor, lighting, screens, seating, storage, tables
from images.embedded.homes.placement import Spot
from images.embedded.homes.rooms import common
from images.embedded.homes.rooms.common import Setting


def living(setting: Setting) -> None:
    """A sofa facing a television across a coffee table, then shelves, an armchair, lamps and plants."""
    kit, space = setting.kit, setting.space
    sofa = _sofa_group(setting)
    if sofa is not None:
        _television(setting, (sofa.side + 2) % 4, -sofa.along)
    _armchair(setting)
    common.add_bookshelf(setting)
    if space.room.area > 18.0:
        common.dining_group(setting, kit.draws.uniform(1.3, 1.6), 0.85, 4, None)
    common.add_chest(setting, "sideboard")
    common.add_floor_lamp(setting)
    common.add_floor_plant(setting)
    common.add_floor_plant(setting)
    if space.room.area > 20.0:
        common.add_bookshelf(setting)


def _sofa_group(setting: Setting) -> Optional[Spot]:
    kit, draws = setting.kit, setting.kit.draws
    material = kit.materials.leather() if draws.chance(0.25) else kit.materials.fabric(draws.integer(4))
    for width in (draws.uniform(2.05, 2.3), 1.7):
        for opposite in (1.3, 0.0):
            spot = setting.space.against_wall(width, 0.9, 0.85, front=0.9, opposite=opposite)
            if spot is not None:
                seating.sofa(kit, spot.frame, width, material, kit.materials.fabric(4 + draws.integer(3)))
                _coffee_table(setting, spot)
                return spot
    return None


def _coffee_table(setting: Setting, sofa: Spot) -> None:
    kit, draws = setting.kit, setting.kit.draws
    width, depth = draws.uniform(0.9, 1.15), 0.55
    common.lay_rug(setting, sofa.frame.moved(0.0, 0.0, 1.45), draws.uniform(2.0, 2.4), 1.5, 0)
    if not setting.space.take_in_front(sofa, 0.0, width, depth, 1.28, 0.42):
        return
    frame = sofa.frame.moved(0.0, 0.0, 1.28 + depth / 2.0)
    tables.coffee_table(kit, frame, width, depth)
    decor.ornament(kit, frame.moved(draws.uniform(-0.3, -0.15), 0.42, 0.0), 0.24)
    decor.book_pile(kit, frame.moved(draws.uniform(0.15, 0.3), 0.42, 0.0))


def _television(setting: Setting, side: int, along: float) -> None:
    kit = setting.kit
    width = 1.5
    spot = setting.space.at_wall(side, along, width, 0.44, 1.2)
    if spot is None:
        spot = setting.space.against_wall(width, 0.44, 1.2, sides=(side,), front=0.8)
    if spot is None:
        spot = setting.space.against_wall(1.2, 0.44, 1.2, front=0.8)
        width = 1.2
    if spot is None:
        return
    storage.tv_stand(kit, spot.frame, width)
    screens.television(kit, spot.frame.moved(0.0, 0.46, 0.2), min(1.15, width - 0.2))
    decor.ornament(kit, spot.frame.moved(width / 2.0 - 0.12, 0.46, 0.2), 0.2)


def _armchair(setting: Setting) -> None:
    kit, draws = setting.kit, setting.kit.draws
    spot = setting.space.against_wall(0.8, 0.82, 0.9, front=0.6, corner=draws.chance(0.5))
    if spot is None:
        return
    seating.armchair(kit, spot.frame, kit.materials.fabric(draws.integer(7)))
    if setting.space.take_in_front(spot, 0.65, 0.42, 0.42, 0.1, 0.6):
        frame = spot.frame.moved(0.65, 0.0, 0.31)
        tables.side_table(kit, frame, 0.55)
        lighting.table_lamp(kit, frame.moved(0.0, 0.55, 0.0))


def dining(setting: Setting) -> None:
    """A large table with chairs on a rug, a sideboard, plants and a bench."""
    kit, draws = setting.kit, setting.kit.draws
    x0, z0, x1, z1 = setting.space.room.inner
    small = min(x1 - x0, z1 - z0) < 3.0
    rug = 1 if draws.chance(0.6) else None
    sizes = [(1.25, 0.8, 4), (0.8, 0.75, 2)]
    if not small:
        sizes = [(draws.uniform(1.6, 2.0), draws.uniform(0.85, 0.95), 6), (1.5, 0.85, 4), *sizes]
    for width, depth, seats in sizes:
        if common.dining_group(setting, width, depth, seats, rug):
            break
    common.add_chest(setting, "sideboard")
    common.add_bookshelf(setting)
    bench = setting.space.against_wall(1.2, 0.4, 0.5)
    if bench is not None and draws.chance(0.6):
        seating.bench(kit, bench.frame, 1.2)
    common.add_floor_plant(setting)
    common.add_floor_plant(setting)
    common.add_floor_lamp(setting)
