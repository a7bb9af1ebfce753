"""Resizing of images by exact area averages, for models whose size no camera of the rig has.

What a model sees and what is compared with the real view decide outcomes, so all sums are integers: equal on every CPU.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from harness.contracts.observations import RGB, View


def resize(rgb: RGB, height: int, width: int) -> RGB:
    """Return ``rgb`` uint8 [H, W, 3] as [height, width, 3]: each new pixel is the mean of the area it covers.

    Rounded half up, once. Enlarged images stay blocky, since an average invents nothing.
    """
    if rgb.shape[:2] == (height, width):
        return rgb
    sums = _area_sums(_area_sums(rgb.astype(np.int64), height), width, axis=1)
    area = rgb.shape[0] * rgb.shape[1]
    result: RGB = ((2 * sums + area) // (2 * area)).astype(np.uint8)
    return result


def resized_view(view: View, height: int, width: int) -> View:
    """Return a view's RGB at another size, with its camera; depth and ids are left out."""
    camera = view.camera
    if (camera.height, camera.width) == (height, width):
        return view
    return View(replace(camera, height=height, width=width), resize(view.rgb, height, width))


def _area_sums(values: npt.NDArray[np.int64], size: int, axis: int = 0) -> npt.NDArray[np.int64]:
    """Return the integral of ``values`` over ``size`` equal intervals of an axis, in units of 1 / size of a pixel.

    The integral up to the rational place k * length / size is a whole number of such units, so nothing is rounded.
    """
    moved = np.moveaxis(values, axis, 0)
    length = moved.shape[0]
    until = np.concatenate([np.zeros_like(moved[:1]), np.cumsum(moved, axis=0)])
    whole, rest = np.divmod(np.arange(size + 1) * length, size)
    partly = moved[np.minimum(whole, length - 1)] * rest[:, None, None]
    integral = until[whole] * size + partly
    return np.moveaxis(integral[1:] - integral[:-1], 0, axis)
