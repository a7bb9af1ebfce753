"""Depth as 16-bit pictures, as the published data have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.contracts.observations import Depth

MOST_M = 20.0
"""What is farther away is stored as this far."""

DEPTH_NAME = "step-{step}_type-depth.png"
_FULL = 65535

Pictures = npt.NDArray[np.uint16]


def stored(depth: Depth) -> Pictures:
    """Return depth in metres as whole numbers of 20 m / 65535; 0, where nothing was hit, stays 0."""
    scaled = np.clip(np.asarray(depth, np.float64), 0.0, MOST_M) * (_FULL / MOST_M)
    pictures: Pictures = np.floor(scaled + 0.5).astype(np.uint16)
    return pictures


def write_depth(path: Path, picture: Pictures) -> None:
    """Write one picture as a PNG of 16 bits."""
    from PIL import Image

    Image.fromarray(picture).save(path, compress_level=6)


def read_depth(path: Path) -> Pictures:
    """Return a picture that `write_depth` wrote; ValueError for one of another kind."""
    from PIL import Image

    with Image.open(path) as image:
        if image.mode not in ("I;16", "I"):
            raise ValueError(f"{path.name} is no picture of 16 bits")
        return np.asarray(image).astype(np.uint16)
