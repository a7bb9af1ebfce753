"""What one sits and sleeps on: platforms with bolsters, tubs, beanbags, four-posters, bunks. Backs at z = 0."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit
from images.embedded.homes.materials import Material
from images.embedded.homes.shapes import box, cylinder, ellipsoid, lathe, rounded_box


def daybed(kit: Kit, frame: Frame, width: float, cloth: Material, bolster: Material) -> None:
    """A low platform of 0.95 m depth with a mattress, round bolsters along the wall and a side table let in."""
    piece = kit.piece("sofa", frame)
    wood, depth = kit.materials.wood(0), 0.95
    piece.add(box((width, 0.16, depth), 0.5, ("bottom",)), wood, 0.0, 0.12, depth / 2.0)
    piece.add(box((width - 0.5, 0.18, depth - 0.04), 0.4, ("bottom",)), cloth, -0.23, 0.29, depth / 2.0)
    count = 3 if width > 2.0 else 2
    each = (width - 0.55) / count
    for k in range(count):
        roll = cylinder(0.13, each - 0.03, 12).lying_along_x()
        piece.add(roll, bolster if k % 2 else cloth, -width / 2.0 + 0.03 + each * k, 0.51, 0.16)
    slab = kit.piece("side_table", frame)
    slab.add(box((0.36, 0.06, depth - 0.1)), kit.materials.metal(), width / 2.0 - 0.2, 0.3, depth / 2.0)


def tub_chair(kit: Kit, frame: Frame, cloth: Material) -> None:
    """A round armchair, 0.8 m wide: a drum with a half-high ring for a back."""
    piece = kit.piece("armchair", frame)
    ring = [(0.30, 0.0), (0.39, 0.0), (0.40, 0.62), (0.36, 0.68), (0.31, 0.62), (0.30, 0.38)]
    piece.add(lathe(ring, 18).both_sides(), cloth, 0.0, 0.05, 0.42)
    piece.add(cylinder(0.31, 0.38, 18), kit.materials.fabric(kit.draws.integer(7)), 0.0, 0.05, 0.42)


def beanbag(kit: Kit, frame: Frame) -> None:
    """A slumped bag to sit in, 0.8 m wide."""
    piece = kit.piece("beanbag", frame)
    cloth = kit.materials.fabric(kit.draws.integer(7))
    piece.add(ellipsoid((0.40, 0.24, 0.38), 16), cloth, 0.0, 0.22, 0.42)
    piece.add(ellipsoid((0.28, 0.30, 0.22), 14), cloth, 0.0, 0.46, 0.28)


def drum_stool(kit: Kit, frame: Frame, height: float, material: Material) -> None:
    """An hourglass stool centred on the frame."""
    piece = kit.piece("stool", frame)
    profile = [(0.0, 0.0), (0.18, 0.0), (0.18, 0.03), (0.09, height * 0.5), (0.19, height - 0.04), (0.19, height)]
    piece.add(lathe([*profile, (0.0, height)], 16), material)


def hoop_chair(kit: Kit, frame: Frame, metal: Material, cloth: Material) -> None:
    """A chair on two sled frames with a round back, centred on its seat, looking to +z."""
    piece = kit.piece("chair", frame)
    for x in (-0.2, 0.2):
        piece.add(box((0.025, 0.025, 0.46)), metal, x, 0.013, 0.0)
        for z in (-0.2, 0.2):
            piece.add(box((0.025, 0.44, 0.025)), metal, x, 0.22, z)
    piece.add(cylinder(0.23, 0.06, 18), cloth, 0.0, 0.43, 0.0)
    piece.add(cylinder(0.02, 0.3, 6), metal, 0.0, 0.46, -0.21)
    piece.add(cylinder(0.2, 0.05, 18).lying_along_z(), cloth, 0.0, 0.78, -0.23)


def four_poster(kit: Kit, frame: Frame, width: float, cover: Material) -> None:
    """A bed 2.08 m long between four posts with rails above and a slatted head."""
    piece = kit.piece("bed", frame)
    post, length, height = kit.materials.metal(), 2.06, 1.95
    for x in (-width / 2.0 + 0.03, width / 2.0 - 0.03):
        for z in (0.04, length - 0.03):
            piece.add(box((0.05, height, 0.05), 0.6, ("bottom",)), post, x, height / 2.0, z)
        piece.add(box((0.04, 0.04, length), 0.6), post, x, height - 0.02, length / 2.0)
    for z in (0.04, length - 0.03):
        piece.add(box((width, 0.04, 0.04), 0.6), post, 0.0, height - 0.02, z)
    for k in range(7):
        x = (k - 3) * (width - 0.2) / 6.0
        piece.add(box((0.04, 0.55, 0.03)), kit.materials.wood(1), x, 0.72, 0.04)
    piece.add(box((width - 0.08, 0.14, length - 0.08), 0.6), kit.materials.wood(1), 0.0, 0.25, length / 2.0)
    piece.add(box((width - 0.12, 0.2, length - 0.14), 0.5, ("bottom",)), cover, 0.0, 0.42, length / 2.0)
    second = kit.materials.fabric(kit.draws.integer(7))
    piece.add(box((width - 0.1, 0.03, 0.6), 0.5, ("bottom",)), second, 0.0, 0.53, length - 0.5)
    count = 2 if width > 1.2 else 1
    for k in range(count):
        x = (k - (count - 1) / 2.0) * width * 0.46
        roll = cylinder(0.1, width * 0.4, 12).lying_along_x()
        piece.add(roll, second, x - width * 0.2, 0.61, 0.22)


def futon(kit: Kit, frame: Frame, width: float, cover: Material) -> None:
    """A mattress on a wide low dais, with a round bolster and a rolled blanket."""
    piece = kit.piece("bed", frame)
    length = 2.06
    piece.add(box((width + 0.08, 0.12, length), 0.6, ("bottom",)), kit.materials.wood(2), 0.0, 0.06, length / 2.0)
    piece.add(rounded_box((width - 0.14, 0.16, length - 0.2), 0.05, 0.5), cover, 0.0, 0.2, length / 2.0)
    accent = kit.materials.fabric(kit.draws.integer(7))
    piece.add(cylinder(0.11, width * 0.8, 12).lying_along_x(), accent, -width * 0.4, 0.38, 0.24)
    piece.add(cylinder(0.14, width * 0.7, 14).lying_along_x(), accent, -width * 0.35, 0.40, length - 0.3)


def bunk(kit: Kit, frame: Frame, length: float) -> None:
    """Two beds above each other along the wall, 0.95 m deep, with a ladder at the front."""
    piece = kit.piece("bunk_bed", frame)
    frame_of, depth, height = kit.materials.lacquer(0), 0.95, 1.75
    for x in (-length / 2.0 + 0.04, length / 2.0 - 0.04):
        for z in (0.04, depth - 0.04):
            piece.add(box((0.07, height, 0.07), 0.6, ("bottom",)), frame_of, x, height / 2.0, z)
    for level, index in ((0.3, 1), (1.2, 5)):
        piece.add(box((length, 0.08, depth), 0.6), frame_of, 0.0, level, depth / 2.0)
        piece.add(
            box((length - 0.12, 0.14, depth - 0.12), 0.5, ("bottom",)),
            kit.materials.fabric(index), 0.0, level + 0.11, depth / 2.0,
        )  # fmt: skip
        piece.add(box((0.4, 0.1, 0.6)), kit.materials.fabric(6), -length / 2.0 + 0.3, level + 0.22, depth / 2.0)
    piece.add(box((length * 0.6, 0.12, 0.03)), frame_of, -length * 0.15, 1.48, depth - 0.03)
    for x in (length / 2.0 - 0.52, length / 2.0 - 0.16):
        piece.add(box((0.04, 1.4, 0.04)), kit.materials.wood(0), x, 0.7, depth + 0.02)
    for k in range(4):
        piece.add(box((0.36, 0.035, 0.035)), kit.materials.wood(0), length / 2.0 - 0.34, 0.25 + 0.3 * k, depth + 0.02)
