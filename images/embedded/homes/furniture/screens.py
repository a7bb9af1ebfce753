"""Televisions and computers; the frame stands on the furniture below."""

from __future__ import annotations

from images.embedded.homes.draft import Frame, Kit
from images.embedded.homes.shapes import box, picture


def television(kit: Kit, frame: Frame, width: float) -> None:
    """A flat television on a foot."""
    piece = kit.piece("tv", frame)
    dark, height = kit.materials.dark(), width * 0.57
    piece.add(box((width, height, 0.04), skip=("bottom",)), dark, 0.0, 0.08 + height / 2.0, 0.0)
    piece.add(picture(width - 0.03, height - 0.03), kit.materials.screen(), 0.0, 0.08 + height / 2.0, 0.022)
    piece.add(box((width * 0.4, 0.015, 0.2)), dark, 0.0, 0.0075, 0.0)
    piece.add(box((0.08, 0.09, 0.03)), dark, 0.0, 0.05, 0.0)


def computer(kit: Kit, frame: Frame) -> None:
    """A monitor with keyboard in front of it."""
    piece = kit.piece("monitor", frame)
    dark = kit.materials.dark()
    piece.add(box((0.58, 0.35, 0.025)), dark, 0.0, 0.3, 0.0)
    piece.add(picture(0.56, 0.33), kit.materials.screen(), 0.0, 0.3, 0.014)
    piece.add(box((0.05, 0.16, 0.03)), kit.materials.metal(), 0.0, 0.08, -0.02)
    piece.add(box((0.2, 0.012, 0.16)), kit.materials.metal(), 0.0, 0.006, -0.02)
    keys = kit.piece("keyboard", frame.moved(0.0, 0.0, 0.24))
    keys.add(box((0.42, 0.018, 0.14)), dark, 0.0, 0.009, 0.0)
