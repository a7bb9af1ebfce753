"""Resizing of images by exact area averages, for models whose size no camera of the rig has.

What a model sees and what is compared with the real view decide outcomes, so all sums are integers: equal on every CPU.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.observations import RGB, View


def resize(rgb: RGB, height: int, width: int) -> RGB:
    """Return ``rgb`` uint8 [H, W, 3] as [height, width, 3]: each new pixel is the mean of the area it covers.

    Rounded half up, once. Enlarged images stay blocky, since an average invents nothing.
    """
    if rgb.shape[:2] == (height, width):
        return rgb
    sums = _area_sums(_area_sums(rgb, height), width, axis=1)
    area = _parts(rgb.shape[0], height)[0] * _parts(rgb.shape[1], width)[0]
    result: RGB = ((2 * sums + area) // (2 * area)).astype(np.uint8)
    return result


def resized_view(view: View, height: int, width: int) -> View:
    """Return a view's RGB at another size, with its camera; depth and ids are left out."""
    camera = view.camera
    if (camera.height, camera.width) == (height, width):
        return view
    return View(replace(camera, height=height, width=width), resize(view.rgb, height, width))


def _area_sums(values: npt.NDArray[Any], size: int, axis: int = 0) -> npt.NDArray[np.int64]:
    """Return the sums of ``values`` over ``size`` equal intervals of an axis, in units of a part of a pixel.

    Each pixel is cut into as many parts as make every interval a whole number of them.
    """
    covered, parts = _parts(values.shape[axis], size)
    cut = np.repeat(values, parts, axis=axis) if parts > 1 else values
    shape = (*values.shape[:axis], size, covered, *values.shape[axis + 1 :])
    sums: npt.NDArray[np.int64] = cut.reshape(shape).sum(axis=axis + 1, dtype=np.int64)
    return sums


def _parts(length: int, size: int) -> tuple[int, int]:
    """Return how many parts an interval covers, and into how many a pixel is cut: ``length / size`` in lowest terms."""
    common = math.gcd(length, size)
    return length // common, size // common
