"""`zoom`: walking ahead makes what lies ahead larger.

Each forward moves the camera towards the view's centre, at one assumed distance. A pinhole view is cropped around its
centre; in a panorama directions flow from ahead to behind. Turns shift the view. Nothing is learnt.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import FORWARD, STOP, Primitive, signed_turn
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.portable import PI, TWO_PI, sincos
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel

Indices = npt.NDArray[np.int64]

MAX_APPROACH = 0.9
"""The nearest that the camera comes to what it sees, as a part of its distance."""


class Zoom(WorldModel):
    """Magnification by the commanded motion; the setting ``depth_m`` is the assumed distance in metres."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.depth_m = float(manifest.settings.get("depth_m", 3.0))

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the wanted frames, each taken from the conditioning view itself."""
        height, width = request.camera.height, request.camera.width
        frames = np.empty((len(request.frames), height, width, 3), np.uint8)
        for number, frame in enumerate(request.frames):
            ahead_m, yaw_deg = motion_after(request, frame)
            approach = min(ahead_m / self.depth_m, MAX_APPROACH)
            rows, columns = source_pixels(request.camera, approach, yaw_deg)
            frames[number] = request.view[rows, columns]
        return Rollout(request.id, frames, request.camera)


def motion_after(request: RolloutRequest, frame: int) -> Tuple[float, float]:
    """Return metres forward and degrees to the left that the first ``frame`` actions command.

    An action that is no forward, turn or stop raises Refusal: an answer would pretend to know where it leads.
    """
    ahead_m, yaw_deg = 0.0, 0.0
    for action in request.candidate.actions[:frame]:
        turn_deg = signed_turn(action)
        yaw_deg += turn_deg
        if isinstance(action, Primitive) and action.name == FORWARD:
            ahead_m += action.magnitude
        elif turn_deg == 0.0 and not (isinstance(action, Primitive) and action.name == STOP):
            raise Refusal(f"zoom does not know the motion of {action}.", "It plays forwards, turns and stops only.")
    return ahead_m, yaw_deg


def source_pixels(camera: Camera, approach: float, yaw_deg: float) -> Tuple[Indices, Indices]:
    """Return the row and column [H, W] of the conditioning view that each pixel of the new view repeats."""
    if camera.kind == EQUIRECT:
        rows, columns = _flow(camera, approach)
        return rows, (columns - round(yaw_deg / 360.0 * camera.width)) % camera.width
    shift = yaw_deg / camera.hfov_deg * camera.width
    rows = _scaled(camera.height, 1.0 - approach, 0.0)[:, None]
    columns = _scaled(camera.width, 1.0 - approach, -shift)[None, :]
    return np.broadcast_to(rows, (camera.height, camera.width)), np.broadcast_to(columns, (camera.height, camera.width))


def _flow(camera: Camera, approach: float) -> Tuple[Indices, Indices]:
    """Directions move away from the heading by ``approach`` times the sine of their angle to it (azimuth alone)."""
    columns = np.empty(camera.width, np.int64)
    for column in range(camera.width):
        azimuth = ((column + 0.5) / camera.width - 0.5) * TWO_PI
        source = azimuth - approach * sincos(azimuth)[0]
        columns[column] = int((source / TWO_PI + 0.5) * camera.width) % camera.width
    rows = np.empty((camera.height, camera.width), np.int64)
    for column in range(camera.width):
        facing = sincos(((column + 0.5) / camera.width - 0.5) * TWO_PI + PI / 2.0)[0]
        rows[:, column] = _scaled(camera.height, 1.0 - 0.5 * approach * facing, 0.0)
    return rows, np.broadcast_to(columns, rows.shape)


def _scaled(size: int, scale: float, shift: float) -> Indices:
    """Return the source index of each of ``size`` pixels for a picture scaled about its centre, clamped to it."""
    centre = size / 2.0
    positions = (np.arange(size) + 0.5 - centre) * scale + centre + shift
    pixels: Indices = np.clip(np.floor(positions), 0, size - 1).astype(np.int64)
    return pixels
