"""`warp`: reprojects the conditioning view as if everything were at one distance.

The scene is a sphere of `depth_m` around the conditioning camera; the commanded motion moves the camera inside it.
Nothing is learnt and no obstacle is known, so a forward passes through walls. Angles come from
`harness.contracts.portable` and the loops are scalar without fastmath: the bytes are equal on every x86-64 CPU.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import FORWARD, STOP, Action, Primitive, signed_turn
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.errors import Refusal
from harness.contracts.kernels import compiled
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import RGB
from harness.contracts.portable import PI, TWO_PI, atan2, sincos
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel

Floats = npt.NDArray[np.float64]
Motion = Tuple[float, float, float]
"""Where the camera is after an action: x right and z back in metres from the conditioning view, yaw in degrees."""

DEFAULT_DEPTH_M = 2.5
DEFAULT_REACH = 0.92
NEAREST_AHEAD = 1e-6

_atan2 = compiled(atan2)


class Warp(WorldModel):
    """Constant-depth reprojection.

    Settings: ``depth_m`` (metres) is the radius of the sphere; ``reach`` the largest translation as a part of it,
    since a camera at the sphere's surface sees one stretched pixel.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.depth_m = float(manifest.settings.get("depth_m", DEFAULT_DEPTH_M))
        self.reach = float(manifest.settings.get("reach", DEFAULT_REACH))
        if not (self.depth_m > 0.0 and 0.0 < self.reach < 1.0):
            raise Refusal(
                f"warp cannot use depth_m {self.depth_m} with reach {self.reach}.",
                "Set depth_m above 0 and reach between 0 and 1.",
            )

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the wanted frames, each reprojected from the conditioning view itself, so that blur never adds up."""
        motions = motions_after(request.candidate.actions)
        frames = np.empty((len(request.frames), *request.view.shape), np.uint8)
        view = np.array(request.view, order="C")  # a view from the wire is read-only, which is another type to numba
        for number, frame in enumerate(request.frames):
            reproject(view, request.camera, self._reachable(motions[frame]), self.depth_m, frames[number])
        return Rollout(request.id, frames, request.camera)

    def _reachable(self, motion: Motion) -> Motion:
        """Return ``motion`` with its translation shortened to ``reach`` times the depth."""
        x, z, yaw_deg = motion
        length = math.sqrt(x * x + z * z)
        limit = self.reach * self.depth_m
        if length <= limit:
            return motion
        return x * (limit / length), z * (limit / length), yaw_deg


def motions_after(actions: Sequence[Action]) -> List[Motion]:
    """Return the commanded motion after each action, the first entry (no motion) before any.

    Only forwards, turns and stops are known; anything else raises Refusal.
    """
    x, z, yaw_deg = 0.0, 0.0, 0.0
    motions = [(x, z, yaw_deg)]
    for action in actions:
        turn = signed_turn(action)
        if turn != 0.0:
            yaw_deg += turn
        elif isinstance(action, Primitive) and action.name == FORWARD:
            sine, cosine = sincos(yaw_deg * PI / 180.0)
            x -= action.magnitude * sine
            z -= action.magnitude * cosine
        elif not (isinstance(action, Primitive) and action.name == STOP):
            raise Refusal(f"warp does not know the motion of {action}.", "It plays forwards, turns and stops only.")
        motions.append((x, z, yaw_deg))
    return motions


def reproject(view: RGB, camera: Camera, motion: Motion, depth_m: float, out: RGB) -> None:
    """Write into ``out`` what ``camera`` sees of ``view``'s sphere of ``depth_m`` metres after ``motion``.

    ``view`` and ``out`` are uint8 [H, W, 3], C order. Pixels that a pinhole view does not cover repeat its border.
    """
    x, z, yaw_deg = motion
    if camera.kind == EQUIRECT:
        azimuths, elevations = _sphere_tables(camera.height, camera.width, yaw_deg)
        _warp_equirect(view, out, azimuths, elevations, x, z, depth_m)
        return
    sine, cosine = sincos(yaw_deg * PI / 180.0)
    half_sine, half_cosine = sincos(camera.hfov_deg * PI / 360.0)
    focal = camera.width * half_cosine / (2.0 * half_sine)
    _warp_pinhole(view, out, sine, cosine, x, z, depth_m, focal)


@lru_cache(maxsize=64)
def _sphere_tables(height: int, width: int, yaw_deg: float) -> Tuple[Floats, Floats]:
    """Return (sine, cosine) of each column's azimuth from the conditioning heading, and of each row's elevation."""
    yaw = yaw_deg * PI / 180.0
    azimuths = np.array([sincos(PI - (column + 0.5) / width * TWO_PI + yaw) for column in range(width)])
    elevations = np.array([sincos((0.5 - (row + 0.5) / height) * PI) for row in range(height)])
    return azimuths, elevations


@compiled
def _sphere_distance(along: float, x: float, z: float, depth_m: float) -> float:
    """Return how far the sphere is from (x, z) in a direction whose dot product with (x, z) is ``along``."""
    return -along + math.sqrt(along * along - (x * x + z * z - depth_m * depth_m))


@compiled
def _blend(view: RGB, top: int, left: int, right: int, down: float, across: float, pixel: RGB) -> None:
    """Write the bilinear sample between rows top, top + 1 (clamped) and columns left, right into ``pixel``."""
    last = view.shape[0] - 1
    above = min(max(top, 0), last)
    below = min(max(top + 1, 0), last)
    for channel in range(3):
        upper = view[above, left, channel] * (1.0 - across) + view[above, right, channel] * across
        lower = view[below, left, channel] * (1.0 - across) + view[below, right, channel] * across
        pixel[channel] = int(upper * (1.0 - down) + lower * down + 0.5)


@compiled(signature="void(u1[:,:,::1], u1[:,:,::1], f8[:,::1], f8[:,::1], f8, f8, f8)")
def _warp_equirect(
    view: RGB, out: RGB, azimuths: Floats, elevations: Floats, x: float, z: float, depth_m: float
) -> None:
    """Reproject a panorama. Rows are done in pairs: motion is level, so elevations below mirror those above."""
    height, width = view.shape[0], view.shape[1]
    for row in range((height + 1) // 2):
        level = elevations[row, 1]
        up = elevations[row, 0]
        for column in range(width):
            right = -azimuths[column, 0] * level
            back = -azimuths[column, 1] * level
            distance = _sphere_distance(x * right + z * back, x, z, depth_m)
            point_x = x + distance * right
            point_z = z + distance * back
            azimuth = _atan2(-point_x, -point_z)
            elevation = _atan2(distance * up, math.sqrt(point_x * point_x + point_z * point_z))
            source_x = (0.5 - azimuth / TWO_PI) * width - 0.5
            source_y = (0.5 - elevation / PI) * height - 0.5
            left_float = math.floor(source_x)
            left = int(left_float) % width
            next_column = (left + 1) % width
            across = source_x - left_float
            top_float = math.floor(source_y)
            _blend(view, int(top_float), left, next_column, source_y - top_float, across, out[row, column])
            mirrored = height - 1 - source_y
            top_float = math.floor(mirrored)
            _blend(view, int(top_float), left, next_column, mirrored - top_float, across, out[height - 1 - row, column])


@compiled(signature="void(u1[:,:,::1], u1[:,:,::1], f8, f8, f8, f8, f8, f8)")
def _warp_pinhole(
    view: RGB, out: RGB, sine: float, cosine: float, x: float, z: float, depth_m: float, focal: float
) -> None:
    """Reproject a pinhole view with square pixels of ``focal`` pixels; directions outside it repeat the border."""
    height, width = view.shape[0], view.shape[1]
    for row in range(height):
        for column in range(width):
            image_right = (column + 0.5 - width * 0.5) / focal
            image_up = (height * 0.5 - (row + 0.5)) / focal
            norm = math.sqrt(image_right * image_right + image_up * image_up + 1.0)
            right = (image_right * cosine - sine) / norm
            back = (-image_right * sine - cosine) / norm
            distance = _sphere_distance(x * right + z * back, x, z, depth_m)
            ahead = max(-(z + distance * back), NEAREST_AHEAD)
            source_x = (x + distance * right) / ahead * focal + width * 0.5 - 0.5
            source_y = height * 0.5 - distance * image_up / norm / ahead * focal - 0.5
            source_x = min(max(source_x, 0.0), width - 1.0)
            source_y = min(max(source_y, 0.0), height - 1.0)
            left = int(source_x)
            top = int(source_y)
            _blend(view, top, left, min(left + 1, width - 1), source_y - top, source_x - left, out[row, column])
