"""Where the rays of a camera go: tables that serve pinhole and equirectangular images alike.

Both projections write the ray of a pixel as (column_x[column], row_y[row], column_z[column]) in a frame with x
right, y up, z back. A pinhole row is flat (column_z is -1 everywhere); an equirectangular row is a ring of
height tan(elevation) around the unit circle. One rasteriser and one shader therefore serve both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import Refusal
from harness.contracts.portable import PI, TWO_PI, sincos

HEADINGS = 16
"""Number of compass headings: a turn of 22.5 degrees goes from one to the next."""

HEADING_STEP_DEG = 22.5

_ALIGNED_DEG = 1e-6
"""A yaw this near to a multiple of a step counts as that multiple (yaws travel as quaternions)."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RayGrid:
    """The rays of one image and what a unit of ray parameter means.

    ``column_x``, ``column_z`` are [W], ``row_y`` is [H]. ``row_footprint`` [H] is the width of a pixel per unit of
    ray parameter; ``row_distance`` [H] turns the parameter into the reported depth (1 for a pinhole, whose parameter
    is the planar depth; the ray's length for an equirectangular image, which reports the distance along the ray).
    """

    column_x: Floats
    column_z: Floats
    row_y: Floats
    row_footprint: Floats
    row_distance: Floats


def nearest_multiple(value: float, step: float) -> Tuple[int, float]:
    """Return (k, rest) with ``value`` = k * ``step`` + rest and |rest| <= step / 2; a tiny rest becomes exactly 0.

    Yaws arrive as quaternions, so that a multiple of 22.5 degrees comes back with some last bits wrong.
    """
    count = int(np.floor(value / step + 0.5))
    rest = value - count * step
    return count, 0.0 if abs(rest) < _ALIGNED_DEG else rest


def heading_sincos(yaw_deg: float) -> Tuple[float, float]:
    """Return (sine, cosine) of a yaw; the 16 compass headings are exact mirror images of each other.

    The symmetry makes a walk there and back end where it started, up to the rounding of additions.
    """
    index, rest = nearest_multiple(yaw_deg, HEADING_STEP_DEG)
    if rest != 0.0:
        return sincos(yaw_deg * (PI / 180.0))
    quarter, step = divmod(index % HEADINGS, 4)
    small = sincos(PI / 8.0)
    half = sincos(PI / 4.0)[0]
    sine = (0.0, small[0], half, small[1])[step]
    cosine = (1.0, small[1], half, small[0])[step]
    return ((sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine))[quarter]


def camera_rotation(camera: Camera, yaw_deg: float) -> Floats:
    """Return the rows right, up and back (3 x 3) of a camera whose body looks along ``yaw_deg``."""
    yaw_sin, yaw_cos = heading_sincos(yaw_deg + camera.yaw_deg)
    pitch_sin, pitch_cos = heading_sincos(camera.pitch_deg)
    right = (yaw_cos, 0.0, -yaw_sin)
    up = (yaw_sin * pitch_sin, pitch_cos, yaw_cos * pitch_sin)
    back = (yaw_sin * pitch_cos, -pitch_sin, yaw_cos * pitch_cos)
    return np.array((right, up, back), np.float64)


def pinhole_tangents(camera: Camera) -> Tuple[float, float]:
    """Return the tangents of half the horizontal and half the vertical field of view (pixels are square)."""
    sine, cosine = sincos(camera.hfov_deg * (PI / 360.0))
    horizontal = sine / cosine
    return horizontal, horizontal * camera.height / camera.width


@lru_cache(maxsize=16)
def pinhole_rays(camera: Camera) -> RayGrid:
    """Return the rays of a pinhole camera in its own frame; the ray parameter is the planar depth."""
    if camera.kind != PINHOLE or not 0.0 < camera.hfov_deg < 175.0:
        raise Refusal(f"camera {camera.name!r} is not a pinhole with a field of view below 175 degrees.")
    horizontal, vertical = pinhole_tangents(camera)
    columns = ((np.arange(camera.width) + 0.5) / camera.width * 2.0 - 1.0) * horizontal
    rows = (1.0 - (np.arange(camera.height) + 0.5) / camera.height * 2.0) * vertical
    pixel = 2.0 * horizontal / camera.width
    ones = np.ones(camera.height)
    return RayGrid(columns, np.full(camera.width, -1.0), rows, pixel * ones, ones)


@lru_cache(maxsize=16)
def equirect_rays(camera: Camera, yaw_rest_deg: float) -> RayGrid:
    """Return the rays of a full-sphere panorama in the world frame, whose centre looks along ``yaw_rest_deg``.

    The rest is what remains of a yaw after whole columns, which are a roll of the finished image: so the panoramas
    of headings that are whole columns apart are rolls of each other, bit for bit. The ray parameter is the
    horizontal distance. A pixel's footprint is the larger of its width and height on the sphere.
    """
    if camera.kind != EQUIRECT or camera.pitch_deg != 0.0:
        raise Refusal(f"camera {camera.name!r} is not an equirectangular camera with pitch 0.")
    azimuths = [yaw_rest_deg * (PI / 180.0) + (0.5 - (i + 0.5) / camera.width) * TWO_PI for i in range(camera.width)]
    elevations = [(0.5 - (i + 0.5) / camera.height) * PI for i in range(camera.height)]
    around = np.array([sincos(azimuth) for azimuth in azimuths])
    upward = np.array([sincos(elevation) for elevation in elevations])
    cosine = np.ascontiguousarray(upward[:, 1])
    row_y = upward[:, 0] / cosine
    row_distance = np.sqrt(1.0 + row_y * row_y)
    angle = np.maximum(TWO_PI / camera.width * cosine, PI / camera.height)
    column_x = np.ascontiguousarray(-around[:, 0])
    column_z = np.ascontiguousarray(-around[:, 1])
    return RayGrid(column_x, column_z, row_y, row_distance * angle, row_distance)
