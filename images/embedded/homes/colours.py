"""Plain colour words for objects, from the average colour of their main texture."""

from __future__ import annotations

from typing import Tuple


def colour_word(rgb: Tuple[int, int, int]) -> str:
    """Return a plain colour word (``red``, ``brown``, ``grey``, ...) for 8-bit sRGB.

    Integer arithmetic on hue, spread and brightness: people call dark orange brown and pale orange beige.
    """
    red, green, blue = rgb
    high, low = max(rgb), min(rgb)
    spread = high - low
    if high < 48:
        return "black"
    if spread * 100 < high * 13:
        return "white" if high > 200 else "grey"
    hue = _hue_degrees(red, green, blue)
    if 12 <= hue < 52:
        if spread * 100 < high * 38 and high > 165:
            return "beige"
        return "brown" if high < 190 else ("orange" if hue < 36 else "yellow")
    names = ((12, "red"), (72, "yellow"), (165, "green"), (195, "teal"), (262, "blue"), (315, "purple"), (345, "pink"))
    for limit, name in names:
        if hue < limit:
            return name
    return "red"


def _hue_degrees(red: int, green: int, blue: int) -> int:
    high, low = max(red, green, blue), min(red, green, blue)
    spread = high - low
    if high == red:
        return (60 * (green - blue) // spread) % 360
    if high == green:
        return 120 + 60 * (blue - red) // spread
    return 240 + 60 * (red - green) // spread
