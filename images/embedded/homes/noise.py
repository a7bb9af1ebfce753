"""Tiling value noise, the raw material of all textures.

The lattice values come from an integer hash, so that a texture is a pure function of its seed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.contracts.kernels import compiled
from images.embedded.mesh import TEXTURE_SIZE

Image = npt.NDArray[np.float32]

_MASK = 0xFFFFFFFF


@compiled
def _lattice(x: int, y: int, seed: int) -> float:
    h = (x * 0x9E3779B1) ^ (y * 0x85EBCA77) ^ ((seed & 0x3FFFFFFF) * 0x42B2AE3D)
    h &= _MASK
    h ^= h >> 15
    h = (h * 0x2C1B3C6D) & _MASK
    h ^= h >> 12
    h = (h * 0x297A2D39) & _MASK
    h ^= h >> 15
    return h / 4294967296.0


@compiled
def _add_octave(out: Image, cells_x: int, cells_y: int, amplitude: float, seed: int) -> None:
    size = out.shape[0]
    table = np.empty((cells_y, cells_x), np.float64)
    for j in range(cells_y):
        for i in range(cells_x):
            table[j, i] = _lattice(i, j, seed)
    for y in range(size):
        position_y = y * cells_y / size
        y0 = int(position_y)
        fy = position_y - y0
        fy = fy * fy * (3.0 - 2.0 * fy)
        y1 = (y0 + 1) % cells_y
        for x in range(size):
            position_x = x * cells_x / size
            x0 = int(position_x)
            fx = position_x - x0
            fx = fx * fx * (3.0 - 2.0 * fx)
            x1 = (x0 + 1) % cells_x
            top = table[y0, x0] + (table[y0, x1] - table[y0, x0]) * fx
            bottom = table[y1, x0] + (table[y1, x1] - table[y1, x0]) * fx
            out[y, x] += amplitude * (top + (bottom - top) * fy)


def noise(seed: int, cells_x: int, cells_y: int, octaves: int = 4, gain: float = 0.5) -> Image:
    """Return fractal value noise in [0, 1], [256, 256], that tiles in both directions.

    ``cells_x`` and ``cells_y`` are the lattice cells of the first octave along a row and a column;
    different counts give the streaks of wood or brushed metal.
    """
    out = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE), np.float32)
    amplitude = 1.0
    total = 0.0
    for octave in range(octaves):
        scale = 1 << octave
        if max(cells_x, cells_y) * scale > TEXTURE_SIZE:
            break
        _add_octave(out, cells_x * scale, cells_y * scale, amplitude, seed * 31 + octave)
        total += amplitude
        amplitude *= gain
    result: Image = out / np.float32(total)
    return result
