"""Small things, plants, lamps and what hangs on walls."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit, Lamp
from images.embedded.homes.floorplan import HEIGHT
from images.embedded.homes.ood.materials import OodMaterials
from images.embedded.homes.shapes import blade, box, cylinder, ellipsoid, joined, lathe, mat, picture

CEILING_POWER = 2.9
"""Strength of a ceiling lamp: irradiance in units of the baked light at 1 m."""


def light(kit: Kit, frame: Frame, y: float, z: float, power: float, radius: float) -> None:
    """Light a bulb of the home's colour at (0, y, z) of the frame."""
    assert isinstance(kit.materials, OodMaterials)
    red, green, blue = kit.materials.lamp_colour
    kit.draft.lamps.append(Lamp(frame.point(0.0, y, z), (red * power, green * power, blue * power), radius))


def small_thing(kit: Kit, frame: Frame, height: float) -> None:
    """A stack of balls, a ring, a cactus, a cone, a jar or a row of blocks, at most ``height`` high."""
    kind, draws = kit.draws.integer(6), kit.draws
    if kind == 0:
        piece, y = kit.piece("sculpture", frame), 0.0
        for k in range(3):
            radius = height / 6.0 * (1.15 - 0.25 * k)
            piece.add(ellipsoid((radius, radius, radius), 12), kit.materials.ceramic(k), 0.0, y + radius, 0.0)
            y += 2.0 * radius
    elif kind == 1:
        piece = kit.piece("hourglass", frame)
        half = height * 0.45
        piece.add(cylinder(height * 0.24, half, 14, 0.012), kit.materials.metal())
        piece.add(cylinder(0.012, half, 14, height * 0.24), kit.materials.ceramic(0), 0.0, half, 0.0)
    elif kind == 2:
        cactus(kit, frame, height)
    elif kind == 3:
        piece = kit.piece("cones", frame)
        for x, share in ((-0.05, 0.95), (0.06, 0.6)):
            piece.add(cylinder(height * 0.2, height * share, 12, 0.004), kit.materials.lacquer(draws.integer(4)), x)
    elif kind == 4:
        piece = kit.piece("jar", frame)
        piece.add(cylinder(height * 0.26, height * 0.66, 8), kit.materials.ceramic(draws.integer(3)))
        piece.add(ellipsoid((height * 0.27, height * 0.1, height * 0.27), 10), kit.materials.metal(), 0.0, height * 0.7)
    else:
        piece = kit.piece("blocks", frame)
        for k in range(4):
            size = height * draws.uniform(0.3, 0.8)
            piece.add(box((0.05, size, 0.05)), kit.materials.lacquer(k), 0.06 * (k - 1.5), size / 2.0, 0.0)


def cactus(kit: Kit, frame: Frame, height: float) -> None:
    """A cactus of three limbs in a square pot."""
    piece = kit.piece("cactus", frame)
    pot = height * 0.3
    piece.add(box((pot * 1.3, pot, pot * 1.3), skip=("bottom",)), kit.materials.lacquer(1), 0.0, pot / 2.0, 0.0)
    green, body = kit.materials.leaves(kit.draws.integer(3)), height - pot
    piece.add(ellipsoid((body * 0.13, body * 0.52, body * 0.13), 10), green, 0.0, pot + body * 0.46, 0.0)
    for sign, level in ((-1.0, 0.45), (1.0, 0.6)):
        elbow = ellipsoid((body * 0.13, body * 0.07, body * 0.07), 8).at(sign * body * 0.17, body * level, 0.0)
        tip = ellipsoid((body * 0.075, body * 0.2, body * 0.075), 8)
        limb = joined([elbow, tip.at(sign * body * 0.26, body * (level + 0.14), 0.0)])
        piece.add(limb, green, 0.0, pot, 0.0)


def round_tree(kit: Kit, frame: Frame, height: float) -> None:
    """A clipped tree of balls in a tall cone pot, centred on the frame."""
    piece = kit.piece("tree", frame)
    piece.add(cylinder(0.13, 0.4, 14, 0.22), kit.materials.ceramic(kit.draws.integer(3)))
    piece.add(cylinder(0.02, height - 0.4, 6), kit.materials.wood(1), 0.0, 0.38, 0.0)
    green = kit.materials.leaves(kit.draws.integer(3))
    for share, radius in ((0.62, 0.25), (0.98, 0.19)):
        piece.add(ellipsoid((radius, radius * 0.9, radius), 12), green, 0.0, height * share, 0.0)


def banana_plant(kit: Kit, frame: Frame, height: float) -> None:
    """A few very broad leaves from a drum pot, centred on the frame."""
    piece = kit.piece("tree", frame)
    piece.add(cylinder(0.2, 0.3, 8), kit.materials.lacquer(kit.draws.integer(4)))
    leaves = [
        blade(height * kit.draws.uniform(0.7, 0.9), 0.28, 1.05 * k + kit.draws.uniform(0.0, 0.5), 5.0, height * 0.16)
        for k in range(6)
    ]
    piece.add(joined(leaves).at(0.0, 0.28, 0.0), kit.materials.leaves(kit.draws.integer(3)))


def tube_lamp(kit: Kit, frame: Frame, power: float, along_x: bool) -> None:
    """A long bar or a cluster of balls under the ceiling; the frame stands on the floor below it."""
    piece = kit.piece("tube_lamp", frame)
    glow, dark = kit.materials.lampshade(), kit.materials.dark()
    if kit.draws.chance(0.55):
        size = (1.3, 0.05, 0.09) if along_x else (0.09, 0.05, 1.3)
        piece.add(box(size), glow, 0.0, HEIGHT - 0.42, 0.0)
        for sign in (-0.5, 0.5):
            x, z = (sign, 0.0) if along_x else (0.0, sign)
            piece.add(cylinder(0.006, 0.4, 5), dark, x, HEIGHT - 0.4, z)
    else:
        for k in range(5):
            drop = 0.3 + 0.09 * (k * 2 % 5)
            ball = ellipsoid((0.07, 0.07, 0.07), 10).at(0.0, HEIGHT - drop, 0.2).turned(k * 1.2566)
            cord = cylinder(0.005, drop - 0.06, 4).at(0.0, HEIGHT - drop + 0.06, 0.2).turned(k * 1.2566)
            piece.add(ball, glow)
            piece.add(cord, dark)
    light(kit, frame, HEIGHT - 0.5, 0.0, power, 0.2)


def arc_lamp(kit: Kit, frame: Frame) -> None:
    """A post with an arm and a globe, centred on its foot, leaning to +z."""
    piece = kit.piece("arc_lamp", frame)
    metal = kit.materials.metal()
    piece.add(box((0.26, 0.05, 0.26), skip=("bottom",)), metal, 0.0, 0.025, 0.0)
    piece.add(cylinder(0.016, 1.75, 8), metal, 0.0, 0.04, 0.0)
    piece.add(box((0.03, 0.03, 0.4)), metal, 0.0, 1.78, 0.19)
    piece.add(ellipsoid((0.13, 0.13, 0.13), 14), kit.materials.lampshade(), 0.0, 1.64, 0.36)
    light(kit, frame, 1.5, 0.36, 0.5, 0.1)


def stove(kit: Kit, frame: Frame) -> None:
    """A round iron stove with its pipe and a stack of logs, 0.5 m deep, back at z = 0."""
    piece = kit.piece("fireplace", frame)
    iron = kit.materials.dark()
    piece.add(cylinder(0.22, 0.85, 16), iron, -0.1, 0.1, 0.26)
    piece.add(cylinder(0.07, HEIGHT - 0.95, 10), iron, -0.1, 0.95, 0.26)
    piece.add(box((0.26, 0.28, 0.02)), kit.materials.lampshade(), -0.1, 0.5, 0.47)
    logs = kit.piece("logs", frame)
    for k in range(6):
        log = cylinder(0.06, 0.3, 8).lying_along_z()
        logs.add(log, kit.materials.wood(k), 0.26 + 0.12 * (k % 2), 0.07 + 0.12 * (k // 2), 0.1)


def poster(kit: Kit, frame: Frame, width: float, height: float, index: int) -> None:
    """A frameless poster between two rods; the frame's origin is its middle on the wall's face."""
    piece = kit.piece("poster", frame)
    piece.add(picture(width, height, 0.4), kit.materials.painting(index), 0.0, 0.0, 0.012)
    for sign in (-1.0, 1.0):
        rod = cylinder(0.014, width + 0.08, 6).lying_along_x()
        piece.add(rod, kit.materials.metal(), -width / 2.0 - 0.04, sign * height / 2.0, 0.018)


def disc(kit: Kit, frame: Frame, radius: float) -> None:
    """A round mirror in a thick ring; the frame's origin is its middle on the wall's face."""
    piece = kit.piece("round_mirror", frame)
    piece.add(cylinder(radius, 0.035, 24).lying_along_z(), kit.materials.lacquer(2))
    piece.add(cylinder(radius * 0.86, 0.004, 24).lying_along_z(), kit.materials.mirror(), 0.0, 0.0, 0.036)


def plates(kit: Kit, frame: Frame) -> None:
    """A swarm of glazed plates; the frame's origin is its middle on the wall's face."""
    for x, y, radius in ((-0.2, 0.1, 0.13), (0.1, 0.2, 0.1), (0.06, -0.14, 0.15), (0.33, 0.03, 0.09)):
        piece = kit.piece("wall_plate", frame.moved(x, y, 0.0))
        piece.add(cylinder(radius, 0.03, 16).lying_along_z(), kit.materials.ceramic(kit.draws.integer(3)))


def sconce(kit: Kit, frame: Frame) -> None:
    """A half-lit column on the wall; the frame's origin is its middle on the wall's face."""
    piece = kit.piece("sconce", frame)
    piece.add(cylinder(0.06, 0.4, 10), kit.materials.lampshade(), 0.0, -0.2, 0.07)
    piece.add(box((0.1, 0.46, 0.02)), kit.materials.metal(), 0.0, 0.0, 0.01)
    light(kit, frame, 0.0, 0.18, 0.25, 0.06)


def banner(kit: Kit, frame: Frame, height: float) -> None:
    """A woven strip that hangs from a peg; the frame's origin is the peg on the wall's face."""
    piece = kit.piece("banner", frame)
    piece.add(box((0.4, height, 0.02), 0.5), kit.materials.fabric(3 + kit.draws.integer(4)), 0.0, -height / 2.0, 0.02)
    piece.add(cylinder(0.015, 0.5, 6).lying_along_x(), kit.materials.wood(0), -0.25, 0.0, 0.02)


def rug(kit: Kit, frame: Frame, width: float, depth: float, index: int) -> None:
    """A rug on the floor, centred on the frame."""
    piece = kit.piece("carpet", frame)
    piece.add(mat(width, depth, 0.3), kit.materials.rug(index), 0.0, 0.012, 0.0)


def toy(kit: Kit, frame: Frame) -> None:
    """A ring stack, a tipi or a wagon, centred on the frame."""
    kind = kit.draws.integer(3)
    piece = kit.piece("toy", frame)
    if kind == 0:
        for k in range(5):
            piece.add(cylinder(0.15 - 0.022 * k, 0.06, 14), kit.materials.lacquer(k), 0.0, 0.065 * k, 0.0)
    elif kind == 1:
        piece.add(lathe([(0.2, 0.0), (0.02, 0.42)], 6).both_sides(), kit.materials.fabric(4))
    else:
        piece.add(box((0.24, 0.12, 0.34)), kit.materials.lacquer(0), 0.0, 0.13, 0.0)
        for x in (-0.13, 0.1):
            for z in (-0.11, 0.11):
                piece.add(cylinder(0.06, 0.03, 12).lying_along_x(), kit.materials.dark(), x, 0.06, z)
