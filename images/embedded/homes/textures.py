"""Textures of building materials and furniture: wood, tiles, brick, plaster, fabric, marble.

Everything is elementwise float32 arithmetic on tiling noise, so the bytes are the same on every CPU.
Rows are the texture's v axis, columns its u axis; grain runs along u.
"""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
import numpy.typing as npt

from images.embedded.homes.draws import Draws
from images.embedded.homes.noise import Image, noise
from images.embedded.mesh import TEXTURE_SIZE

Colour = Tuple[float, float, float]
"""sRGB, 0-1."""
Texture = npt.NDArray[np.uint8]
Layer = npt.NDArray[np.float32]

SIZE = TEXTURE_SIZE


def flat(colour: Colour) -> Layer:
    """Return a [256, 256, 3] layer of one colour."""
    layer = np.empty((SIZE, SIZE, 3), np.float32)
    layer[:] = np.array(colour, np.float32)
    return layer


def blend(low: Layer, high: Layer, weight: Image) -> Layer:
    """Return ``low`` where ``weight`` is 0 and ``high`` where it is 1."""
    mixed: Layer = low + (high - low) * weight[..., None]
    return mixed


def finish(layer: Layer) -> Texture:
    """Return the layer as bytes."""
    texture: Texture = np.clip(layer * np.float32(255.0) + np.float32(0.5), 0.0, 255.0).astype(np.uint8)
    return texture


def pixel_grid() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the (row, column) index of every texel."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return rows, columns


def wave(phase: Image) -> Image:
    """Return a smooth periodic wave in [0, 1] with period 1 (a triangle wave eased by a cubic)."""
    fraction = phase - np.floor(phase)
    triangle = np.abs(np.float32(2.0) * fraction - np.float32(1.0))
    eased: Image = (triangle * triangle * (3.0 - 2.0 * triangle)).astype(np.float32)
    return eased


def scaled(colour: Colour, factor: float) -> Colour:
    """Return the colour made darker or lighter, kept inside 0-1."""
    red, green, blue = (min(1.0, max(0.0, channel * factor)) for channel in colour)
    return red, green, blue


def _grain(seed: int, base: Colour, contrast: float, fineness: int) -> Layer:
    bands = noise(seed, 2, 10 * fineness, 4, 0.55)
    warp = noise(seed + 1, 2, 4, 3)
    fibres = noise(seed + 2, 4, 64, 2, 0.6)
    rings = wave(bands * np.float32(2.5 + fineness) + warp * np.float32(1.5))
    tone = np.float32(0.5) * rings + np.float32(0.25) * bands + np.float32(0.25) * fibres
    return blend(flat(scaled(base, 1.0 - contrast)), flat(scaled(base, 1.0 + 0.45 * contrast)), tone)


def wood(draws: Draws, base: Colour) -> Texture:
    """Furniture wood: fine grain along u."""
    return finish(_grain(draws.integer(1 << 30), base, draws.uniform(0.16, 0.3), 2))


def planks(draws: Draws, base: Colour, rows: int) -> Texture:
    """Floor boards along u, each with its own tone, seams and one end joint."""
    layer = _grain(draws.integer(1 << 30), base, draws.uniform(0.18, 0.32), 2)
    height = SIZE // rows
    for row in range(rows):
        band = slice(row * height, (row + 1) * height)
        layer[band] = np.roll(layer[band], draws.integer(SIZE), axis=1) * np.float32(draws.uniform(0.84, 1.1))
        joint = draws.integer(SIZE - 2)
        layer[band, joint : joint + 1] *= np.float32(0.6)
        layer[band.start] *= np.float32(0.62)
    return finish(layer)


def herringbone(draws: Draws, base: Colour) -> Texture:
    """Parquet in squares whose grain alternates (a basket weave)."""
    layer = _grain(draws.integer(1 << 30), base, 0.25, 2)
    turned = np.ascontiguousarray(np.swapaxes(layer, 0, 1))
    cell = SIZE // 4
    out = np.empty_like(layer)
    for j in range(4):
        for i in range(4):
            window = (slice(j * cell, (j + 1) * cell), slice(i * cell, (i + 1) * cell))
            source = layer if (i + j) % 2 == 0 else turned
            patch = source[window].copy()
            for strip in range(4):
                part = slice(strip * cell // 4, (strip + 1) * cell // 4)
                tone = np.float32(draws.uniform(0.86, 1.1))
                if (i + j) % 2 == 0:
                    patch[part] *= tone
                    patch[part.start] *= np.float32(0.65)
                else:
                    patch[:, part] *= tone
                    patch[:, part.start] *= np.float32(0.65)
            out[window] = patch
    return finish(out)


def tiles(draws: Draws, base: Colour, per_side: int, grout: Colour, second: Optional[Colour] = None) -> Texture:
    """Square tiles with grout; with ``second`` a chequerboard (then ``per_side`` must be even)."""
    seed = draws.integer(1 << 30)
    clouds = noise(seed, 5, 5, 4)[..., None] * np.float32(0.16) + np.float32(0.92)
    layer = flat(base)
    cell = SIZE // per_side
    for j in range(per_side):
        for i in range(per_side):
            window = (slice(j * cell, (j + 1) * cell), slice(i * cell, (i + 1) * cell))
            if second is not None and (i + j) % 2 == 1:
                layer[window] = np.array(second, np.float32)
            layer[window] *= np.float32(draws.uniform(0.95, 1.04))
    layer *= clouds
    rows, columns = pixel_grid()
    width = max(2, cell // 24)
    lines = (rows % cell < width) | (columns % cell < width)
    layer[lines] = np.array(grout, np.float32)
    return finish(layer)


def subway_tiles(draws: Draws, base: Colour, grout: Colour) -> Texture:
    """Wall tiles twice as wide as high, in running bond."""
    layer = flat(base)
    height, width = SIZE // 8, SIZE // 4
    rows, columns = pixel_grid()
    shifted = columns + (rows // height % 2) * (width // 2)
    tones = np.array([draws.uniform(0.94, 1.04) for _ in range(64)], np.float32)
    index = (rows // height * 5 + shifted // width % 4 * 13) % 64
    layer *= tones[index][..., None]
    layer[(rows % height < 2) | (shifted % width < 2)] = np.array(grout, np.float32)
    return finish(layer)


def brick(draws: Draws, base: Colour) -> Texture:
    """Bricks in running bond, 16 courses of 4."""
    seed = draws.integer(1 << 30)
    rough = noise(seed, 24, 24, 4)
    height, width = SIZE // 16, SIZE // 4
    rows, columns = pixel_grid()
    shifted = columns + (rows // height % 2) * (width // 2)
    tones = np.empty((32, 3), np.float32)
    for k in range(32):
        tone = draws.uniform(0.75, 1.15)
        tones[k] = [tone * draws.uniform(0.96, 1.04) for _ in range(3)]
    index = (rows // height * 7 + shifted // width % 4 * 3) % 32
    layer = flat(base) * tones[index] * (np.float32(0.7) + np.float32(0.6) * rough[..., None])
    mortar = (rows % height < 2) | (shifted % width < 2)
    joint = flat((0.70, 0.67, 0.62)) * (np.float32(0.8) + np.float32(0.4) * rough[..., None])
    layer[mortar] = joint[mortar]
    return finish(layer)


def plaster(draws: Draws, base: Colour) -> Texture:
    """Painted plaster: nearly flat, with the unevenness of a roller."""
    seed = draws.integer(1 << 30)
    tone = np.float32(0.955) + np.float32(0.05) * noise(seed, 4, 4, 4) + np.float32(0.035) * noise(seed + 1, 96, 96, 2)
    return finish(flat(base) * tone[..., None])


def plain(draws: Draws, base: Colour) -> Texture:
    """Lacquer, plastic or metal: one colour with a trace of noise."""
    tone = np.float32(0.97) + np.float32(0.05) * noise(draws.integer(1 << 30), 24, 24, 3)
    return finish(flat(base) * tone[..., None])


def brushed(draws: Draws, base: Colour) -> Texture:
    """Brushed steel: streaks along u."""
    tone = np.float32(0.88) + np.float32(0.2) * noise(draws.integer(1 << 30), 2, 96, 2)
    return finish(flat(base) * tone[..., None])


def concrete(draws: Draws, base: Colour) -> Texture:
    """Screed or concrete: soft clouds and pores."""
    seed = draws.integer(1 << 30)
    tone = np.float32(0.8) + np.float32(0.25) * noise(seed, 3, 3, 6, 0.6) + 0.08 * noise(seed + 1, 64, 64, 2)
    return finish(flat(base) * tone[..., None])


def marble(draws: Draws, base: Colour) -> Texture:
    """Stone with dark veins where warped noise crosses its middle."""
    seed = draws.integer(1 << 30)
    field = noise(seed, 3, 3, 6, 0.6) * np.float32(4.0) + noise(seed + 1, 2, 2, 3) * np.float32(2.0)
    veins = np.abs(np.float32(2.0) * (field - np.floor(field)) - np.float32(1.0))
    weight = np.sqrt(np.sqrt(veins))
    return finish(blend(flat(scaled(base, 0.6)), flat(base), weight))


def _weave() -> Image:
    rows, columns = pixel_grid()
    over = ((rows // 2 + columns // 2) % 2).astype(np.float32)
    return over * np.float32(0.12) + np.float32(0.88)


def fabric(draws: Draws, base: Colour) -> Texture:
    """Plain woven cloth."""
    seed = draws.integer(1 << 30)
    tone = _weave() * (np.float32(0.86) + np.float32(0.16) * noise(seed, 8, 8, 4) + 0.08 * noise(seed + 1, 128, 128, 1))
    return finish(flat(base) * tone[..., None].astype(np.float32))


def shade_cloth(draws: Draws, base: Colour) -> Texture:
    """Cloth lit from behind: nearly even, with fine threads."""
    tone = np.float32(0.94) + np.float32(0.06) * noise(draws.integer(1 << 30), 64, 64, 2)
    return finish(flat(base) * tone[..., None])


def striped_fabric(draws: Draws, base: Colour, stripe: Colour, bands: int) -> Texture:
    """Woven cloth with stripes across u."""
    _, columns = pixel_grid()
    period = SIZE // bands
    layer = flat(base)
    layer[columns % period < period // 3] = np.array(stripe, np.float32)
    tone = _weave() * (np.float32(0.9) + np.float32(0.14) * noise(draws.integer(1 << 30), 8, 8, 4))
    return finish(layer * tone[..., None])


def checked_fabric(draws: Draws, base: Colour, second: Colour) -> Texture:
    """Tartan-like checks: two stripe systems that darken where they cross."""
    rows, columns = pixel_grid()
    across = (columns % 64 < 24).astype(np.float32)
    down = (rows % 64 < 24).astype(np.float32)
    layer = blend(flat(base), flat(second), (across + down) * np.float32(0.5))
    tone = _weave() * (np.float32(0.9) + np.float32(0.14) * noise(draws.integer(1 << 30), 8, 8, 4))
    return finish(layer * tone[..., None])


def pile(draws: Draws, base: Colour) -> Texture:
    """Wall-to-wall carpet."""
    seed = draws.integer(1 << 30)
    tone = np.float32(0.72) + np.float32(0.34) * noise(seed, 96, 96, 2) + np.float32(0.14) * noise(seed + 1, 5, 5, 3)
    return finish(flat(base) * tone[..., None])


def leather(draws: Draws, base: Colour) -> Texture:
    """Leather: soft creases and a fine grain."""
    seed = draws.integer(1 << 30)
    creases = wave(noise(seed, 6, 6, 4) * np.float32(3.0))
    tone = np.float32(0.84) + np.float32(0.1) * creases + np.float32(0.12) * noise(seed + 1, 64, 64, 2)
    return finish(flat(base) * tone[..., None])


def wicker(draws: Draws, base: Colour) -> Texture:
    """Basket work: over-and-under strands."""
    rows, columns = pixel_grid()
    over = (rows // 8 + columns // 16) % 2
    bulge = wave((np.where(over == 1, rows % 8, columns % 16 / 2) / 8.0 + 0.5).astype(np.float32))
    tone = (
        np.float32(0.55) + np.float32(0.4) * (1.0 - bulge) + np.float32(0.15) * noise(draws.integer(1 << 30), 32, 32, 2)
    )
    return finish(flat(base) * tone[..., None].astype(np.float32))


def wallpaper(draws: Draws, base: Colour, motif: Colour) -> Texture:
    """Wallpaper with stripes, dots, diamonds, petals or trellis."""
    rows, columns = pixel_grid()
    period = 64
    x = ((columns % period) - period / 2.0) / (period / 2.0)
    y = (((rows + columns // period % 2 * (period // 2)) % period) - period / 2.0) / (period / 2.0)
    kind = draws.integer(5)
    if kind == 0:
        mask = columns % 32 < 16
    elif kind == 1:
        mask = x * x + y * y < 0.09
    elif kind == 2:
        mask = np.abs(np.abs(x) + np.abs(y) - 0.8) < 0.09
    elif kind == 3:
        mask = (np.abs(x * y) < 0.05 * (1.0 - x * x - y * y)) & (x * x + y * y < 0.7)
    else:
        mask = (np.abs(x) < 0.08 + 0.2 * y * y) & (np.abs(y) < 0.8)
    soft = mask.astype(np.float32) * np.float32(0.85)
    tone = np.float32(0.95) + np.float32(0.06) * noise(draws.integer(1 << 30), 8, 8, 4)
    return finish(blend(flat(base), flat(motif), soft) * tone[..., None])
