"""Kitchens and bathrooms: plinths with open shelves, a round fridge, a standing tub. Backs at z = 0."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit
from images.embedded.homes.ood.furniture.small import disc, small_thing
from images.embedded.homes.shapes import box, cylinder, joined, lathe, picture, rounded_box

UNIT = 0.7
"""Width of one kitchen unit in metres."""
DEPTH = 0.58
TOP = 0.9


def plinth(kit: Kit, frame: Frame, units: int, basin: int, hob: int) -> None:
    """A run of units with round doors; ``basin`` and ``hob`` are unit numbers (-1 for none)."""
    width = units * UNIT
    piece = kit.piece("counter", frame)
    body = box((width, TOP - 0.05, DEPTH), 0.5, ("bottom", "back"))
    piece.add(body, kit.materials.lacquer(0), 0.0, 0.43, DEPTH / 2.0)
    top = box((width + 0.02, 0.07, DEPTH + 0.03), 0.35, ("back",))
    piece.add(top, kit.materials.worktop(), 0.0, TOP - 0.035, DEPTH / 2.0 + 0.01)
    for k in range(units):
        x = -width / 2.0 + UNIT * (k + 0.5)
        door = cylinder(0.26, 0.02, 20).lying_along_z()
        piece.add(door, kit.materials.lacquer(1 + k % 3), x, 0.43, DEPTH)
        piece.add(cylinder(0.03, 0.03, 8).lying_along_z(), kit.materials.metal(), x + 0.16, 0.43, DEPTH + 0.02)
        place = frame.moved(x, TOP, DEPTH / 2.0)
        if k == basin:
            _basin(kit, place)
        elif k == hob:
            _hob(kit, place)
        elif kit.draws.chance(0.7):
            small_thing(kit, place, 0.3)


def _basin(kit: Kit, frame: Frame) -> None:
    piece = kit.piece("sink", frame)
    piece.add(cylinder(0.21, 0.14, 18), kit.materials.metal())
    piece.add(cylinder(0.18, 0.005, 18), kit.materials.dark(), 0.0, 0.14, 0.0)
    tap = joined([cylinder(0.015, 0.4, 8), box((0.03, 0.03, 0.2)).at(0.0, 0.4, 0.08)])
    piece.add(tap, kit.materials.metal(), 0.0, 0.0, -0.24)


def _hob(kit: Kit, frame: Frame) -> None:
    piece = kit.piece("hob", frame)
    piece.add(box((0.5, 0.05, 0.4), skip=("bottom",)), kit.materials.dark(), 0.0, 0.025, 0.0)
    for x in (-0.13, 0.13):
        piece.add(cylinder(0.1, 0.02, 16), kit.materials.metal(), x, 0.05, 0.0)
    pan = kit.piece("kettle", frame.moved(0.13, 0.07, 0.0))
    pan.add(cylinder(0.1, 0.18, 6, 0.05), kit.materials.lacquer(2))


def open_shelves(kit: Kit, frame: Frame, width: float) -> None:
    """Two boards on brackets above a plinth with jars on them; the frame stands on the floor."""
    piece = kit.piece("wall_shelf", frame)
    for y in (1.42, 1.8):
        piece.add(box((width, 0.035, 0.26), 0.5), kit.materials.wood(1), 0.0, y, 0.14)
        for share in (-0.36, -0.12, 0.12, 0.36):
            small_thing(kit, frame.moved(share * width, y + 0.018, 0.14), 0.26)


def round_fridge(kit: Kit, frame: Frame) -> None:
    """A fridge with round shoulders, 0.68 m wide, 1.6 m high."""
    piece = kit.piece("fridge", frame)
    coat = kit.materials.lacquer(kit.draws.integer(4))
    piece.add(rounded_box((0.68, 1.5, 0.62), 0.16, 0.4), coat, 0.0, 0.85, 0.32)
    piece.add(cylinder(0.02, 0.4, 8), kit.materials.metal(), 0.24, 0.85, 0.66)
    for x in (-0.24, 0.24):
        piece.add(cylinder(0.03, 0.12, 8), kit.materials.metal(), x, 0.0, 0.32)


def standing_tub(kit: Kit, frame: Frame) -> None:
    """A round tub on a step, 1.2 m wide."""
    piece = kit.piece("bathtub", frame)
    profile = [(0.0, 0.0), (0.48, 0.0), (0.57, 0.56), (0.57, 0.6), (0.52, 0.6), (0.45, 0.14), (0.0, 0.14)]
    piece.add(lathe(profile, 22), kit.materials.lacquer(1), 0.0, 0.0, 0.6)
    piece.add(cylinder(0.03, 0.95, 8), kit.materials.metal(), 0.42, 0.0, 0.12)
    piece.add(box((0.04, 0.04, 0.3)), kit.materials.metal(), 0.42, 0.95, 0.24)


def pillar_basin(kit: Kit, frame: Frame) -> None:
    """A bowl on a pillar under a round mirror."""
    piece = kit.piece("washbasin", frame)
    profile = [(0.0, 0.0), (0.2, 0.0), (0.12, 0.1), (0.1, 0.6), (0.29, 0.82), (0.29, 0.88), (0.25, 0.88), (0.0, 0.78)]
    piece.add(lathe(profile, 18), kit.materials.ceramic(0), 0.0, 0.0, 0.3)
    piece.add(cylinder(0.015, 0.3, 8), kit.materials.metal(), 0.0, 0.86, 0.06)
    disc(kit, frame.moved(0.0, 1.5, -0.01), 0.34)


def cube_toilet(kit: Kit, frame: Frame) -> None:
    """A toilet from two blocks."""
    piece = kit.piece("toilet", frame)
    coat = kit.materials.lacquer(2)
    piece.add(box((0.4, 0.4, 0.4), 0.4, ("bottom",)), coat, 0.0, 0.2, 0.44)
    piece.add(box((0.42, 0.95, 0.22), 0.5, ("bottom",)), coat, 0.0, 0.48, 0.12)
    piece.add(cylinder(0.17, 0.03, 16), kit.materials.dark(), 0.0, 0.4, 0.44)


def towel_ladder(kit: Kit, frame: Frame) -> None:
    """A ladder that leans on the wall, with two towels, 0.3 m deep."""
    piece = kit.piece("ladder", frame)
    for x in (-0.25, 0.25):
        piece.add(box((0.04, 1.6, 0.04), 0.6, ("bottom",)), kit.materials.wood(0), x, 0.8, 0.1)
    for k in range(5):
        piece.add(cylinder(0.015, 0.5, 6).lying_along_x(), kit.materials.wood(0), -0.25, 0.3 + 0.3 * k, 0.1)
    for k in (1, 3):
        towel = kit.piece("towel", frame)
        towel.add(box((0.36, 0.42, 0.04)), kit.materials.fabric(k + 2), 0.0, 0.12 + 0.3 * k, 0.12)


def radiator(kit: Kit, frame: Frame, width: float) -> None:
    """A ribbed radiator, 0.2 m deep."""
    piece = kit.piece("radiator", frame)
    count = int(width / 0.1)
    for k in range(count):
        rib = rounded_box((0.07, 0.62, 0.12), 0.03)
        piece.add(rib, kit.materials.metal(), -width / 2.0 + 0.1 * (k + 0.5), 0.42, 0.1)


def hatch(kit: Kit, frame: Frame) -> None:
    """A washing machine with its door on top, 0.55 m wide."""
    piece = kit.piece("washing_machine", frame)
    piece.add(box((0.55, 0.9, 0.55), 0.5, ("bottom",)), kit.materials.lacquer(3), 0.0, 0.45, 0.28)
    piece.add(picture(0.4, 0.16), kit.materials.screen(), 0.0, 0.78, 0.557)
