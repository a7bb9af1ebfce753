"""Beds."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit
from images.embedded.homes.materials import Material
from images.embedded.homes.shapes import box, rounded_box

BED_LENGTH = 2.08


def bed(kit: Kit, frame: Frame, width: float, cover: Material) -> None:
    """A made bed with its head at z = 0: frame, mattress, blanket folded back, pillows."""
    piece = kit.piece("bed", frame)
    soft = kit.draws.chance(0.4)
    head = kit.materials.fabric(kit.draws.integer(4)) if soft else kit.materials.wood(kit.draws.integer(3))
    base = head if soft else kit.materials.wood(kit.draws.integer(3))
    middle = BED_LENGTH / 2.0 + 0.03
    if soft:
        piece.add(rounded_box((width + 0.08, 0.86, 0.1), 0.045, 0.6), head, 0.0, 0.44, 0.05)
    else:
        piece.add(box((width + 0.06, 0.86, 0.05), 0.4, ("bottom",)), head, 0.0, 0.43, 0.03)
    for x in (-width / 2.0 + 0.06, width / 2.0 - 0.06):
        for z in (0.12, BED_LENGTH - 0.08):
            piece.add(box((0.06, 0.12, 0.06), skip=("top", "bottom")), base, x, 0.06, z)
    piece.add(box((width, 0.2, BED_LENGTH - 0.06), 0.7), base, 0.0, 0.21, middle)
    piece.add(rounded_box((width - 0.04, 0.22, BED_LENGTH - 0.1), 0.07, 0.8), kit.materials.linen(), 0.0, 0.4, middle)
    blanket = BED_LENGTH * 0.66
    piece.add(
        rounded_box((width + 0.04, 0.2, blanket), 0.07, 0.5), cover, 0.0, 0.445, BED_LENGTH - blanket / 2.0 + 0.02
    )
    fold = rounded_box((width + 0.045, 0.07, 0.26), 0.03, 0.6)
    piece.add(fold, kit.materials.linen(), 0.0, 0.535, BED_LENGTH - blanket + 0.1)
    count = 2 if width > 1.2 else 1
    for k in range(count):
        x = (k - (count - 1) / 2.0) * width * 0.47
        pillow = rounded_box((min(0.66, width * 0.7), 0.15, 0.42), 0.07)
        piece.add(pillow.turned(kit.draws.uniform(-0.06, 0.06)), kit.materials.linen(), x, 0.565, 0.36)
    if kit.draws.chance(0.6):
        accent = kit.materials.fabric(kit.draws.integer(7))
        piece.add(rounded_box((0.42, 0.36, 0.13), 0.06).turned(kit.draws.uniform(-0.3, 0.3)), accent, 0.0, 0.68, 0.52)
