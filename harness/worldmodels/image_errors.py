"""Planted errors of images: blur and a shift of hue, equal to the bit on every CPU.

They are what a world model gets wrong although it knows where it is. Blurring is integer arithmetic with weights that
were rounded once; the hue is turned by elementwise products and sums in a fixed order.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT
from harness.contracts.observations import RGB, View
from harness.contracts.portable import PI, exp, sincos

_WEIGHT_BITS = 15
_KEPT_BITS = 8
"""Bits after the point that are kept between the two directions; 8 + 15 + 8 fit into 31."""

_REACH = 4.0
"""The kernel ends at this many standard deviations, where less than 1e-4 is left."""

Integers = npt.NDArray[np.int32]


def blur(view: View, sigma_px: float) -> RGB:
    """Return the image blurred by a Gaussian of ``sigma_px`` pixels; a panorama wraps around, other borders repeat.

    Within 1 of 255 of an exact Gaussian filter of the same reach.
    """
    weights = gaussian_weights(sigma_px)
    half_kept = 1 << (_WEIGHT_BITS - _KEPT_BITS - 1)
    across = "wrap" if view.camera.kind == EQUIRECT else "edge"
    rows = (_filtered(view.rgb.astype(np.int32), weights, 1, across) + half_kept) >> (_WEIGHT_BITS - _KEPT_BITS)
    columns = _filtered(rows, weights, 0, "edge")
    half = 1 << (_WEIGHT_BITS + _KEPT_BITS - 1)
    result: RGB = ((columns + half) >> (_WEIGHT_BITS + _KEPT_BITS)).astype(np.uint8)
    return result


@lru_cache(maxsize=16)
def gaussian_weights(sigma_px: float) -> Tuple[int, ...]:
    """Return whole weights, an odd number of them, that sum to 2 ** 15."""
    reach = math.floor(_REACH * sigma_px + 0.5)
    shape = [exp(-offset * offset / (2.0 * sigma_px * sigma_px)) for offset in range(-reach, reach + 1)]
    total = 0.0
    for value in shape:
        total += value
    weights = [math.floor(value / total * (1 << _WEIGHT_BITS) + 0.5) for value in shape]
    weights[reach] += (1 << _WEIGHT_BITS) - sum(weights)
    return tuple(weights)


def _filtered(image: Integers, weights: Tuple[int, ...], axis: int, border: str) -> Integers:
    """Return the weighted sums of int32 [H, W, 3] along ``axis``."""
    reach = len(weights) // 2
    margins = [(0, 0), (0, 0), (0, 0)]
    margins[axis] = (reach, reach)
    padded = np.pad(image, margins, mode=border)  # type: ignore[call-overload]
    length = image.shape[axis]
    total: Integers = np.zeros_like(image)
    for start, weight in enumerate(weights):
        part = padded[start : start + length] if axis == 0 else padded[:, start : start + length]
        total += part * np.int32(weight)
    return total


def turn_hue(rgb: RGB, angle_deg: float) -> RGB:
    """Return the image with every colour turned by ``angle_deg`` about the grey axis of the RGB cube.

    A rotation matrix (Rodrigues' formula about (1, 1, 1)), so that grey stays grey and the mean of the channels is
    kept; what leaves the cube is clipped.
    """
    sine, cosine = sincos(angle_deg * PI / 180.0)
    same = cosine + (1.0 - cosine) / 3.0
    less = (1.0 - cosine) / 3.0 - sine / math.sqrt(3.0)
    more = (1.0 - cosine) / 3.0 + sine / math.sqrt(3.0)
    red, green, blue = (rgb[..., channel].astype(np.float64) for channel in range(3))
    turned = (
        same * red + less * green + more * blue,
        more * red + same * green + less * blue,
        less * red + more * green + same * blue,
    )
    result: RGB = np.floor(np.clip(np.stack(turned, axis=-1) + 0.5, 0.0, 255.0)).astype(np.uint8)
    return result
