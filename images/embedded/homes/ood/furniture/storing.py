"""Tables and what things are kept in: drum tables, trestles, post racks with crates, lockers. Backs at z = 0."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit
from images.embedded.homes.materials import Material
from images.embedded.homes.ood.furniture.small import small_thing
from images.embedded.homes.shapes import box, cylinder, lathe, picture

TABLE_HEIGHT = 0.75


def trumpet_table(kit: Kit, frame: Frame, radius: float) -> None:
    """A round table on a trumpet foot, centred on the frame."""
    piece = kit.piece("table", frame)
    piece.add(cylinder(radius, 0.04, 28), kit.materials.worktop(), 0.0, TABLE_HEIGHT - 0.04, 0.0)
    foot = [(0.0, 0.0), (0.32, 0.0), (0.30, 0.02), (0.08, 0.14), (0.05, 0.4), (0.10, 0.62), (0.26, TABLE_HEIGHT - 0.04)]
    piece.add(lathe(foot, 18), kit.materials.lacquer(1))


def drum_table(kit: Kit, frame: Frame, radius: float) -> None:
    """A low fluted drum, centred on the frame."""
    piece = kit.piece("coffee_table", frame)
    piece.add(cylinder(radius, 0.03, 22), kit.materials.metal(), 0.0, 0.37, 0.0)
    for k in range(14):
        rib = box((0.05, 0.37, 0.05), skip=("top", "bottom")).at(0.0, 0.185, radius - 0.05).turned(k * 0.4488)
        piece.add(rib, kit.materials.wood(1))
    piece.add(cylinder(radius - 0.07, 0.36, 14), kit.materials.dark())


def trestle_desk(kit: Kit, frame: Frame, width: float, depth: float) -> None:
    """A top on two trestles with a box of pens, a tilted board and a stack of trays."""
    piece = kit.piece("desk", frame)
    piece.add(box((width, 0.05, depth), 0.4), kit.materials.lacquer(2), 0.0, 0.725, depth / 2.0)
    for sign in (-1.0, 1.0):
        for z, lean in ((0.12, 0.07), (depth - 0.12, -0.07)):
            x = sign * (width / 2.0 - 0.25)
            piece.add(box((0.045, 0.7, 0.045), skip=("top", "bottom")), kit.materials.wood(0), x - 0.1, 0.35, z)
            piece.add(box((0.045, 0.7, 0.045), skip=("top", "bottom")), kit.materials.wood(0), x + 0.1, 0.35, z + lean)
        piece.add(box((0.3, 0.05, 0.05)), kit.materials.wood(0), sign * (width / 2.0 - 0.25), 0.3, depth / 2.0)
    trays = kit.piece("trays", frame.moved(-width / 2.0 + 0.22, 0.75, 0.2))
    for k in range(4):
        trays.add(box((0.26, 0.02, 0.3)), kit.materials.lacquer(k), 0.0, 0.03 + 0.07 * k, 0.0)
    tube = kit.piece("monitor", frame.moved(0.12, 0.75, 0.24))
    tube.add(box((0.5, 0.42, 0.3), skip=("bottom",)), kit.materials.lacquer(0), 0.0, 0.23, 0.0)
    tube.add(picture(0.4, 0.3), kit.materials.screen(), 0.0, 0.25, 0.152)


def post_rack(kit: Kit, frame: Frame, width: float, height: float) -> None:
    """An open rack of four posts, 0.36 m deep, with crates and small things on its boards."""
    piece = kit.piece("rack", frame)
    metal, depth = kit.materials.dark(), 0.36
    for x in (-width / 2.0 + 0.02, width / 2.0 - 0.02):
        for z in (0.03, depth - 0.03):
            piece.add(box((0.035, height, 0.035), 0.7, ("bottom",)), metal, x, height / 2.0, z)
    levels = max(2, round(height / 0.48))
    for k in range(levels):
        y = 0.14 + (height - 0.2) * k / (levels - 1)
        piece.add(box((width, 0.03, depth), 0.4), kit.materials.wood(k), 0.0, y, depth / 2.0)
        if k == levels - 1 and height > 1.3:
            continue
        for share in (-0.26, 0.26):
            place = frame.moved(share * width, y + 0.015, depth / 2.0)
            if kit.draws.chance(0.55):
                _crate(kit, place, min(0.4, width * 0.4))
            else:
                small_thing(kit, place, 0.28)


def _crate(kit: Kit, frame: Frame, width: float) -> None:
    piece = kit.piece("crate", frame)
    material = kit.materials.lacquer(kit.draws.integer(4))
    for k in range(3):
        piece.add(box((width, 0.06, 0.28)), material, 0.0, 0.035 + 0.08 * k, 0.0)
    piece.add(box((width - 0.03, 0.2, 0.24), skip=("bottom",)), kit.materials.dark(), 0.0, 0.1, 0.0)


def lockers(kit: Kit, frame: Frame, width: float, height: float) -> None:
    """A row of metal lockers of different colours, 0.5 m deep, with slits in their doors."""
    piece = kit.piece("locker", frame)
    count = max(2, round(width / 0.42))
    each = width / count
    for k in range(count):
        x = -width / 2.0 + each * (k + 0.5)
        coat = kit.materials.lacquer(k)
        piece.add(box((each - 0.01, height - 0.1, 0.48), 0.5, ("bottom",)), coat, x, height / 2.0 + 0.05, 0.24)
        for slit in range(4):
            piece.add(box((each * 0.5, 0.015, 0.006)), kit.materials.dark(), x, height - 0.2 - 0.05 * slit, 0.483)
        piece.add(cylinder(0.02, 0.03, 8).lying_along_z(), kit.materials.metal(), x + each * 0.36, height * 0.55, 0.48)
    piece.add(box((width, 0.1, 0.42)), kit.materials.dark(), 0.0, 0.05, 0.22)


def slatted_chest(kit: Kit, frame: Frame, category: str, width: float, height: float) -> None:
    """A chest with rounded ends and upright slats all along, 0.42 m deep, things on its top."""
    piece = kit.piece(category, frame)
    wood = kit.materials.wood(2)
    inner = width - 0.42
    piece.add(box((inner, height - 0.1, 0.4), 0.5, ("bottom",)), kit.materials.dark(), 0.0, height / 2.0 + 0.03, 0.2)
    for sign in (-1.0, 1.0):
        piece.add(cylinder(0.2, height - 0.1, 16), wood, sign * inner / 2.0, 0.08, 0.21)
        piece.add(cylinder(0.05, 0.08, 8), kit.materials.metal(), sign * inner / 2.0, 0.0, 0.2)
        piece.add(cylinder(0.22, 0.03, 16), kit.materials.worktop(), sign * inner / 2.0, height - 0.03, 0.21)
    count = max(3, int(inner / 0.09))
    for k in range(count):
        x = -inner / 2.0 + inner * (k + 0.5) / count
        piece.add(box((0.05, height - 0.14, 0.02)), wood, x, height / 2.0 + 0.02, 0.41)
    piece.add(box((inner, 0.03, 0.43), 0.4), kit.materials.worktop(), 0.0, height - 0.015, 0.215)
    for share in kit.draws.shuffled([-0.25, 0.0, 0.25])[: 1 + kit.draws.integer(2)]:
        small_thing(kit, frame.moved(share * width, height, 0.2), 0.3)


def clothes_rail(kit: Kit, frame: Frame, width: float) -> None:
    """A rail on two stands with hanging clothes and shoes below, 0.5 m deep."""
    piece = kit.piece("clothes_rail", frame)
    metal, depth = kit.materials.metal(), 0.28
    for sign in (-1.0, 1.0):
        piece.add(cylinder(0.02, 1.7, 8), metal, sign * width / 2.0 * 0.94, 0.0, depth)
        piece.add(box((0.05, 0.04, 0.5)), metal, sign * width / 2.0 * 0.94, 0.02, depth)
    piece.add(cylinder(0.018, width * 0.94, 8).lying_along_x(), metal, -width * 0.47, 1.68, depth)
    count = int(width / 0.13)
    for k in range(count):
        if kit.draws.chance(0.8):
            x = -width * 0.44 + width * 0.88 * k / max(1, count - 1)
            tall = kit.draws.uniform(0.75, 1.2)
            robe: Material = kit.materials.fabric(kit.draws.integer(7))
            piece.add(box((0.06, tall, 0.4), 0.5), robe, x, 1.64 - tall / 2.0, depth)
    for k in range(3):
        shoe = kit.piece("shoes", frame.moved((k - 1) * width * 0.28, 0.0, depth))
        shoe.add(box((0.2, 0.09, 0.26)), kit.materials.lacquer(k), 0.0, 0.045, 0.0)


def cube(kit: Kit, frame: Frame, size: float) -> None:
    """An open cube on the floor with something in it and on it."""
    piece = kit.piece("nightstand", frame)
    coat = kit.materials.lacquer(kit.draws.integer(4))
    for sign in (-1.0, 1.0):
        piece.add(box((0.03, size, size)), coat, sign * (size - 0.03) / 2.0, size / 2.0, size / 2.0)
        piece.add(box((size, 0.03, size)), coat, 0.0, size / 2.0 + sign * (size - 0.03) / 2.0, size / 2.0)
    small_thing(kit, frame.moved(0.0, 0.03, size / 2.0), size * 0.6)
    small_thing(kit, frame.moved(0.0, size, size / 2.0), 0.26)


def screen_wall(kit: Kit, frame: Frame, width: float) -> None:
    """A cabinet television on tapered legs, 0.42 m deep."""
    piece = kit.piece("tv", frame)
    piece.add(box((width, 0.62, 0.42), 0.5), kit.materials.wood(2), 0.0, 0.66, 0.21)
    piece.add(picture(width * 0.62, 0.46, 0.4), kit.materials.screen(), -width * 0.14, 0.67, 0.423)
    for k in range(3):
        knob = cylinder(0.035, 0.03, 10).lying_along_z()
        piece.add(knob, kit.materials.metal(), width * 0.36, 0.52 + 0.14 * k, 0.42)
    for x in (-width / 2.0 + 0.08, width / 2.0 - 0.08):
        for z in (0.06, 0.36):
            piece.add(cylinder(0.015, 0.36, 8, 0.03), kit.materials.metal(), x, 0.0, z)
