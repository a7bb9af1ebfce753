"""Views: exact turns as column rolls, perspective crops, and other sizes by exact area averages.

Everything here decides outcomes, so it keeps to operations that give equal bits on every CPU: integer indexing and
sums, elementwise + - * floor, and `harness.contracts.portable` for angles. An equirect image has the heading in its
centre, left at W/4, and its rows cover 180 degrees whatever their number (the published 576 x 1024 included).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import RGB, View
from harness.contracts.portable import PI, TWO_PI, atan2, sincos


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


Floats = npt.NDArray[np.float64]
_Pixel = TypeVar("_Pixel", bound=np.generic)


def roll(pano: npt.NDArray[_Pixel], yaw_left_deg: float) -> npt.NDArray[_Pixel]:
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
    shift = yaw_left_deg * columns / 360.0
    whole = math.floor(shift)
    plan = _sampling_plan(rows, columns, height, width, hfov_deg, pitch_up_deg, shift - whole)
    return _sample(np.roll(pano, whole % columns, axis=1), plan).reshape(height, width, 3)


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


@dataclass(frozen=True, eq=False)
class _SamplingPlan:
    """Bilinear sampling of an image of n pixels: four pixel numbers and two weights for each of m samples."""

    above_left: npt.NDArray[np.int32]
    above_right: npt.NDArray[np.int32]
    below_left: npt.NDArray[np.int32]
    below_right: npt.NDArray[np.int32]
    across: Floats
    down: Floats


@lru_cache(maxsize=16)
def _sampling_plan(
    rows: int, columns: int, height: int, width: int, hfov_deg: float, pitch_up_deg: float, shift: float
) -> _SamplingPlan:
    """Return how to sample a panorama, rolled right by ``shift`` in [0, 1) columns, for a pinhole at yaw 0.

    Columns wrap, rows clamp. Whole columns of yaw are rolled beforehand, so one plan serves every turn of a suite.
    """
    source_x, source_y = _pinhole_map(rows, columns, height, width, hfov_deg, pitch_up_deg)
    source_x = source_x - shift
    left_float = np.floor(source_x)
    top_float = np.floor(source_y)
    left = left_float.astype(np.int32) % columns
    right = (left + 1) % columns
    above = np.clip(top_float.astype(np.int32), 0, rows - 1) * columns
    below = np.clip(top_float.astype(np.int32) + 1, 0, rows - 1) * columns
    across = (source_x - left_float)[:, None]
    down = (source_y - top_float)[:, None]
    return _SamplingPlan(above + left, above + right, below + left, below + right, across, down)


@lru_cache(maxsize=4)
def _pinhole_map(
    rows: int, columns: int, height: int, width: int, hfov_deg: float, pitch_up_deg: float
) -> tuple[Floats, Floats]:
    """Return for each pixel of a pinhole at yaw 0, row by row, the (column, row) to sample, in pixel units.

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
    return source_x.reshape(-1), source_y.reshape(-1)


def _sample(pano: RGB, plan: _SamplingPlan) -> RGB:
    """Return the samples of ``pano`` uint8 [m, 3], rounded half up."""
    pixels = pano.reshape(-1, 3)
    left_weight = 1.0 - plan.across
    above = pixels.take(plan.above_left, axis=0) * left_weight + pixels.take(plan.above_right, axis=0) * plan.across
    below = pixels.take(plan.below_left, axis=0) * left_weight + pixels.take(plan.below_right, axis=0) * plan.across
    mixed = above * (1.0 - plan.down) + below * plan.down
    result: RGB = np.floor(mixed + 0.5).astype(np.uint8)
    return result
