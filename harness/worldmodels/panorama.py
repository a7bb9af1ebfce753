"""Panoramas: exact turns as column rolls, and perspective crops.

Everything here decides outcomes, so it keeps to operations that give equal bits on every CPU: integer indexing,
elementwise + - * floor, and `harness.contracts.portable` for angles. An equirect image has the heading in its
centre, left at W/4, and its rows cover 180 degrees whatever their number (the published 576 x 1024 included).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import RGB, View
from harness.contracts.portable import PI, TWO_PI, atan2, sincos

Map = npt.NDArray[np.float64]


def roll(pano: RGB, yaw_left_deg: float) -> RGB:
    """Return the panorama after a turn by ``yaw_left_deg`` (degrees, left positive).

    Exact: columns move, no pixel is interpolated. Turns that are not a whole number of columns (360 / W degrees
    each) raise Refusal, because rounding them would add up over an episode.
    """
    width = pano.shape[1]
    columns = yaw_left_deg * width / 360.0
    whole = math.floor(columns + 0.5)
    if columns != whole:
        raise Refusal(
            f"a turn by {yaw_left_deg} degrees is {columns:g} columns of a panorama {width} wide.",
            f"Use turns that are multiples of {360.0 / width:g} degrees, or another panorama width.",
        )
    return np.roll(pano, whole % width, axis=1)


def crop(
    pano: RGB, height: int, width: int, hfov_deg: float, yaw_left_deg: float = 0.0, pitch_up_deg: float = 0.0
) -> RGB:
    """Return the pinhole view uint8 [height, width, 3] that looks ``yaw_left_deg``, ``pitch_up_deg`` (degrees).

    Bilinear, with square pixels and ``hfov_deg`` across. The poles repeat their outermost row. The published crop
    first resizes the panorama to H x 2H; sampling the original directly is the same geometry with one resampling less.
    """
    _check_crop(pano, height, width, hfov_deg)
    rows, columns = pano.shape[:2]
    source_x, source_y = _pinhole_map(rows, columns, height, width, hfov_deg, pitch_up_deg)
    return _sample(pano, source_x - yaw_left_deg * columns / 360.0, source_y)


def front_crop(view: View, size: tuple[int, int], hfov_deg: float, yaw_left_deg: float = 0.0) -> View:
    """Return the perspective view of an equirect ``view`` at ``yaw_left_deg``; ``size`` is (height, width)."""
    camera = view.camera
    if camera.kind != EQUIRECT:
        raise Refusal(f"camera {camera.name!r} is {camera.kind}; only an equirect view can be cropped.")
    rgb = crop(view.rgb, size[0], size[1], hfov_deg, yaw_left_deg)
    return View(Camera("front_crop", PINHOLE, size[0], size[1], hfov_deg, camera.height_m), rgb)


def _check_crop(pano: RGB, height: int, width: int, hfov_deg: float) -> None:
    if pano.ndim != 3 or pano.shape[2] != 3 or pano.dtype != np.uint8:
        raise Refusal(f"a panorama is uint8 [H, W, 3], not {pano.dtype} {list(pano.shape)}.")
    if height < 1 or width < 1 or not 0.0 < hfov_deg < 180.0:
        raise Refusal(
            f"no pinhole view has {height} x {width} pixels and {hfov_deg} degrees across.",
            "Give positive sizes and a field of view between 0 and 180 degrees.",
        )


@lru_cache(maxsize=16)
def _pinhole_map(
    rows: int, columns: int, height: int, width: int, hfov_deg: float, pitch_up_deg: float
) -> tuple[Map, Map]:
    """Return for each pixel of a pinhole at yaw 0 the (column, row) to sample, as floats in pixel units.

    Computed once a shape by scalar code, because numpy's own trigonometry differs between CPUs.
    """
    half_sine, half_cosine = sincos(hfov_deg * PI / 360.0)
    pixel = 2.0 * half_sine / half_cosine / width
    pitch_sine, pitch_cosine = sincos(pitch_up_deg * PI / 180.0)
    source_x = np.empty((height, width), np.float64)
    source_y = np.empty((height, width), np.float64)
    for y in range(height):
        image_up = (height * 0.5 - (y + 0.5)) * pixel
        ahead = pitch_cosine - image_up * pitch_sine
        up = pitch_sine + image_up * pitch_cosine
        for x in range(width):
            right = ((x + 0.5) - width * 0.5) * pixel
            azimuth = atan2(-right, ahead)
            elevation = atan2(up, math.sqrt(right * right + ahead * ahead))
            source_x[y, x] = (0.5 - azimuth / TWO_PI) * columns - 0.5
            source_y[y, x] = (0.5 - elevation / PI) * rows - 0.5
    source_x.setflags(write=False)
    source_y.setflags(write=False)
    return source_x, source_y


def _sample(pano: RGB, source_x: Map, source_y: Map) -> RGB:
    """Return the bilinear samples of ``pano`` at float pixel positions; columns wrap, rows clamp."""
    rows, columns = pano.shape[:2]
    left_float = np.floor(source_x)
    top_float = np.floor(source_y)
    weight_x = (source_x - left_float)[..., None]
    weight_y = (source_y - top_float)[..., None]
    left = left_float.astype(np.int64) % columns
    right = (left + 1) % columns
    top = np.clip(top_float.astype(np.int64), 0, rows - 1)
    bottom = np.clip(top_float.astype(np.int64) + 1, 0, rows - 1)
    above = pano[top, left] * (1.0 - weight_x) + pano[top, right] * weight_x
    below = pano[bottom, left] * (1.0 - weight_x) + pano[bottom, right] * weight_x
    mixed = above * (1.0 - weight_y) + below * weight_y
    result: RGB = np.floor(mixed + 0.5).astype(np.uint8)
    return result
