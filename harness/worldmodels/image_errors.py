"""Planted errors of images: blur and hue, and where things are seen: pitch, stretched rows, mirrored columns, a ghost.

The first are what a world model gets wrong although it knows where it is; a score that forgives them should not forgive
the others. Bytes are equal on every CPU: sampling and blurring are integer arithmetic with weights that were rounded
once, and the hue is turned by elementwise products and sums in a fixed order.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.observations import RGB, View
from harness.contracts.portable import PI, exp, sincos
from harness.worldmodels.panorama import resize

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


GHOST_COLOUR = (160, 120, 80)
"""Of the box that is not there: cardboard."""

_BITS = 12
"""Weights of two neighbours are whole parts of 2 ** 12; products of two weights and a byte fit into 32 bits."""
_ONE = 1 << _BITS
_LEAST_AHEAD = 1e-3

Floats = npt.NDArray[np.float64]
WholeNumbers = npt.NDArray[np.int64]


def pitched(view: View, pitch_deg: float) -> RGB:
    """Return what is seen where every heading is shown as by a camera that looks up by ``pitch_deg``: things sink.

    A panorama has no one direction in which its camera could be tilted: its rows move, 180 degrees being its height.
    What comes into view repeats the border.
    """
    camera = view.camera
    if camera.kind == EQUIRECT:
        sunk = pitch_deg * camera.height / 180.0
        return _rows_from(view.rgb, np.arange(camera.height, dtype=np.float64) - sunk)
    return _sampled(view.rgb, *_pitched_pinhole(camera, pitch_deg))


def stretched(rgb: RGB, factor: float) -> RGB:
    """Return the image with its rows ``factor`` times as far from the middle one; below 1 the border is repeated."""
    middle = (rgb.shape[0] - 1) * 0.5
    return _rows_from(rgb, middle + (np.arange(rgb.shape[0], dtype=np.float64) - middle) / factor)


def mirrored(rgb: RGB, share: float) -> RGB:
    """Return the image with the ``share`` of its columns that lies rightmost put in the opposite order."""
    columns = math.floor(share * rgb.shape[1] + 0.5)
    result = rgb.copy()
    if columns:
        result[:, -columns:] = rgb[:, -columns:][:, ::-1]
    return result


def coarse(rgb: RGB, resolution: float) -> RGB:
    """Return the image as a model shows it that works at ``resolution`` times its height and width."""
    height, width = (max(1, math.floor(side * resolution + 0.5)) for side in rgb.shape[:2])
    return resize(resize(rgb, height, width), *rgb.shape[:2])


def with_ghost(rgb: RGB, size: float) -> RGB:
    """Return the image with a box straight ahead that is not there, ``size`` times as high and wide as the image is
    high."""
    height, width = rgb.shape[:2]
    side = math.floor(size * height + 0.5)
    top, left = (height - side) // 2, max((width - side) // 2, 0)
    result = rgb.copy()
    result[top : top + side, left : left + side] = GHOST_COLOUR
    return result


@lru_cache(maxsize=8)
def _pitched_pinhole(camera: Camera, pitch_deg: float) -> Tuple[Floats, Floats]:
    """Return the columns and rows [H, W] of a level pinhole view that a pitched one shows, unbounded."""
    half_sine, half_cosine = sincos(camera.hfov_deg * PI / 360.0)
    pixel = 2.0 * half_sine / half_cosine / camera.width
    sine, cosine = sincos(pitch_deg * PI / 180.0)
    across = (np.arange(camera.width, dtype=np.float64) + 0.5 - camera.width * 0.5)[None, :] * pixel
    above = (camera.height * 0.5 - (np.arange(camera.height, dtype=np.float64) + 0.5))[:, None] * pixel
    ahead = np.maximum(cosine - above * sine, _LEAST_AHEAD)
    columns = across / ahead / pixel + camera.width * 0.5 - 0.5
    rows = camera.height * 0.5 - (sine + above * cosine) / ahead / pixel - 0.5
    return columns, np.broadcast_to(rows, columns.shape)


def _rows_from(rgb: RGB, rows: Floats) -> RGB:
    """Return the image whose rows are taken from places ``rows`` [H] between those of ``rgb``."""
    upper, share = _split(rows, rgb.shape[0])
    lower = np.minimum(upper + 1, rgb.shape[0] - 1)
    part = share[:, None, None]
    mixed = rgb[upper].astype(np.int64) * (_ONE - part) + rgb[lower].astype(np.int64) * part
    result: RGB = ((mixed + (_ONE >> 1)) >> _BITS).astype(np.uint8)
    return result


def _sampled(rgb: RGB, columns: Floats, rows: Floats) -> RGB:
    """Return the image whose pixels are taken from places (``columns``, ``rows``) [H, W] between those of ``rgb``."""
    left, across = _split(columns, rgb.shape[1])
    upper, down = _split(rows, rgb.shape[0])
    right, lower = np.minimum(left + 1, rgb.shape[1] - 1), np.minimum(upper + 1, rgb.shape[0] - 1)
    pixels = rgb.astype(np.int64)
    a, b = across[..., None], down[..., None]
    above = pixels[upper, left] * (_ONE - a) + pixels[upper, right] * a
    below = pixels[lower, left] * (_ONE - a) + pixels[lower, right] * a
    mixed = above * (_ONE - b) + below * b
    result: RGB = ((mixed + (1 << (2 * _BITS - 1))) >> (2 * _BITS)).astype(np.uint8)
    return result


def _split(places: Floats, length: int) -> Tuple[WholeNumbers, WholeNumbers]:
    """Return the pixel before each place in 0..length - 1, and the weight of the next one."""
    bounded = np.clip(places, 0.0, length - 1.0)
    before = np.floor(bounded)
    weight = np.floor((bounded - before) * _ONE + 0.5)
    return before.astype(np.int64), weight.astype(np.int64)
