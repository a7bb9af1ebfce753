"""Textures that show something: paintings, rugs, book spines, the view from the window, screens, leaves."""

from __future__ import annotations

import numpy as np

from images.embedded.homes.draws import Draws
from images.embedded.homes.noise import Image, noise
from images.embedded.homes.textures import SIZE, Colour, Layer, Texture, blend, finish, flat, pixel_grid, scaled, wave

BOOK_STRIPES = 16
"""Spines side by side in the texture of ``book_spines``."""


def _unit_grid() -> tuple[Image, Image]:
    rows, columns = pixel_grid()
    scale = np.float32(1.0 / SIZE)
    return rows.astype(np.float32) * scale, columns.astype(np.float32) * scale


def _random_colour(draws: Draws) -> Colour:
    """A random colour, a third of the way to cream: paint on canvas is never fully saturated."""
    red, green, blue = (draws.uniform(0.05, 0.9) * 0.68 for _ in range(3))
    return red + 0.26, green + 0.24, blue + 0.20


def _landscape(draws: Draws) -> Layer:
    y, x = _unit_grid()
    dusk = draws.chance(0.4)
    top, low = ((0.35, 0.35, 0.6), (0.96, 0.7, 0.45)) if dusk else ((0.35, 0.55, 0.85), (0.8, 0.9, 0.97))
    layer = blend(flat(top), flat(low), np.minimum(y * np.float32(1.8), np.float32(1.0)))
    sun_x, sun_y = draws.uniform(0.2, 0.8), draws.uniform(0.15, 0.4)
    layer[(x - sun_x) * (x - sun_x) + (y - sun_y) * (y - sun_y) < 0.004] = np.array((1.0, 0.94, 0.7), np.float32)
    tint = _random_colour(draws)
    for ridge in range(4):
        profile = noise(draws.integer(1 << 30), 3, 1, 5)[0]
        height = 0.42 + 0.14 * ridge - 0.3 * (profile - 0.3)
        depth = 0.35 + 0.17 * ridge
        colour = tuple(0.5 * t * depth + g * (1.1 - 0.6 * depth) for t, g in zip(tint, (0.25, 0.45, 0.35)))
        layer[y > height[None, :]] = np.array(colour, np.float32)
    return layer


def _blocks(draws: Draws) -> Layer:
    y, x = _unit_grid()
    layer = flat((0.94, 0.92, 0.88))
    columns = sorted(draws.uniform(0.1, 0.9) for _ in range(3))
    lines = sorted(draws.uniform(0.1, 0.9) for _ in range(3))
    palette = [_random_colour(draws) for _ in range(4)]
    for left, right in zip([0.0, *columns], [*columns, 1.0]):
        for upper, lower in zip([0.0, *lines], [*lines, 1.0]):
            if draws.chance(0.55):
                inside = (x >= left) & (x < right) & (y >= upper) & (y < lower)
                layer[inside] = np.array(draws.pick(palette), np.float32)
    for value in columns:
        layer[np.abs(x - value) < 0.012] = np.float32(0.06)
    for value in lines:
        layer[np.abs(y - value) < 0.012] = np.float32(0.06)
    return layer


def _discs(draws: Draws) -> Layer:
    y, x = _unit_grid()
    layer = flat(_random_colour(draws))
    for _ in range(12):
        center_x, center_y, radius = draws.uniform(0.0, 1.0), draws.uniform(0.0, 1.0), draws.uniform(0.05, 0.24)
        dx, dy = x - np.float32(center_x), y - np.float32(center_y)
        colour = np.array(_random_colour(draws), np.float32)
        inside = dx * dx + dy * dy < radius * radius
        layer[inside] = layer[inside] * np.float32(0.3) + colour * np.float32(0.7)
    return layer


def _washes(draws: Draws) -> Layer:
    field = noise(draws.integer(1 << 30), 3, 3, 4) + np.float32(0.6) * noise(draws.integer(1 << 30), 2, 2, 3)
    bands = np.floor(field * np.float32(7.0)).astype(np.int64) % 5
    palette = np.array([_random_colour(draws) for _ in range(5)], np.float32)
    layer: Layer = palette[bands]
    return layer


def _still_life(draws: Draws) -> Layer:
    y, x = _unit_grid()
    layer = blend(flat(scaled(_random_colour(draws), 0.6)), flat((0.75, 0.68, 0.55)), y)
    layer[y > 0.72] = np.array(scaled(_random_colour(draws), 0.5), np.float32)
    for _ in range(5):
        center_x, radius = draws.uniform(0.2, 0.8), draws.uniform(0.07, 0.16)
        dx, dy = x - np.float32(center_x), y - np.float32(0.74 - radius * 0.8)
        inside = dx * dx + dy * dy < radius * radius
        shade = np.float32(1.0) - (dx + dy + np.float32(radius))[..., None] * np.float32(1.6)
        fruit = flat(draws.pick([(0.85, 0.25, 0.15), (0.9, 0.6, 0.15), (0.5, 0.7, 0.2), (0.5, 0.2, 0.45)])) * shade
        layer[inside] = fruit[inside]
    return layer


def painting(draws: Draws) -> Texture:
    """A framed picture: landscape, blocks, discs, colour washes or a still life on canvas."""
    maker = draws.pick([_landscape, _blocks, _discs, _washes, _still_life])
    canvas = np.float32(0.92) + np.float32(0.12) * noise(draws.integer(1 << 30), 64, 64, 2)
    return finish(maker(draws) * canvas[..., None])


def rug(draws: Draws, main: Colour, second: Colour, border: Colour) -> Texture:
    """A whole rug with border: diamonds, stripes, rings, checks or a plain field."""
    y, x = _unit_grid()
    u, v = np.abs(x * 2.0 - 1.0).astype(np.float32), np.abs(y * 2.0 - 1.0).astype(np.float32)
    count = np.float32(2 + draws.integer(4))
    kind = draws.integer(5)
    if kind == 0:
        pattern = wave((u + v) * count)
    elif kind == 1:
        pattern = wave(y * count * 2)
    elif kind == 2:
        pattern = wave(np.sqrt(u * u + v * v) * count)
    elif kind == 3:
        pattern = np.abs(wave(u * count) - wave(v * count))
    else:
        pattern = np.float32(0.25) * noise(draws.integer(1 << 30), 8, 8, 3)
    field = blend(flat(main), flat(second), (pattern > 0.5).astype(np.float32))
    edge = np.maximum(u, v)
    field[(edge > 0.84) & (edge < 0.9)] = np.array(second, np.float32)
    field[edge >= 0.9] = np.array(border, np.float32)
    tone = np.float32(0.76) + np.float32(0.36) * noise(draws.integer(1 << 30), 128, 128, 1)
    return finish(field * tone[..., None])


def book_spines(draws: Draws) -> Texture:
    """Sixteen book spines side by side; a book shows one stripe of it."""
    layer = np.empty((SIZE, SIZE, 3), np.float32)
    width = SIZE // BOOK_STRIPES
    palette = [
        (0.55, 0.16, 0.14), (0.14, 0.24, 0.42), (0.75, 0.68, 0.5), (0.16, 0.34, 0.24), (0.78, 0.55, 0.2),
        (0.25, 0.2, 0.2), (0.86, 0.84, 0.8), (0.4, 0.5, 0.56), (0.5, 0.32, 0.42), (0.12, 0.12, 0.15),
    ]  # fmt: skip
    for stripe in range(BOOK_STRIPES):
        band = (slice(None), slice(stripe * width, (stripe + 1) * width))
        colour = scaled(draws.pick(palette), draws.uniform(0.8, 1.15))
        layer[band] = np.array(colour, np.float32)
        accent = np.array((0.85, 0.75, 0.45) if draws.chance(0.5) else (0.9, 0.9, 0.88), np.float32)
        for _ in range(2):
            row = 16 + draws.integer(SIZE - 48)
            layer[row : row + 4 + draws.integer(12), stripe * width + 3 : (stripe + 1) * width - 3] = accent
        layer[:, stripe * width] *= np.float32(0.6)
    return finish(layer * (np.float32(0.92) + np.float32(0.1) * noise(draws.integer(1 << 30), 32, 32, 2))[..., None])


def outdoors(draws: Draws) -> Texture:
    """What is seen through the windows: sky with clouds over trees, hills or roofs. Tiles along u only."""
    y, x = _unit_grid()
    top: Colour = (0.42, 0.62, 0.92)
    horizon: Colour = (0.86, 0.92, 0.97)
    layer = blend(flat(top), flat(horizon), np.minimum(y * np.float32(1.7), np.float32(1.0)))
    clouds = np.clip((noise(draws.integer(1 << 30), 3, 6, 5) - np.float32(0.52)) * np.float32(4.0), 0.0, 1.0)
    layer = blend(layer, flat((0.98, 0.98, 0.99)), clouds.astype(np.float32))
    hills = noise(draws.integer(1 << 30), 3, 1, 3)[0]
    layer[y > (0.6 - 0.08 * hills)[None, :]] = np.array((0.5, 0.6, 0.62), np.float32)
    if draws.chance(0.5):
        _add_houses(draws, layer, y, x)
    crowns = noise(draws.integer(1 << 30), 8, 1, 4)[0]
    leaves = noise(draws.integer(1 << 30), 32, 32, 3)[..., None]
    trees = flat((0.2, 0.36, 0.14)) * (np.float32(0.5) + np.float32(0.9) * leaves)
    below = y > (0.74 - 0.16 * crowns)[None, :]
    layer[below] = trees[below]
    return finish(layer)


def _add_houses(draws: Draws, layer: Layer, y: Image, x: Image) -> None:
    left = 0.0
    while left < 0.9:
        width, top = draws.uniform(0.06, 0.14), draws.uniform(0.4, 0.6)
        wall = draws.pick([(0.72, 0.62, 0.52), (0.62, 0.4, 0.33), (0.82, 0.8, 0.76), (0.6, 0.62, 0.66)])
        inside = (x >= left) & (x < left + width) & (y > top)
        layer[inside] = np.array(wall, np.float32)
        panes = inside & ((x - left) % 0.03 > 0.012) & ((y - top) % 0.05 > 0.022)
        layer[panes] = np.array((0.3, 0.36, 0.42), np.float32)
        left += width + draws.uniform(0.0, 0.1)


def screen(draws: Draws) -> Texture:
    """A dark screen with a faint reflection."""
    y, x = _unit_grid()
    glow = np.clip(np.float32(1.0) - np.abs(x - y + np.float32(draws.uniform(-0.3, 0.3))) * 2, 0.0, 1.0)
    return finish(blend(flat((0.03, 0.03, 0.04)), flat((0.12, 0.14, 0.18)), glow.astype(np.float32)))


def mirror(draws: Draws) -> Texture:
    """A mirror's silver with diagonal gleams (nothing is reflected)."""
    y, x = _unit_grid()
    gleam = wave((x + y) * np.float32(1.5) + np.float32(draws.uniform(0.0, 1.0)))
    return finish(blend(flat((0.62, 0.69, 0.73)), flat((0.82, 0.88, 0.91)), gleam))


def leaf(draws: Draws, base: Colour) -> Texture:
    """Foliage: mottled green with a light middle rib along u."""
    y, _ = _unit_grid()
    mottled = noise(draws.integer(1 << 30), 8, 16, 4)
    layer = blend(flat(scaled(base, 0.6)), flat(scaled(base, 1.35)), mottled)
    layer[np.abs(y - 0.5) < 0.02] *= np.float32(1.25)
    return finish(layer)


def clock_face(draws: Draws) -> Texture:
    """A round clock dial with twelve marks and two hands."""
    y, x = _unit_grid()
    dx, dy = x - np.float32(0.5), y - np.float32(0.5)
    radius = np.sqrt(dx * dx + dy * dy)
    layer = flat((0.95, 0.94, 0.9))
    layer[radius > 0.44] = np.array((0.12, 0.12, 0.13), np.float32)
    marks = (np.abs(dx) < 0.012) | (np.abs(dy) < 0.012)
    layer[marks & (radius > 0.34) & (radius < 0.42)] = np.float32(0.1)
    slope = np.float32(draws.uniform(0.2, 1.5))
    layer[(np.abs(dx) < 0.014) & (dy < 0.0) & (radius < 0.33)] = np.float32(0.08)
    layer[(np.abs(dy - slope * dx) < 0.02) & (dx > 0.0) & (radius < 0.24)] = np.float32(0.08)
    return finish(layer)
