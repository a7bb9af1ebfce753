"""What SE3DS and Pathdreamer have in common: a panorama with depth becomes points, and is asked for from other places.

Both are the same authors' code: they take a panorama of twice its height, depth as a share of a range, and positions
with x to the right, y ahead and z up; what they show keeps the heading of what they saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, Pose, quaternion_to_yaw
from harness.contracts.errors import Refusal
from harness.contracts.observations import RGB, Depth
from harness.contracts.rollouts import Rollout, RolloutRequest, failed_rollout
from harness.wire.sdk import WorldModel

Position = Tuple[float, float, float]
MILLIMETRES = 3
"""Decimals by which positions are compared: places that differ by less are one."""


def check_request(request: RolloutRequest, name: str) -> None:
    """Raise Refusal unless a request has what such a model needs: a panorama, its depth, and a pose an action."""
    if request.camera.kind != EQUIRECT:
        raise Refusal(f"{name} imagines panoramas, not {request.camera.kind} views.", "Send an equirect view.")
    if request.depth is None:
        raise Refusal(
            f"{name} needs the depth of the conditioning view and got none.",
            "Its manifest says settings.depth = true; play it in an environment whose cameras give depth.",
        )
    if len(request.poses) != len(request.candidate):
        raise Refusal(f"{name} needs a camera pose an action and got {len(request.poses)}.", "Send poses.")


def one_by_one(model: WorldModel, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
    """Yield the rollouts of ``model`` in order; a request that it cannot imagine fails alone."""
    for request in requests:
        try:
            check_request(request, model.manifest.name)
        except Refusal as refusal:
            yield failed_rollout(request.id, request.camera, str(refusal))
            continue
        yield model.imagine(request)


def position_of(pose: Pose) -> Position:
    """Return where a pose stands: metres to the right, ahead and up of the conditioning view."""
    right, up, back = (round(value, MILLIMETRES) + 0.0 for value in pose.position)
    return right, -back + 0.0, up


def rolled(rgb: RGB, yaw_left_deg: float) -> RGB:
    """Return a panorama with the heading turned to the left, by whole columns."""
    return np.roll(rgb, round(yaw_left_deg / 360.0 * rgb.shape[1]), axis=1)


def yaw_of(pose: Pose) -> float:
    """Return the heading of a pose in degrees, left positive."""
    return quaternion_to_yaw(pose.rotation)


def resized(rgb: RGB, height: int, width: int) -> RGB:
    """Return uint8 [H, W, 3] as [height, width, 3], by the mean of the area that each new pixel covers."""
    if rgb.shape[:2] == (height, width):
        return rgb
    rows = _shares(rgb.shape[0], height)
    columns = _shares(rgb.shape[1], width)
    levels = np.einsum("ih,jw,hwc->ijc", rows, columns, rgb.astype(np.float64), optimize=True)
    result: RGB = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    return result


def depth_share(depth: Depth, height: int, width: int, range_m: float) -> npt.NDArray[np.float32]:
    """Return depth in metres as a share of ``range_m`` at another size; beyond the range and unknown are 0.

    Each pixel takes the value of the nearest one: a mean across an edge would be a point in the air.
    """
    rows = ((np.arange(height) + 0.5) * depth.shape[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * depth.shape[1] / width).astype(np.int64)
    metres = depth[rows][:, columns].astype(np.float32)
    known = np.isfinite(metres) & (metres > 0.0) & (metres < range_m)
    share: npt.NDArray[np.float32] = np.where(known, metres / np.float32(range_m), np.float32(0.0))
    return share.astype(np.float32)


def see(model: Any, tensorflow: Any, request: RolloutRequest, height: int, range_m: float) -> None:
    """Let ``model`` forget everything and see the conditioning view from the origin."""
    assert request.depth is not None
    share = depth_share(request.depth, height, 2 * height, range_m)
    _show(model, tensorflow, resized(request.view, height, 2 * height), share)


def warm_up(model: Any, tensorflow: Any, height: int) -> None:
    """Imagine once from an empty room. Keras makes and loads weights at the first call, which must be no request's."""
    tensorflow.random.set_seed(0)
    rgb = np.full((height, 2 * height, 3), 128, np.uint8)
    _show(model, tensorflow, rgb, np.full(rgb.shape[:2], 0.5, np.float32))
    model(tensorflow.zeros((1, 3), dtype=tensorflow.float32))


def _show(model: Any, tensorflow: Any, rgb: RGB, share: npt.NDArray[np.float32]) -> None:
    """Make a panorama all that ``model`` remembers, seen from the origin. Semantics are void: 0.

    The blurred poles that the official code masks by default are those of its own data set; ours are sharp.
    """
    model.reset_memory()
    model.add_to_memory(
        tensorflow.constant(rgb[None].astype(np.int32)),
        tensorflow.zeros((1, *rgb.shape[:2], 1), dtype=tensorflow.int32),
        tensorflow.constant(share[None]),
        tensorflow.zeros((1, 3), dtype=tensorflow.float32),
        mask_blurred=False,
    )


def frames_of(request: RolloutRequest, seen: dict[Position, RGB]) -> RGB:
    """Return the wanted frames of a request from the panoramas that were imagined at each position."""
    height, width = request.camera.height, request.camera.width
    poses = [request.poses[index - 1] for index in request.frames]
    frames = [rolled(resized(seen[position_of(pose)], height, width), yaw_of(pose)) for pose in poses]
    return np.stack(frames) if frames else np.zeros((0, height, width, 3), np.uint8)


def places(poses: Sequence[Pose]) -> list[Position]:
    """Return the positions of ``poses`` in order, without the origin and without one that stands before it already."""
    origin = (0.0, 0.0, 0.0)
    return list(dict.fromkeys(position_of(pose) for pose in poses if position_of(pose) != origin))


def _shares(size: int, wanted: int) -> npt.NDArray[np.float64]:
    """Return [wanted, size]: how much of each pixel lies in each new one, rows summing to 1."""
    edges = np.arange(wanted + 1) * (size / wanted)
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1.0) - np.maximum(edges[:-1, None], pixels)
    shares: npt.NDArray[np.float64] = np.clip(overlap, 0.0, None) * (wanted / size)
    return shares
