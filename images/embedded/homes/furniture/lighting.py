"""Lamps: each has a glowing shade and a bulb that lights the room in the bake."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit
from images.embedded.homes.floorplan import HEIGHT
from images.embedded.homes.shapes import Shape, box, cylinder, ellipsoid, lathe

CEILING_POWER = 2.6
"""Strength of a ceiling lamp: irradiance in units of the baked light at 1 m."""


def _shade(bottom: float, top: float, height: float) -> Shape:
    """An open cloth shade: seen from both sides."""
    return lathe([(bottom, 0.0), (top, height)], 16).both_sides()


def ceiling_lamp(kit: Kit, frame: Frame, power: float) -> None:
    """A pendant, drum or dome under the ceiling; the frame stands on the floor below it."""
    piece = kit.piece("ceiling_lamp", frame)
    shade, dark = kit.materials.lampshade(), kit.materials.dark()
    design = kit.draws.integer(4)
    piece.add(cylinder(0.05, 0.025, 10), dark, 0.0, HEIGHT - 0.025, 0.0)
    if design == 0:
        piece.add(_shade(0.24, 0.12, 0.2), shade, 0.0, HEIGHT - 0.55, 0.0)
        piece.add(cylinder(0.006, 0.36, 5), dark, 0.0, HEIGHT - 0.37, 0.0)
        y = HEIGHT - 0.5
    elif design == 1:
        piece.add(_shade(0.26, 0.26, 0.18), shade, 0.0, HEIGHT - 0.32, 0.0)
        piece.add(cylinder(0.006, 0.16, 5), dark, 0.0, HEIGHT - 0.18, 0.0)
        piece.add(lathe([(0.0, 0.0), (0.25, 0.0)], 16).both_sides(), shade, 0.0, HEIGHT - 0.31, 0.0)
        y = HEIGHT - 0.36
    elif design == 2:
        piece.add(
            lathe([(0.0, 0.0), (0.14, 0.02), (0.2, 0.09), (0.2, 0.11)], 18).both_sides(), shade, 0.0, HEIGHT - 0.11, 0.0
        )
        y = HEIGHT - 0.2
    else:
        piece.add(ellipsoid((0.17, 0.17, 0.17), 14), shade, 0.0, HEIGHT - 0.5, 0.0)
        piece.add(cylinder(0.006, 0.34, 5), dark, 0.0, HEIGHT - 0.34, 0.0)
        y = HEIGHT - 0.5
    piece.lamp(0.0, y, 0.0, power, 0.18)


def floor_lamp(kit: Kit, frame: Frame) -> None:
    """A standing lamp, 1.6 m high."""
    piece = kit.piece("floor_lamp", frame)
    metal = kit.materials.dark() if kit.draws.chance(0.5) else kit.materials.metal()
    piece.add(cylinder(0.14, 0.025, 16), metal)
    piece.add(cylinder(0.012, 1.35, 6), metal, 0.0, 0.02, 0.0)
    piece.add(_shade(0.2, 0.14, 0.26), kit.materials.lampshade(), 0.0, 1.34, 0.0)
    piece.lamp(0.0, 1.46, 0.0, 0.5, 0.1)


def table_lamp(kit: Kit, frame: Frame) -> None:
    """A small lamp with a ceramic foot; the frame stands on the table's top."""
    piece = kit.piece("table_lamp", frame)
    foot = [(0.0, 0.0), (0.06, 0.0), (0.075, 0.05), (0.03, 0.14), (0.012, 0.18), (0.012, 0.24)]
    piece.add(lathe(foot, 12), kit.materials.ceramic(kit.draws.integer(3)))
    piece.add(_shade(0.14, 0.09, 0.17), kit.materials.lampshade(), 0.0, 0.2, 0.0)
    piece.lamp(0.0, 0.28, 0.0, 0.18, 0.06)


def desk_lamp(kit: Kit, frame: Frame) -> None:
    """An arm lamp; the frame stands on the desk's top."""
    piece = kit.piece("desk_lamp", frame)
    dark = kit.materials.dark()
    piece.add(cylinder(0.075, 0.02, 12), dark)
    piece.add(box((0.018, 0.4, 0.018)), dark, 0.0, 0.2, 0.0)
    piece.add(box((0.018, 0.018, 0.24)), dark, 0.0, 0.4, 0.11)
    piece.add(lathe([(0.08, 0.0), (0.03, 0.09)], 12).both_sides(), dark, 0.0, 0.32, 0.22)
    piece.add(ellipsoid((0.025, 0.025, 0.025), 8), kit.materials.lampshade(), 0.0, 0.34, 0.22)
    piece.lamp(0.0, 0.32, 0.22, 0.16, 0.05)
