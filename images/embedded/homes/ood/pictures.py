"""Textures of the other distribution that show something: posters, rugs, an evening outside, screens."""

from __future__ import annotations

import numpy as np

from images.embedded.homes.draws import Draws
from images.embedded.homes.noise import Image, noise
from images.embedded.homes.ood.textures import toned
from images.embedded.homes.textures import SIZE, Colour, Layer, Texture, blend, finish, flat, pixel_grid, scaled, wave

INKS: tuple[Colour, ...] = (
    (0.92, 0.26, 0.20), (0.10, 0.36, 0.68), (0.98, 0.78, 0.14), (0.08, 0.08, 0.10), (0.10, 0.60, 0.46),
    (0.90, 0.48, 0.66), (0.46, 0.22, 0.58), (0.96, 0.93, 0.86),
)  # fmt: skip


def _grid() -> tuple[Image, Image]:
    rows, columns = pixel_grid()
    scale = np.float32(1.0 / SIZE)
    return rows.astype(np.float32) * scale, columns.astype(np.float32) * scale


def poster(draws: Draws) -> Texture:
    """A printed poster: a sunburst, arches, a maze, stacked bars or leaves cut from paper."""
    maker = draws.pick([_sunburst, _arches, _maze, _bars, _cutouts])
    layer = maker(draws, draws.shuffled(INKS))
    y, x = _grid()
    layer[np.maximum(np.abs(x - 0.5), np.abs(y - 0.5)) > 0.46] = np.array((0.97, 0.96, 0.93), np.float32)
    return finish(layer)


def _sunburst(draws: Draws, inks: list[Colour]) -> Layer:
    y, x = _grid()
    dx, dy = x - np.float32(draws.uniform(0.3, 0.7)), y - np.float32(draws.uniform(0.4, 0.8))
    slope = dx / (np.abs(dy) + np.float32(0.05))
    layer = blend(flat(inks[0]), flat(inks[1]), (slope % np.float32(1.0) > 0.5).astype(np.float32))
    layer[dx * dx + dy * dy < 0.03] = np.array(inks[2], np.float32)
    return layer


def _arches(draws: Draws, inks: list[Colour]) -> Layer:
    y, x = _grid()
    layer = flat(inks[0])
    dx, dy = x - np.float32(draws.uniform(0.35, 0.65)), np.minimum(y - np.float32(0.55), 0.0)
    ring = np.floor(np.sqrt(dx * dx + dy * dy) / np.float32(0.075)).astype(np.int64)
    for k in range(5):
        layer[(ring == k) & (y < 0.9)] = np.array(inks[1 + k % 4], np.float32)
    return layer


def _maze(draws: Draws, inks: list[Colour]) -> Layer:
    rows, columns = pixel_grid()
    layer = flat(inks[0])
    for row in range(8):
        for column in range(8):
            inside = (rows // 32 == row) & (columns // 32 == column)
            along = columns - rows if draws.chance(0.5) else columns + rows
            layer[inside & (along % 32 < 10)] = np.array(inks[1], np.float32)
    return layer


def _bars(draws: Draws, inks: list[Colour]) -> Layer:
    y, x = _grid()
    layer = flat(inks[0])
    for k in range(9):
        low = np.float32(k / 9.0)
        layer[(y >= low) & (y < low + 0.085) & (x < draws.uniform(0.2, 1.0))] = np.array(inks[1 + k % 5], np.float32)
    return layer


def _cutouts(draws: Draws, inks: list[Colour]) -> Layer:
    y, x = _grid()
    layer = flat(inks[0])
    for k in range(9):
        dx, dy = x - np.float32(draws.uniform(0.1, 0.9)), y - np.float32(draws.uniform(0.1, 0.9))
        lean = draws.uniform(-0.9, 0.9)
        across, along = dx + np.float32(lean) * dy, dy - np.float32(lean) * dx
        leaf = across * across * 40.0 + along * along * 9.0 < draws.uniform(0.16, 0.42)
        layer[leaf] = np.array(inks[1 + k % 4], np.float32)
    return layer


def rug(draws: Draws, main: Colour, second: Colour, third: Colour) -> Texture:
    """A rug without border: zigzags, pebbles, a target or slanted fields."""
    y, x = _grid()
    kind = draws.integer(4)
    if kind == 0:
        zigzag = y * np.float32(7.0) + np.abs((x * np.float32(5.0)) % np.float32(1.0) - np.float32(0.5)) * 2
        field = np.floor(zigzag).astype(np.int64) % 3
    elif kind == 1:
        field = np.floor(noise(draws.integer(1 << 30), 5, 5, 1) * np.float32(3.0)).astype(np.int64)
    elif kind == 2:
        dx, dy = x - np.float32(0.5), y - np.float32(0.5)
        field = np.floor(np.maximum(np.abs(dx), np.sqrt(dx * dx + dy * dy)) * np.float32(11.0)).astype(np.int64) % 3
    else:
        field = (np.floor(x * 2 + y) + np.floor(y * 3 - x)).astype(np.int64) % 3
    layer: Layer = np.array([main, second, third], np.float32)[field]
    return toned(layer, np.float32(0.7) + np.float32(0.45) * noise(draws.integer(1 << 30), 64, 64, 1))


def evening(draws: Draws) -> Texture:
    """What is seen through the windows: a glowing sky over water or over towers with lit windows."""
    y, x = _grid()
    top, low = draws.pick([((0.28, 0.22, 0.50), (1.0, 0.62, 0.30)), ((0.10, 0.14, 0.34), (0.72, 0.42, 0.56))])
    layer = blend(flat(top), flat(low), np.minimum(y * np.float32(1.6), np.float32(1.0)))
    bands = np.clip((noise(draws.integer(1 << 30), 2, 14, 3) - np.float32(0.55)) * np.float32(5.0), 0.0, 1.0)
    layer = blend(layer, flat((0.96, 0.54, 0.44)), (bands * (y < 0.55)).astype(np.float32))
    if draws.chance(0.5):
        glitter = noise(draws.integer(1 << 30), 10, 90, 2)[..., None]
        water = blend(flat(scaled(low, 0.55)), flat(scaled(low, 1.1)), glitter[..., 0])
        layer[y > 0.6] = water[y > 0.6]
        return finish(layer)
    left = 0.0
    while left < 1.0:
        width, roof = draws.uniform(0.05, 0.12), draws.uniform(0.25, 0.7)
        tower = (x >= left) & (x < left + width) & (y > roof)
        layer[tower] = np.array(scaled((0.16, 0.15, 0.24), draws.uniform(0.7, 1.4)), np.float32)
        panes = tower & ((x - left) % 0.022 > 0.011) & ((y - roof) % 0.036 > 0.02)
        lit = panes & (noise(draws.integer(1 << 30), 40, 26, 1) > 0.45)
        layer[lit] = np.array((1.0, 0.84, 0.46), np.float32)
        left += width
    return finish(layer)


def silvered(draws: Draws) -> Texture:
    """Tinted mirror glass with a round gleam."""
    y, x = _grid()
    dx, dy = x - np.float32(draws.uniform(0.2, 0.8)), y - np.float32(0.3)
    gleam = np.clip(np.float32(1.0) - np.sqrt(dx * dx + dy * dy) * np.float32(1.6), 0.0, 1.0).astype(np.float32)
    return finish(blend(flat((0.46, 0.50, 0.62)), flat((0.90, 0.92, 0.98)), gleam))


def frond(draws: Draws, base: Colour) -> Texture:
    """Striped foliage: pale bands along u."""
    y, _ = _grid()
    stripes = wave(y * np.float32(3.0) + np.float32(0.4) * noise(draws.integer(1 << 30), 4, 4, 2))
    return finish(blend(flat(scaled(base, 0.7)), flat(scaled(base, 1.5)), stripes))


def picture_tube(draws: Draws) -> Texture:
    """A screen that shows a test card."""
    rows, columns = pixel_grid()
    bars = np.array([*INKS], np.float32)[columns * 8 // SIZE]
    bars = np.where((rows > 190)[..., None], np.float32(0.12), bars * np.float32(0.75))
    return finish(bars * np.where(rows % 4 < 1, np.float32(0.8), np.float32(1.0))[..., None].astype(np.float32))
