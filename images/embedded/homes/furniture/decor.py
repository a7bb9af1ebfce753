"""Small things and things on walls: vases, plants, pictures, mirrors, baskets, toys."""

from __future__ import annotations

import math

from images.embedded.homes.draft import Frame, Kit, Piece
from images.embedded.homes.materials import Material
from images.embedded.homes.shapes import (
    Shape,
    blade,
    box,
    cylinder,
    ellipsoid,
    joined,
    lathe,
    mat,
    picture,
    rounded_box,
)

LEAF_REACH = 0.36
"""How far the leaves of a large plant reach sideways in metres: walls stand at 0.38."""

_VASES = (
    ((0.0, 0.0), (0.22, 0.0), (0.34, 0.35), (0.2, 0.7), (0.12, 0.88), (0.18, 1.0), (0.14, 0.98), (0.0, 0.8)),
    ((0.0, 0.0), (0.2, 0.0), (0.26, 0.5), (0.3, 1.0), (0.27, 1.0), (0.0, 0.1)),
    ((0.0, 0.0), (0.3, 0.0), (0.42, 0.25), (0.36, 0.55), (0.15, 0.7), (0.15, 1.0), (0.11, 1.0), (0.0, 0.75)),
)


def vase(kit: Kit, frame: Frame, height: float) -> None:
    """A glazed vase, sometimes with twigs."""
    piece = kit.piece("vase", frame)
    profile = [(r * height * 0.9, y * height) for r, y in kit.draws.pick(_VASES)]
    piece.add(lathe(profile, 14), kit.materials.ceramic(kit.draws.integer(3)))
    if height > 0.2 and kit.draws.chance(0.5):
        twigs = [
            blade(height * 1.3, 0.03, kit.draws.uniform(0.0, 6.28), kit.draws.uniform(2.0, 5.0), 0.03) for _ in range(8)
        ]
        piece.add(joined(twigs).at(0.0, height * 0.85, 0.0), kit.materials.leaves(1))


def bowl(kit: Kit, frame: Frame, radius: float) -> None:
    """A bowl with fruit."""
    piece = kit.piece("bowl", frame)
    profile = [
        (0.0, 0.0),
        (radius * 0.5, 0.0),
        (radius, radius * 0.55),
        (radius * 0.93, radius * 0.55),
        (0.0, radius * 0.12),
    ]
    piece.add(lathe(profile, 16), kit.materials.ceramic(kit.draws.integer(3)))
    colours = (
        ("fruit-red", (0.72, 0.16, 0.12)),
        ("fruit-orange", (0.90, 0.52, 0.12)),
        ("fruit-green", (0.52, 0.66, 0.20)),
    )
    for k in range(4):
        name, colour = kit.draws.pick(colours)
        fruit = ellipsoid((0.036, 0.034, 0.036), 8).at(radius * 0.42, radius * 0.42, 0.0).turned(k * 1.57)
        piece.add(fruit, kit.materials.of_colour(name, colour))


def ball(kit: Kit, frame: Frame, radius: float) -> None:
    """A toy ball."""
    piece = kit.piece("ball", frame)
    piece.add(ellipsoid((radius, radius, radius), 14), kit.materials.fabric(4 + kit.draws.integer(2)), 0.0, radius, 0.0)


def storage_box(kit: Kit, frame: Frame, width: float, height: float) -> None:
    """A cardboard or cloth box with a lid."""
    piece = kit.piece("box", frame)
    material = kit.materials.fabric(kit.draws.integer(7))
    piece.add(box((width, height * 0.85, width * 0.7), 0.4, ("bottom", "top")), material, 0.0, height * 0.425, 0.0)
    piece.add(box((width + 0.015, height * 0.2, width * 0.7 + 0.015), 0.4), material, 0.0, height * 0.9, 0.0)


def book_pile(kit: Kit, frame: Frame) -> None:
    """Three or four books lying on each other."""
    piece = kit.piece("books", frame)
    y = 0.0
    for k in range(3 + kit.draws.integer(2)):
        thickness = kit.draws.uniform(0.02, 0.035)
        cover = box((kit.draws.uniform(0.2, 0.26), thickness, 0.17)).turned(kit.draws.uniform(-0.3, 0.3))
        material = kit.materials.fabric(k) if k % 2 == 0 else kit.materials.paper()
        piece.add(cover, material, 0.0, y + thickness / 2.0, 0.0)
        y += thickness


def photo(kit: Kit, frame: Frame) -> None:
    """A small standing photo frame."""
    piece = kit.piece("photo_frame", frame)
    piece.add(box((0.16, 0.2, 0.015)), kit.materials.wood(kit.draws.integer(3)), 0.0, 0.1, 0.0)
    piece.add(picture(0.13, 0.17), kit.materials.painting(kit.draws.integer(12)), 0.0, 0.1, 0.009)


def ornament(kit: Kit, frame: Frame, height: float) -> None:
    """One of the small things above, at most ``height`` high."""
    kind = kit.draws.integer(6)
    if kind == 0:
        bowl(kit, frame, min(0.13, height * 0.7))
    elif kind == 1:
        storage_box(kit, frame, 0.22, height * 0.6)
    elif kind == 2:
        book_pile(kit, frame)
    elif kind == 3:
        photo(kit, frame)
    elif kind == 4:
        pot_plant(kit, frame, height)
    else:
        vase(kit, frame, height * 0.95)


def pot_plant(kit: Kit, frame: Frame, height: float) -> None:
    """A small plant in a pot for shelves and sills."""
    piece = kit.piece("plant", frame)
    pot = height * 0.42
    profile = [(0.0, 0.0), (pot * 0.42, 0.0), (pot * 0.58, pot), (pot * 0.5, pot), (0.0, pot * 0.85)]
    piece.add(lathe(profile, 12), kit.materials.ceramic(kit.draws.integer(3)))
    leaves = [_leaf(kit, height * 0.6, height * 0.16, 0.5, 3.0, height * 0.15, 0.14) for _ in range(12)]
    piece.add(joined(leaves).at(0.0, pot * 0.9, 0.0), kit.materials.leaves(kit.draws.integer(2)))


def floor_plant(kit: Kit, frame: Frame, height: float) -> None:
    """A large plant in a pot on the floor, centred on the frame."""
    piece = kit.piece("plant", frame)
    pot = 0.34 * min(1.0, height)
    profile = [
        (0.0, 0.0), (pot * 0.42, 0.0), (pot * 0.55, pot * 0.9), (pot * 0.6, pot * 0.9), (pot * 0.6, pot),
        (pot * 0.52, pot), (pot * 0.5, pot * 0.9),
    ]  # fmt: skip
    material = kit.materials.terracotta() if kit.draws.chance(0.4) else kit.materials.ceramic(kit.draws.integer(3))
    piece.add(lathe(profile, 16), material)
    piece.add(cylinder(pot * 0.5, 0.01, 12), kit.materials.soil(), 0.0, pot * 0.86, 0.0)
    palm = kit.draws.chance(0.5)
    green = kit.materials.leaves(0 if palm else 1)
    draws = kit.draws
    if palm:
        leaves = [
            _leaf(kit, height * draws.uniform(0.5, 0.8), 0.09, 0.8, 4.0, height * 0.22, LEAF_REACH) for _ in range(22)
        ]
        piece.add(joined(leaves).at(0.0, pot * 0.9, 0.0), green)
        return
    piece.add(cylinder(0.018, height * 0.6, 7, 0.012), kit.materials.soil(), 0.0, pot * 0.85, 0.0)
    for _ in range(26):
        y = pot + height * draws.uniform(0.1, 0.62)
        piece.add(_leaf(kit, draws.uniform(0.18, 0.34), 0.12, 0.0, 1.4, 0.1, LEAF_REACH), green, 0.0, y, 0.0)


def _leaf(kit: Kit, length: float, width: float, least: float, most: float, droop: float, reach: float) -> Shape:
    """A leaf in a random direction, rising between ``least`` and ``most``, no farther out than ``reach``."""
    rise = kit.draws.uniform(least, most)
    run = length / math.sqrt(1.0 + rise * rise)
    return blade(length * min(1.0, reach / run), width, kit.draws.uniform(0.0, 6.28), rise, droop)


def framed_picture(kit: Kit, frame: Frame, width: float, height: float, index: int, rim: Material) -> None:
    """A picture on the wall; the frame's origin is the middle of the picture on the wall's face."""
    piece = kit.piece("painting", frame)
    piece.add(picture(width, height, 0.4), kit.materials.painting(index), 0.0, 0.0, 0.018)
    _rim(piece, width, height, rim)


def _rim(piece: Piece, width: float, height: float, rim: Material) -> None:
    bar, depth = 0.035, 0.026
    for sign in (-1.0, 1.0):
        upright = box((bar, height + 2.0 * bar, depth), skip=("back",))
        piece.add(upright, rim, sign * (width + bar) / 2.0, 0.0, depth / 2.0 + 0.001)
        piece.add(box((width, bar, depth), skip=("back",)), rim, 0.0, sign * (height + bar) / 2.0, depth / 2.0 + 0.001)


def wall_mirror(kit: Kit, frame: Frame, width: float, height: float, rim: Material) -> None:
    """A mirror on the wall; the frame's origin is its middle on the wall's face."""
    piece = kit.piece("mirror", frame)
    piece.add(picture(width, height, 0.4), kit.materials.mirror(), 0.0, 0.0, 0.014)
    _rim(piece, width, height, rim)


def wall_clock(kit: Kit, frame: Frame, radius: float) -> None:
    """A clock on the wall; the frame's origin is its middle on the wall's face."""
    piece = kit.piece("clock", frame)
    piece.add(cylinder(radius, 0.03, 20).lying_along_z(), kit.materials.dark())
    size = radius * 1.36
    piece.add(picture(size, size), kit.materials.clock(), 0.0, 0.0, 0.032)


def rug(kit: Kit, frame: Frame, width: float, depth: float, index: int) -> None:
    """A rug on the floor, centred on the frame."""
    piece = kit.piece("rug", frame)
    piece.add(mat(width, depth, 0.3), kit.materials.rug(index), 0.0, 0.012, 0.0)
    for sign in (-1.0, 1.0):
        piece.add(
            box((width, 0.012, 0.002), skip=("top", "bottom")), kit.materials.linen(), 0.0, 0.006, sign * depth / 2.0
        )
        piece.add(
            box((0.002, 0.012, depth), skip=("top", "bottom")), kit.materials.linen(), sign * width / 2.0, 0.006, 0.0
        )


def basket(kit: Kit, frame: Frame, radius: float, height: float) -> None:
    """A wicker basket, open at the top, centred on the frame."""
    piece = kit.piece("basket", frame)
    profile = [
        (0.0, 0.0),
        (radius * 0.85, 0.0),
        (radius, height),
        (radius * 0.93, height),
        (radius * 0.8, 0.03),
        (0.0, 0.03),
    ]
    piece.add(lathe(profile, 14), kit.materials.wicker())


def bin_(kit: Kit, frame: Frame) -> None:
    """A steel pedal bin, centred on the frame."""
    piece = kit.piece("bin", frame)
    profile = [(0.0, 0.0), (0.15, 0.0), (0.15, 0.5), (0.155, 0.5), (0.15, 0.55), (0.09, 0.6), (0.0, 0.61)]
    piece.add(lathe(profile, 16), kit.materials.metal())


def toy_blocks(kit: Kit, frame: Frame) -> None:
    """A heap of coloured building blocks on the floor."""
    piece = kit.piece("toy_blocks", frame)
    for k in range(6):
        cube = box((0.09, 0.09, 0.09)).turned(kit.draws.uniform(0.0, 1.5))
        level = 0.045 if k < 4 else 0.135
        x, z = kit.draws.uniform(-0.14, 0.14), kit.draws.uniform(-0.14, 0.14)
        piece.add(cube, kit.materials.fabric(kit.draws.integer(7)), x, level, z)


def teddy(kit: Kit, frame: Frame) -> None:
    """A sitting toy bear, looking to +z."""
    piece = kit.piece("teddy_bear", frame)
    fur = kit.materials.fabric(3)
    piece.add(ellipsoid((0.1, 0.13, 0.09), 10), fur, 0.0, 0.12, 0.0)
    piece.add(ellipsoid((0.08, 0.075, 0.075), 10), fur, 0.0, 0.3, 0.0)
    for sign in (-1.0, 1.0):
        piece.add(ellipsoid((0.03, 0.03, 0.018), 8), fur, sign * 0.065, 0.37, 0.0)
        piece.add(ellipsoid((0.04, 0.04, 0.1), 8), fur, sign * 0.08, 0.05, 0.1)
        piece.add(ellipsoid((0.035, 0.09, 0.035), 8), fur, sign * 0.12, 0.17, 0.04)


def cushion(kit: Kit, frame: Frame) -> None:
    """A floor cushion."""
    piece = kit.piece("cushion", frame)
    piece.add(rounded_box((0.55, 0.14, 0.55), 0.065, 0.3), kit.materials.fabric(kit.draws.integer(7)), 0.0, 0.07, 0.0)
