"""Bath, shower, toilet, washbasin, washing machine; backs at z = 0."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit
from images.embedded.homes.furniture.decor import wall_mirror
from images.embedded.homes.materials import Material
from images.embedded.homes.shapes import box, cylinder, ellipsoid, joined, lathe, rounded_box


def bathtub(kit: Kit, frame: Frame, width: float) -> None:
    """A bathtub 0.75 m deep along the wall."""
    piece = kit.piece("bathtub", frame)
    white, depth, height, rim = kit.materials.white(), 0.75, 0.56, 0.07
    for z in (rim / 2.0, depth - rim / 2.0):
        piece.add(rounded_box((width, height, rim), 0.02, 0.4), white, 0.0, height / 2.0, z)
    for sign in (-1.0, 1.0):
        piece.add(
            rounded_box((rim, height, depth), 0.02, 0.4), white, sign * (width - rim) / 2.0, height / 2.0, depth / 2.0
        )
    bottom = box((width - 2.0 * rim, 0.02, depth - 2.0 * rim), 0.3, ("front", "back", "left", "right", "bottom"))
    piece.add(bottom, white, 0.0, 0.17, depth / 2.0)
    tap = joined([box((0.18, 0.04, 0.06)), cylinder(0.016, 0.14, 8).lying_along_z().at(0.0, -0.03, 0.02)])
    piece.add(tap, kit.materials.metal(), width / 2.0 - 0.5, 0.72, 0.03)


def shower(kit: Kit, frame: Frame) -> None:
    """A shower tray 0.9 x 0.9 m with a rail and curtain-less panel frame."""
    piece = kit.piece("shower", frame)
    metal = kit.materials.metal()
    piece.add(rounded_box((0.9, 0.12, 0.9), 0.03, 0.4), kit.materials.white(), 0.0, 0.06, 0.45)
    piece.add(cylinder(0.012, 1.2, 6), metal, 0.0, 0.95, 0.05)
    piece.add(cylinder(0.1, 0.02, 14), metal, 0.0, 2.1, 0.3)
    piece.add(cylinder(0.01, 0.28, 6).lying_along_z(), metal, 0.0, 2.13, 0.03)
    for x in (-0.44, 0.44):
        piece.add(box((0.025, 1.95, 0.025), 0.6), metal, x, 1.08, 0.88)
    piece.add(box((0.9, 0.025, 0.025), 0.6), metal, 0.0, 2.05, 0.88)


def toilet(kit: Kit, frame: Frame) -> None:
    """A toilet with cistern."""
    piece = kit.piece("toilet", frame)
    white = kit.materials.white()
    piece.add(rounded_box((0.38, 0.36, 0.17), 0.03), white, 0.0, 0.62, 0.09)
    foot = lathe([(0.0, 0.0), (0.13, 0.0), (0.11, 0.12), (0.18, 0.36), (0.19, 0.4), (0.0, 0.4)], 16)
    piece.add(foot, white, 0.0, 0.0, 0.42)
    piece.add(box((0.2, 0.4, 0.24), skip=("bottom",)), white, 0.0, 0.2, 0.2)
    seat = ellipsoid((0.2, 0.02, 0.25), 16)
    piece.add(seat, kit.materials.of_colour("seat", (0.90, 0.89, 0.86)), 0.0, 0.42, 0.42)
    piece.add(box((0.07, 0.008, 0.04)), kit.materials.metal(), 0.0, 0.804, 0.09)


def washstand(kit: Kit, frame: Frame, width: float, rim: Material) -> None:
    """A basin on a cabinet with a mirror above it."""
    piece = kit.piece("washbasin", frame)
    front = kit.materials.lacquer(1) if kit.draws.chance(0.5) else kit.materials.wood(kit.draws.integer(3))
    depth = 0.46
    piece.add(box((width - 0.04, 0.6, depth - 0.04), 0.4, ("bottom", "back")), front, 0.0, 0.5, (depth - 0.04) / 2.0)
    for sign in (-1.0, 1.0):
        piece.add(box((width / 2.0 - 0.03, 0.56, 0.018), 0.4, ("back",)), front, sign * width / 4.0, 0.5, depth - 0.03)
        piece.add(box((0.014, 0.14, 0.02)), kit.materials.metal(), sign * 0.05, 0.6, depth - 0.01)
    piece.add(rounded_box((width, 0.1, depth), 0.03, 0.3), kit.materials.white(), 0.0, 0.85, depth / 2.0)
    hollow = kit.materials.of_colour("basin", (0.62, 0.63, 0.64))
    piece.add(ellipsoid((width * 0.34, 0.01, depth * 0.32), 18), hollow, 0.0, 0.898, depth * 0.54)
    tap = joined([cylinder(0.014, 0.13, 8), box((0.018, 0.018, 0.12)).at(0.0, 0.12, 0.05)])
    piece.add(tap, kit.materials.metal(), 0.0, 0.9, 0.06)
    wall_mirror(kit, frame.moved(0.0, 1.5, -0.012), width * 0.85, 0.75, rim)


def washing_machine(kit: Kit, frame: Frame) -> None:
    """A front loader, 0.6 m wide."""
    piece = kit.piece("washing_machine", frame)
    piece.add(rounded_box((0.6, 0.85, 0.56), 0.015, 0.4), kit.materials.white(), 0.0, 0.425, 0.28)
    piece.add(cylinder(0.19, 0.025, 20).lying_along_z(), kit.materials.metal(), 0.0, 0.42, 0.56)
    piece.add(cylinder(0.15, 0.03, 20).lying_along_z(), kit.materials.dark(), 0.0, 0.42, 0.562)
    piece.add(box((0.2, 0.06, 0.01)), kit.materials.dark(), 0.14, 0.77, 0.562)


def towel_rail(kit: Kit, frame: Frame) -> None:
    """A rail with a towel on the wall; y = 0 is the rail."""
    piece = kit.piece("towel", frame)
    piece.add(cylinder(0.01, 0.6, 6).lying_along_x(), kit.materials.metal(), -0.3, 0.0, 0.07)
    cloth = box((0.42, 0.55, 0.03), 0.3)
    piece.add(cloth, kit.materials.fabric(kit.draws.integer(7)), 0.03, -0.25, 0.07)
