"""Choices that give a home its character: palettes and which variants may appear.

One style covers the whole benchmark; another one (other colours, other materials) makes homes that look
different without touching the builder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

Colour = Tuple[float, float, float]
Palette = Tuple[Colour, ...]


@dataclass(frozen=True)
class HomeStyle:
    """Palettes (sRGB, 0-1) and shares that ``build_home`` draws from."""

    walls: Palette = (
        (0.90, 0.87, 0.80), (0.93, 0.92, 0.89), (0.66, 0.74, 0.76), (0.80, 0.68, 0.55), (0.70, 0.75, 0.62),
        (0.84, 0.74, 0.72), (0.58, 0.63, 0.70), (0.88, 0.80, 0.60), (0.52, 0.60, 0.56), (0.76, 0.70, 0.78),
        (0.72, 0.52, 0.44), (0.45, 0.52, 0.60),
    )  # fmt: skip
    woods: Palette = (
        (0.56, 0.37, 0.22), (0.36, 0.23, 0.15), (0.74, 0.57, 0.38), (0.66, 0.46, 0.28), (0.82, 0.70, 0.54),
        (0.45, 0.25, 0.16), (0.55, 0.48, 0.40),
    )  # fmt: skip
    fabrics: Palette = (
        (0.24, 0.34, 0.54), (0.62, 0.22, 0.20), (0.30, 0.44, 0.32), (0.76, 0.71, 0.61), (0.36, 0.34, 0.37),
        (0.84, 0.62, 0.26), (0.46, 0.29, 0.48), (0.24, 0.50, 0.52), (0.80, 0.50, 0.42), (0.58, 0.58, 0.58),
        (0.52, 0.38, 0.26), (0.82, 0.78, 0.72),
    )  # fmt: skip
    lacquers: Palette = (
        (0.92, 0.91, 0.88), (0.32, 0.42, 0.46), (0.86, 0.84, 0.76), (0.28, 0.36, 0.30), (0.62, 0.68, 0.70),
        (0.70, 0.30, 0.24), (0.20, 0.24, 0.34), (0.78, 0.66, 0.44),
    )  # fmt: skip
    tiles: Palette = (
        (0.82, 0.80, 0.76), (0.62, 0.74, 0.78), (0.78, 0.72, 0.62), (0.55, 0.62, 0.58), (0.70, 0.42, 0.32),
        (0.48, 0.49, 0.51), (0.88, 0.88, 0.87),
    )  # fmt: skip
    ceramics: Palette = (
        (0.86, 0.84, 0.80), (0.24, 0.40, 0.58), (0.72, 0.36, 0.24), (0.30, 0.48, 0.42), (0.80, 0.66, 0.36),
        (0.20, 0.20, 0.23),
    )  # fmt: skip
    extra_door_share: float = 0.4
    """Chance that two neighbouring rooms get a door beyond those that connect the home."""
    accent_wall_share: float = 0.4
    """Chance that one wall of a living space is brick, papered or of another colour."""


DEFAULT_STYLE = HomeStyle()
