"""Chairs, sofas, armchairs and stools."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit, Piece
from images.embedded.homes.materials import Material
from images.embedded.homes.shapes import box, cylinder, rounded_box

CHAIR_WIDTH = 0.46


def chair(kit: Kit, frame: Frame, design: int, wood: Material, cloth: Material) -> None:
    """A dining chair centred on its seat, looking to +z; ``design`` 0 slats, 1 padded back, 2 solid shell."""
    piece = kit.piece("chair", frame)
    if design == 2:
        _shell_chair(piece, wood, cloth)
        return
    for x in (-0.19, 0.19):
        piece.add(box((0.036, 0.44, 0.036), skip=("top", "bottom")), wood, x, 0.22, 0.18)
        piece.add(box((0.036, 0.92, 0.036), skip=("bottom",)), wood, x, 0.46, -0.19)
    piece.add(box((0.40, 0.05, 0.40)), wood, 0.0, 0.425, 0.0)
    piece.add(rounded_box((0.43, 0.06, 0.42), 0.025), cloth, 0.0, 0.47, 0.01)
    if design == 0:
        for y in (0.60, 0.72, 0.85):
            piece.add(box((0.36, 0.065, 0.022)), wood, 0.0, y, -0.19)
    else:
        piece.add(rounded_box((0.40, 0.36, 0.05), 0.025), cloth, 0.0, 0.74, -0.18)


def _shell_chair(piece: Piece, legs: Material, shell: Material) -> None:
    for x in (-0.17, 0.17):
        for z in (-0.17, 0.17):
            piece.add(cylinder(0.014, 0.43, 6, 0.018), legs, x, 0.0, z)
    piece.add(rounded_box((0.44, 0.05, 0.43), 0.025), shell, 0.0, 0.45, 0.0)
    piece.add(rounded_box((0.42, 0.38, 0.04), 0.02), shell, 0.0, 0.66, -0.20)


def stool(kit: Kit, frame: Frame, height: float) -> None:
    """A round stool centred on its seat."""
    piece = kit.piece("stool", frame)
    wood = kit.materials.wood(kit.draws.integer(3))
    for x in (-0.12, 0.12):
        for z in (-0.12, 0.12):
            piece.add(box((0.03, height - 0.03, 0.03), skip=("top", "bottom")), wood, x, (height - 0.03) / 2.0, z)
    piece.add(cylinder(0.18, 0.04, 16), wood, 0.0, height - 0.04, 0.0)


def office_chair(kit: Kit, frame: Frame) -> None:
    """A swivel chair centred on its column, looking to +z."""
    piece = kit.piece("chair", frame)
    dark = kit.materials.dark()
    cloth = kit.materials.leather() if kit.draws.chance(0.5) else kit.materials.fabric(kit.draws.integer(7))
    for k in range(5):
        spoke = box((0.05, 0.03, 0.28)).at(0.0, 0.05, 0.14).turned(k * 1.2566)
        piece.add(spoke, dark)
    piece.add(cylinder(0.025, 0.38, 8), dark, 0.0, 0.06, 0.0)
    piece.add(rounded_box((0.48, 0.09, 0.46), 0.04), cloth, 0.0, 0.48, 0.0)
    piece.add(box((0.06, 0.30, 0.02)), dark, 0.0, 0.58, -0.24)
    piece.add(rounded_box((0.44, 0.50, 0.07), 0.035), cloth, 0.0, 0.86, -0.22)
    for x in (-0.26, 0.26):
        piece.add(box((0.04, 0.20, 0.03)), dark, x, 0.57, 0.0)
        piece.add(box((0.05, 0.025, 0.24)), dark, x, 0.68, 0.0)


def sofa(kit: Kit, frame: Frame, width: float, cloth: Material, cushion: Material) -> None:
    """A sofa of 0.9 m depth with its back to the wall."""
    piece = kit.piece("sofa", frame)
    depth, arm = 0.88, 0.17
    for x in (-width / 2.0 + 0.12, width / 2.0 - 0.12):
        for z in (0.1, depth - 0.1):
            piece.add(cylinder(0.02, 0.1, 6), kit.materials.dark(), x, 0.0, z)
    piece.add(rounded_box((width, 0.24, depth), 0.04, 0.8), cloth, 0.0, 0.21, depth / 2.0)
    piece.add(rounded_box((width, 0.62, 0.22), 0.07, 0.8), cloth, 0.0, 0.54, 0.12)
    for sign in (-1.0, 1.0):
        piece.add(rounded_box((arm, 0.46, depth), 0.06), cloth, sign * (width - arm) / 2.0, 0.36, depth / 2.0)
    count = 3 if width > 2.0 else 2
    each = (width - 2.0 * arm) / count
    for k in range(count):
        x = -width / 2.0 + arm + each * (k + 0.5)
        piece.add(rounded_box((each - 0.015, 0.15, 0.66), 0.05), cloth, x, 0.40, 0.54)
        piece.add(rounded_box((each - 0.02, 0.36, 0.16), 0.06), cloth, x, 0.63, 0.27)
    for sign in (-1.0, 1.0):
        tilt = sign * kit.draws.uniform(0.1, 0.4)
        x = sign * (width / 2.0 - arm - 0.22)
        piece.add(rounded_box((0.40, 0.36, 0.13), 0.06).turned(-tilt), cushion, x, 0.64, 0.42)


def armchair(kit: Kit, frame: Frame, cloth: Material) -> None:
    """An armchair of 0.8 x 0.8 m with its back at z = 0."""
    piece = kit.piece("armchair", frame)
    wood = kit.materials.wood(0)
    for x in (-0.3, 0.3):
        for z in (0.1, 0.7):
            piece.add(cylinder(0.018, 0.14, 6, 0.024), wood, x, 0.0, z)
    piece.add(rounded_box((0.76, 0.2, 0.78), 0.05), cloth, 0.0, 0.24, 0.4)
    piece.add(rounded_box((0.74, 0.62, 0.18), 0.08), cloth, 0.0, 0.6, 0.1)
    for sign in (-1.0, 1.0):
        piece.add(rounded_box((0.15, 0.34, 0.72), 0.06), cloth, sign * 0.31, 0.46, 0.4)
    piece.add(rounded_box((0.5, 0.14, 0.56), 0.05), cloth, 0.0, 0.4, 0.48)


def pouf(kit: Kit, frame: Frame) -> None:
    """A round upholstered footstool."""
    piece = kit.piece("pouf", frame)
    piece.add(rounded_box((0.46, 0.38, 0.46), 0.14), kit.materials.fabric(kit.draws.integer(7)), 0.0, 0.19, 0.0)


def bench(kit: Kit, frame: Frame, width: float) -> None:
    """A wooden bench with a cushion, back at z = 0."""
    piece = kit.piece("bench", frame)
    wood = kit.materials.wood(kit.draws.integer(3))
    for sign in (-1.0, 1.0):
        piece.add(box((0.05, 0.40, 0.32), skip=("bottom",)), wood, sign * (width / 2.0 - 0.08), 0.20, 0.18)
    piece.add(box((width, 0.04, 0.36)), wood, 0.0, 0.42, 0.18)
    piece.add(
        rounded_box((width - 0.04, 0.06, 0.34), 0.03), kit.materials.fabric(kit.draws.integer(7)), 0.0, 0.47, 0.18
    )
