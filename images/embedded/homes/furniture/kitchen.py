"""Kitchen runs and appliances, backs at z = 0."""

from __future__ import annotations

from dataclasses import dataclass

from images.embedded.homes.draft import Frame, Kit, Piece
from images.embedded.homes.materials import Material
from images.embedded.homes.shapes import box, cylinder, joined, lathe, rounded_box

UNIT = 0.6
"""Width of one kitchen unit in metres."""
DEPTH = 0.6
TOP = 0.92


@dataclass(frozen=True)
class KitchenFronts:
    """Materials shared by all units of a kitchen."""

    fronts: Material
    body: Material
    top: Material


def counter_run(kit: Kit, frame: Frame, units: int, sink: int, stove: int, look: KitchenFronts) -> None:
    """A run of base units centred on the frame; ``sink`` and ``stove`` are unit numbers (-1 for none)."""
    width = units * UNIT
    piece = kit.piece("counter", frame)
    piece.add(
        box((width, 0.08, DEPTH - 0.08), skip=("top", "bottom", "back")),
        kit.materials.dark(),
        0.0,
        0.04,
        DEPTH / 2.0 - 0.04,
    )
    body = box((width, 0.8, DEPTH - 0.02), 0.6, ("top", "bottom", "back"))
    piece.add(body, look.body, 0.0, 0.48, (DEPTH - 0.02) / 2.0)
    piece.add(box((width + 0.02, 0.04, DEPTH + 0.02), 0.35, ("back",)), look.top, 0.0, TOP - 0.02, (DEPTH + 0.02) / 2.0)
    for k in range(units):
        x = -width / 2.0 + UNIT * (k + 0.5)
        if k == stove:
            _stove(kit, frame.moved(x, 0.0, 0.0))
            continue
        drawers = 3 if k % 3 == 1 and k != sink else 1
        step = 0.78 / drawers
        for row in range(drawers):
            y = 0.1 + step * (row + 0.5)
            piece.add(box((UNIT - 0.01, step - 0.01, 0.018), 0.6, ("back",)), look.fronts, x, y, DEPTH - 0.011)
            piece.add(box((0.2, 0.014, 0.025)), kit.materials.metal(), x, y + step / 2.0 - 0.06, DEPTH + 0.006)
        if k == sink:
            _sink(kit, frame.moved(x, TOP, DEPTH / 2.0))


def _sink(kit: Kit, frame: Frame) -> None:
    piece = kit.piece("sink", frame)
    metal = kit.materials.metal()
    rim = 0.03
    for sign in (-1.0, 1.0):
        piece.add(box((0.5, 0.012, rim)), metal, 0.0, 0.006, sign * 0.19)
        piece.add(box((rim, 0.012, 0.41)), metal, sign * 0.235, 0.006, 0.0)
    piece.add(
        box((0.46, 0.002, 0.36), skip=("bottom",)),
        kit.materials.of_colour("basin", (0.42, 0.43, 0.45)),
        0.0,
        0.002,
        0.0,
    )
    tap = joined(
        [
            cylinder(0.014, 0.26, 8),
            box((0.02, 0.02, 0.16)).at(0.0, 0.25, 0.07),
            cylinder(0.009, 0.05, 6).at(0.0, 0.2, 0.14),
        ]
    )
    piece.add(tap, metal, 0.0, 0.0, -0.22)


def _stove(kit: Kit, frame: Frame) -> None:
    piece = kit.piece("stove", frame)
    metal, dark = kit.materials.metal(), kit.materials.dark()
    piece.add(box((UNIT - 0.008, 0.8, 0.03), 0.5, ("back",)), metal, 0.0, 0.48, DEPTH - 0.012)
    piece.add(box((UNIT - 0.1, 0.42, 0.012), skip=("back",)), dark, 0.0, 0.42, DEPTH + 0.008)
    piece.add(box((UNIT - 0.1, 0.02, 0.03)), metal, 0.0, 0.68, DEPTH + 0.025)
    for k in range(4):
        piece.add(cylinder(0.02, 0.025, 8).lying_along_z(), dark, -0.2 + 0.133 * k, 0.8, DEPTH)
    piece.add(box((UNIT - 0.04, 0.012, 0.5), skip=("bottom",)), dark, 0.0, TOP + 0.004, 0.3)
    ring = kit.materials.of_colour("hob-ring", (0.25, 0.22, 0.22))
    for x in (-0.13, 0.13):
        for z in (0.18, 0.42):
            piece.add(cylinder(0.085, 0.004, 14), ring, x, TOP + 0.01, z)
    if kit.draws.chance(0.7):
        _pot(kit, frame.moved(0.13, TOP + 0.014, 0.42))


def _pot(kit: Kit, frame: Frame) -> None:
    piece = kit.piece("pot", frame)
    profile = [(0.0, 0.0), (0.1, 0.0), (0.105, 0.12), (0.11, 0.125), (0.05, 0.15), (0.0, 0.155)]
    piece.add(lathe(profile, 14), kit.materials.of_colour("enamel", (0.68, 0.20, 0.16)))
    piece.add(cylinder(0.016, 0.025, 8), kit.materials.dark(), 0.0, 0.15, 0.0)
    for sign in (-1.0, 1.0):
        piece.add(box((0.04, 0.012, 0.05)), kit.materials.dark(), sign * 0.12, 0.1, 0.0)


def wall_units(kit: Kit, frame: Frame, units: int, hood: int, look: KitchenFronts) -> None:
    """Wall cupboards above a counter, centred on the frame; ``hood`` is the unit left out for an extractor hood."""
    width = units * UNIT
    piece = kit.piece("wall_cabinet", frame)
    for k in range(units):
        x = -width / 2.0 + UNIT * (k + 0.5)
        if k == hood:
            _hood(kit, frame.moved(x, 0.0, 0.0))
            continue
        piece.add(box((UNIT, 0.62, 0.32), 0.4, ("back",)), look.body, x, 1.75, 0.16)
        piece.add(box((UNIT - 0.01, 0.61, 0.018), 0.4, ("back",)), look.fronts, x, 1.75, 0.329)
        piece.add(
            box((0.014, 0.12, 0.022)), kit.materials.metal(), x + 0.22 * (1.0 if k % 2 == 0 else -1.0), 1.55, 0.348
        )


def _hood(kit: Kit, frame: Frame) -> None:
    piece = kit.piece("range_hood", frame)
    metal = kit.materials.metal()
    piece.add(box((UNIT - 0.02, 0.07, 0.46)), metal, 0.0, 1.6, 0.23)
    piece.add(box((0.26, 0.72, 0.26), 0.4, ("bottom", "back")), metal, 0.0, 1.98, 0.14)


def fridge(kit: Kit, frame: Frame) -> None:
    """A fridge-freezer, 0.62 m wide, 1.85 m high."""
    piece = kit.piece("fridge", frame)
    coat = kit.materials.metal() if kit.draws.chance(0.5) else kit.materials.white()
    piece.add(box((0.62, 1.83, 0.58), 0.5, ("bottom",)), coat, 0.0, 0.935, 0.29)
    for low, high in ((0.04, 0.66), (0.67, 1.84)):
        door = rounded_box((0.615, high - low, 0.06), 0.015, 0.4)
        piece.add(door, coat, 0.0, (low + high) / 2.0, 0.61)
        handle_y = high - 0.22 if low < 0.1 else low + 0.28
        piece.add(box((0.02, 0.32, 0.025)), kit.materials.dark(), -0.25, handle_y, 0.655)


def clutter(kit: Kit, frame: Frame) -> None:
    """Something that stands on a worktop: kettle, toaster, board, bottles or jars; y = 0 is the worktop."""
    kind = kit.draws.integer(5)
    if kind == 0:
        piece = kit.piece("kettle", frame)
        piece.add(lathe([(0.0, 0.0), (0.08, 0.0), (0.085, 0.02), (0.06, 0.2), (0.0, 0.22)], 14), kit.materials.metal())
        piece.add(box((0.02, 0.15, 0.02)), kit.materials.dark(), 0.1, 0.12, 0.0)
        piece.add(box((0.05, 0.02, 0.02)), kit.materials.dark(), 0.085, 0.19, 0.0)
    elif kind == 1:
        piece = kit.piece("toaster", frame)
        piece.add(rounded_box((0.28, 0.18, 0.16), 0.03), kit.materials.lacquer(kit.draws.integer(3)), 0.0, 0.1, 0.0)
        for z in (-0.03, 0.03):
            piece.add(box((0.2, 0.004, 0.025)), kit.materials.dark(), 0.0, 0.191, z)
    elif kind == 2:
        piece = kit.piece("cutting_board", frame)
        piece.add(box((0.36, 0.02, 0.24)), kit.materials.wood(kit.draws.integer(3)), 0.0, 0.01, 0.0)
    elif kind == 3:
        _bottles(kit, frame)
    else:
        piece = kit.piece("microwave", frame)
        piece.add(box((0.46, 0.27, 0.34)), kit.materials.white(), 0.0, 0.14, 0.0)
        piece.add(box((0.31, 0.21, 0.01)), kit.materials.dark(), -0.06, 0.14, 0.172)


def _bottles(kit: Kit, frame: Frame) -> None:
    glass = (("green-glass", (0.20, 0.36, 0.22)), ("brown-glass", (0.36, 0.22, 0.12)), ("oil", (0.74, 0.66, 0.24)))
    for k in range(3):
        piece: Piece = kit.piece("bottle", frame.moved(0.1 * (k - 1), 0.0, kit.draws.uniform(-0.03, 0.03)))
        name, colour = glass[k]
        height = kit.draws.uniform(0.22, 0.32)
        profile = [
            (0.0, 0.0),
            (0.034, 0.0),
            (0.034, height * 0.6),
            (0.013, height * 0.75),
            (0.013, height),
            (0.0, height),
        ]
        piece.add(lathe(profile, 10), kit.materials.of_colour(name, colour))
