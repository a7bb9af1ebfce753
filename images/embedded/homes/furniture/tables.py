"""Tables and desks."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit, Piece
from images.embedded.homes.materials import Material
from images.embedded.homes.shapes import box, cylinder, lathe, rounded_box

DINING_HEIGHT = 0.75


def table(kit: Kit, frame: Frame, width: float, depth: float, height: float, wood: Material) -> None:
    """A rectangular table centred on the frame, with straight, tapered or cheek legs."""
    piece = kit.piece("table", frame)
    piece.add(box((width, 0.035, depth), 0.4), wood, 0.0, height - 0.0175, 0.0)
    design = kit.draws.integer(3)
    inset_x, inset_z = width / 2.0 - 0.07, depth / 2.0 - 0.07
    if design == 2:
        for sign in (-1.0, 1.0):
            cheek = box((0.045, height - 0.035, depth - 0.12), 0.5, ("top", "bottom"))
            piece.add(cheek, wood, sign * inset_x, (height - 0.035) / 2.0, 0.0)
        piece.add(box((width - 0.18, 0.09, 0.03)), wood, 0.0, height - 0.1, 0.0)
        return
    for x in (-inset_x, inset_x):
        for z in (-inset_z, inset_z):
            if design == 0:
                leg = box((0.06, height - 0.03, 0.06), 0.4, ("top", "bottom"))
                piece.add(leg, wood, x, (height - 0.03) / 2.0, z)
            else:
                piece.add(cylinder(0.02, height - 0.03, 8, 0.034), wood, x, 0.0, z)
    _apron(piece, wood, inset_x, inset_z, height)


def _apron(piece: Piece, wood: Material, x: float, z: float, height: float) -> None:
    for sign in (-1.0, 1.0):
        piece.add(box((2.0 * x, 0.08, 0.02)), wood, 0.0, height - 0.075, sign * z)
        piece.add(box((0.02, 0.08, 2.0 * z)), wood, sign * x, height - 0.075, 0.0)


def round_table(kit: Kit, frame: Frame, radius: float, height: float, wood: Material) -> None:
    """A round table on a turned column."""
    piece = kit.piece("table", frame)
    piece.add(cylinder(radius, 0.03, 24), wood, 0.0, height - 0.03, 0.0)
    foot = min(0.28, radius * 0.62)
    profile = [(0.0, 0.0), (foot, 0.0), (foot, 0.02), (0.05, 0.06), (0.035, 0.2), (0.045, height - 0.03)]
    piece.add(lathe(profile, 16), wood)


def coffee_table(kit: Kit, frame: Frame, width: float, depth: float) -> None:
    """A low table with a shelf underneath."""
    piece = kit.piece("coffee_table", frame)
    wood = kit.materials.wood(kit.draws.integer(3))
    piece.add(box((width, 0.04, depth), 0.35), wood, 0.0, 0.40, 0.0)
    piece.add(box((width - 0.12, 0.02, depth - 0.12), 0.4), wood, 0.0, 0.14, 0.0)
    for x in (-width / 2.0 + 0.05, width / 2.0 - 0.05):
        for z in (-depth / 2.0 + 0.05, depth / 2.0 - 0.05):
            piece.add(box((0.05, 0.39, 0.05), skip=("top", "bottom")), wood, x, 0.195, z)


def side_table(kit: Kit, frame: Frame, height: float) -> None:
    """A small round table, 0.4 m wide, centred on the frame."""
    piece = kit.piece("side_table", frame)
    wood = kit.materials.wood(kit.draws.integer(3))
    piece.add(cylinder(0.2, 0.025, 18), wood, 0.0, height - 0.025, 0.0)
    for k in range(3):
        piece.add(cylinder(0.014, height - 0.02, 6).at(0.13, 0.0, 0.0).turned(k * 2.0944), wood)


def desk(kit: Kit, frame: Frame, width: float, depth: float) -> None:
    """A desk with a drawer block, back at z = 0."""
    piece = kit.piece("desk", frame)
    wood = kit.materials.wood(kit.draws.integer(3))
    fronts = kit.materials.lacquer(0) if kit.draws.chance(0.4) else wood
    height = 0.74
    piece.add(box((width, 0.035, depth), 0.4), wood, 0.0, height - 0.0175, depth / 2.0)
    block = 0.4
    x = -width / 2.0 + block / 2.0 + 0.02
    piece.add(box((block, height - 0.09, depth - 0.06), 0.5, ("top", "bottom")), wood, x, height / 2.0, depth / 2.0)
    for k in range(3):
        y = 0.16 + 0.205 * k
        piece.add(box((block - 0.03, 0.19, 0.018), skip=("back",)), fronts, x, y, depth - 0.022)
        piece.add(box((0.12, 0.015, 0.02)), kit.materials.metal(), x, y + 0.04, depth - 0.008)
    for z in (0.05, depth - 0.05):
        piece.add(box((0.045, height - 0.03, 0.045), skip=("top", "bottom")), wood, width / 2.0 - 0.05, 0.35, z)


def place_setting(kit: Kit, frame: Frame) -> None:
    """A plate and a glass on a table; the frame stands on the table's top."""
    piece = kit.piece("plate", frame)
    plate = [(0.0, 0.0), (0.07, 0.0), (0.12, 0.02), (0.12, 0.024), (0.07, 0.008), (0.0, 0.008)]
    piece.add(lathe(plate, 14), kit.materials.ceramic(0))
    glass = kit.piece("cup", frame.moved(0.15, 0.0, -0.1))
    cup = [(0.0, 0.0), (0.03, 0.0), (0.037, 0.1), (0.033, 0.1), (0.0, 0.012)]
    glass.add(lathe(cup, 10), kit.materials.ceramic(1))


def table_runner(kit: Kit, frame: Frame, width: float, depth: float) -> None:
    """A cloth along a table; the frame stands on the table's top."""
    piece = kit.piece("table_runner", frame)
    piece.add(
        rounded_box((width, 0.006, depth), 0.002, 0.4), kit.materials.fabric(kit.draws.integer(7)), 0.0, 0.003, 0.0
    )
