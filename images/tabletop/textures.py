"""The textures of the tabletop, by name: what the embedded homes are made of, drawn once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import Tuple

import numpy as np
import numpy.typing as npt

from images.embedded.homes import textures
from images.embedded.homes.draws import Draws
from images.embedded.homes.noise import noise
from images.embedded.shading import build_mips

NAMES = ("plastic", "wood", "table", "floor", "wall")
TURN_M = {"plastic": 0.25, "wood": 0.35, "table": 0.9, "floor": 1.6, "wall": 2.5}
"""How many metres one repetition covers."""


@lru_cache(maxsize=1)
def pyramids() -> Tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (texels, level starts) of all textures, in the order of NAMES."""
    draws = Draws(20, "tabletop")
    grain = noise(7, 24, 24, octaves=3)
    plastic = textures.finish(textures.flat((0.97, 0.97, 0.97)) - np.float32(0.05) * grain[..., None])
    images = (
        plastic,
        _lightened(textures.wood(draws.child("wood"), (0.80, 0.78, 0.75))),
        textures.planks(draws.child("table"), (0.62, 0.45, 0.30), 4),
        textures.tiles(draws.child("floor"), (0.42, 0.43, 0.45), 4, (0.34, 0.35, 0.36)),
        textures.plaster(draws.child("wall"), (0.80, 0.80, 0.78)),
    )
    return build_mips(np.stack(images))


def _lightened(texture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a texture whose brightest byte is 255, since the tint of a thing multiplies it."""
    return (texture.astype(np.int32) * 255 // int(texture.max())).astype(np.uint8)
