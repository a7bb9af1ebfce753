"""Building materials and cloth of the other distribution: terrazzo, hexagons, chevrons, rubble, waves, triangles.

The same rules as for the textures of training: elementwise float32 arithmetic on tiling noise, equal bytes anywhere.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np
import numpy.typing as npt

from images.embedded.homes.draws import Draws
from images.embedded.homes.noise import Image, noise
from images.embedded.homes.textures import (
    SIZE,
    Colour,
    Layer,
    Texture,
    blend,
    finish,
    flat,
    pixel_grid,
    scaled,
    wave,
)

Mask = npt.NDArray[np.bool_]


def _seed(draws: Draws) -> int:
    return draws.integer(1 << 30)


def toned(layer: Layer, tone: Image) -> Texture:
    """Return the layer times a tone a texel, as bytes."""
    return finish(layer * tone.astype(np.float32)[..., None])


def _even(draws: Draws, depth: float) -> Image:
    """A tone around 1 that varies softly by ``depth``."""
    tone: Image = np.float32(1.0 - depth / 2.0) + np.float32(depth) * noise(_seed(draws), 6, 6, 3)
    return tone


def _two(mask: Mask, first: Colour, second: Colour) -> Layer:
    return blend(flat(first), flat(second), mask.astype(np.float32))


def sprayed(draws: Draws, base: Colour) -> Texture:
    """Powder coat: a fine speckle of two tones."""
    speckle = noise(_seed(draws), 128, 128, 1)
    return toned(flat(base), np.where(speckle > 0.7, 0.9, 1.0) * _even(draws, 0.04))


def limewash(draws: Draws, base: Colour) -> Texture:
    """Limewash: broad cloudy strokes."""
    strokes = noise(_seed(draws), 2, 12, 4) * np.float32(0.6) + noise(_seed(draws), 12, 2, 4) * np.float32(0.4)
    return finish(blend(flat(scaled(base, 0.82)), flat(scaled(base, 1.12)), strokes))


def terrazzo(draws: Draws, base: Colour, chips: Sequence[Colour]) -> Texture:
    """A pale ground with stone chips of three colours and sizes."""
    layer = flat(base)
    for cells, chip in zip((18, 26, 36), chips):
        layer[noise(_seed(draws), cells, cells, 1) > 0.76] = np.array(chip, np.float32)
    return toned(layer, _even(draws, 0.06))


def hexagons(draws: Draws, base: Colour, second: Colour, grout: Colour) -> Texture:
    """Six-sided tiles, every third row of another colour."""
    rows, columns = pixel_grid()
    x, y = columns.astype(np.float32), rows.astype(np.float32) * np.float32(0.866)
    step_x, step_y = np.float32(64.0), np.float32(128.0 * 0.866)
    distances = []
    for shift in (0.0, 0.5):
        dx = np.abs((x / step_x - np.float32(shift)) - np.floor(x / step_x - np.float32(shift) + np.float32(0.5)))
        dy = np.abs((y / step_y - np.float32(shift)) - np.floor(y / step_y - np.float32(shift) + np.float32(0.5)))
        dx, dy = dx * step_x, dy * step_y
        distances.append(np.maximum(dx, dx * np.float32(0.5) + dy * np.float32(0.866)))
    joint = np.abs(distances[0] - distances[1]) < np.float32(2.2)
    edge = np.minimum(distances[0], distances[1]) > np.float32(30.5)
    layer = _two(distances[0] < distances[1], base, second)
    layer[joint | edge] = np.array(grout, np.float32)
    return toned(layer, _even(draws, 0.08))


def chevron_boards(draws: Draws, base: Colour) -> Texture:
    """A floor of boards that meet in points, each with a tone of its own."""
    rows, columns = pixel_grid()
    slope = np.abs(columns % 128 - 64)
    level = (rows + slope) % SIZE
    tones = np.array([draws.uniform(0.78, 1.12) for _ in range(16)], np.float32)
    board = level // 32 + 8 * (columns // 64 % 2)
    grain = np.float32(0.9) + np.float32(0.2) * noise(_seed(draws), 64, 8, 3)
    layer = flat(base) * (tones[board] * grain)[..., None]
    layer[(level % 32 < 2) | (columns % 64 < 1)] *= np.float32(0.5)
    return finish(layer)


def rubble(draws: Draws, base: Colour, joint: Colour) -> Texture:
    """A wall or floor of irregular stones."""
    rows, columns = pixel_grid()
    nearest = np.full((SIZE, SIZE), np.float32(1e9))
    next_one = nearest.copy()
    owner = np.zeros((SIZE, SIZE), np.int64)
    for stone in range(36):
        center_y = stone // 6 * 42.67 + draws.uniform(4.0, 38.0)
        center_x = stone % 6 * 42.67 + draws.uniform(4.0, 38.0)
        dy, dx = np.abs(rows.astype(np.float32) - center_y), np.abs(columns.astype(np.float32) - center_x)
        dy, dx = np.minimum(dy, SIZE - dy), np.minimum(dx, SIZE - dx)
        distance = np.sqrt(dy * dy * np.float32(1.8) + dx * dx).astype(np.float32)
        closer = distance < nearest
        next_one = np.where(closer, nearest, np.minimum(next_one, distance))
        owner[closer] = stone
        nearest = np.minimum(nearest, distance)
    tones = np.array([draws.uniform(0.72, 1.15) for _ in range(36)], np.float32)
    rough = np.float32(0.8) + np.float32(0.35) * noise(_seed(draws), 20, 20, 4)
    layer = flat(base) * (tones[owner] * rough)[..., None]
    layer[next_one - nearest < 3.0] = np.array(joint, np.float32)
    return finish(layer)


def panelling(draws: Draws, base: Colour) -> Texture:
    """Upright boards with rounded edges."""
    _, columns = pixel_grid()
    across = (columns % 32).astype(np.float32) / np.float32(32.0)
    bulge = np.float32(1.05) - np.float32(0.9) * (across - np.float32(0.5)) * (across - np.float32(0.5))
    tone = np.where(columns % 32 < 2, 0.45, bulge) * (0.9 + 0.15 * noise(_seed(draws), 32, 2, 3))
    return toned(flat(base), tone)


def scallops(draws: Draws, base: Colour, line: Colour) -> Texture:
    """Overlapping fans in rows, like fish scales."""
    rows, columns = pixel_grid()
    layer = flat(base)
    for shift in (0, 1):
        x = ((columns + 32 * shift) % 64 - 32).astype(np.float32)
        y = ((rows + 32 * shift) % 64).astype(np.float32)
        radius = np.sqrt(x * x + y * y)
        ring = radius % np.float32(12.0) < np.float32(2.6)
        layer[(y < 32) & (radius < 33.0) & ring] = np.array(line, np.float32)
    return toned(layer, _even(draws, 0.06))


def triangles(draws: Draws, base: Colour, second: Colour) -> Texture:
    """A field of triangles in two colours."""
    rows, columns = pixel_grid()
    across, down = columns % 64, rows % 64
    up = down > 2 * np.abs(across - 32)
    return toned(_two(up, base, second), _even(draws, 0.08))


def waves(draws: Draws, base: Colour, second: Colour) -> Texture:
    """Wavy bands across v."""
    rows, columns = pixel_grid()
    swing = wave((columns / 128.0).astype(np.float32)) * np.float32(20.0)
    band = (rows.astype(np.float32) + swing) % np.float32(32.0) < np.float32(14.0)
    return toned(_two(band, base, second), _even(draws, 0.1))


def boucle(draws: Draws, base: Colour) -> Texture:
    """Knotted wool: round loops of light and shade."""
    loops = noise(_seed(draws), 48, 48, 1)
    return toned(flat(base), np.float32(0.62) + np.float32(0.6) * loops)


def brushstrokes(draws: Draws, base: Colour, second: Colour, third: Colour) -> Texture:
    """Printed cloth: loose dabs of two colours."""
    layer = flat(base)
    layer[noise(_seed(draws), 5, 14, 2) > 0.62] = np.array(second, np.float32)
    layer[noise(_seed(draws), 14, 5, 2) > 0.68] = np.array(third, np.float32)
    return toned(layer, _even(draws, 0.08))


def stained(draws: Draws, base: Colour) -> Texture:
    """Stained plywood: wide flames of grain across u."""
    field = noise(_seed(draws), 3, 2, 4) * np.float32(5.0)
    rings = wave(field)
    pores = noise(_seed(draws), 3, 90, 1)
    return finish(blend(flat(scaled(base, 0.74)), flat(scaled(base, 1.1)), rings * np.float32(0.7) + pores * 0.3))


def hammered(draws: Draws, base: Colour) -> Texture:
    """Hammered brass or copper."""
    dents = noise(_seed(draws), 28, 28, 1)
    return toned(flat(base), np.float32(0.66) + np.float32(0.6) * wave(dents * np.float32(1.4)))


def shuttered(draws: Draws, base: Colour) -> Texture:
    """Concrete that shows the boards it was cast in, with the holes of their ties."""
    rows, columns = pixel_grid()
    tones = np.array([draws.uniform(0.86, 1.08) for _ in range(8)], np.float32)
    tone = tones[rows // 32] * (np.float32(0.85) + np.float32(0.25) * noise(_seed(draws), 4, 40, 3))
    tone = np.where(rows % 32 < 2, tone * 0.7, tone)
    dy, dx = rows % 128 - 64, columns % 128 - 64
    return toned(flat(base), np.where(dy * dy + dx * dx < 20, tone * 0.35, tone))
