"""`mini` and `FTmini`: a small learnt world model of panoramas that runs on a CPU without torch.

A view becomes points with depth and features. Each wanted frame is the points seen from where the actions lead, its
holes filled and its pixels refined by a small network. `FTmini` knows what actions do and predicts from the floor
around the body which forwards are blocked; `mini` knows none, and puts every frame where bodies are on average after
as many frames.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from pathlib import Path
from typing import List, Sequence, Tuple

import mini_kernels as kernels
import mini_numbers as numbers
import numpy as np
import numpy.typing as npt
from mini_checkpoint import random_tensors, read_tensors
from mini_numbers import Pose, Seen
from mini_shapes import CONTEXT_WEIGHT, CROP_BEHIND_M, CROP_CELL_M, CROP_CELLS, FLOOR_CELLS, MOTION_SCALE

from harness.contracts.action_numbers import motions
from harness.contracts.cameras import EQUIRECT, quaternion_to_yaw
from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, RANDOM, ModelManifest
from harness.contracts.observations import RGB
from harness.contracts.portable import PI, sincos
from harness.contracts.rollouts import ContextView, Rollout, RolloutRequest
from harness.wire.sdk import WorldModel

BLOCK_COLUMNS = 16
"""A panorama that is rolled by so many columns (22.5 of 360 degrees in 256) gives the same depth, rolled."""
REMEMBERED_VIEWS = 16
CONTEXT_VIEWS = 2
CONTEXT_APART_M = 0.5
ALIKE = 0.06
"""Mean absolute difference of colours (of 1) up to which an earlier view is believed to be where it says it was."""


class Mini(WorldModel):
    """Both models; the setting ``actions`` says whether actions are known."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self._actions = bool(manifest.settings.get("actions", True))
        self._blocked = bool(manifest.settings.get("blocked_steps", True))
        self._height_m = float(manifest.settings.get("camera_height_m", 1.25))
        weights = numbers.Weights(
            random_tensors() if manifest.weights == RANDOM else read_tensors(_weights_of(manifest))
        )
        self._depth, self._refine = weights.under("depth."), weights.under("refine.")
        self._steps = weights.under("steps.")
        self._stride, self._turn = (MOTION_SCALE * weights[name].item() for name in ("stride", "turn"))
        self._drift = weights["drift"]
        self._views: OrderedDict[bytes, npt.NDArray[np.float32]] = OrderedDict()

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the wanted frames, each made from the given views themselves, so that blur never adds up."""
        height, width = request.view.shape[:2]
        if request.camera.kind != EQUIRECT or width % (16 * BLOCK_COLUMNS) or height % 16:
            raise Refusal(
                f"{self.manifest.name} imagines panorama views whose width divides by 256, not a "
                f"{request.camera.kind} view of {height} x {width}.",
                "Play a tier whose agent sees panoramas of 128 x 256.",
            )
        seen = self._with_context(self._seen(request.view), request)
        poses = self._poses(request, seen)
        sines = numbers.row_sines(height, width)
        frames = np.empty((len(request.frames), height, width, 3), np.uint8)
        confidence = []
        for number, frame in enumerate(request.frames):
            sums, cover = kernels.splatted(
                seen.points, seen.weights, seen.values, np.array(poses[frame]), height, width
            )
            frames[number], spread = numbers.finished(sums, cover, self._refine, sines)
            confidence.append(_confidence(spread))
        return Rollout(request.id, frames, request.camera, confidence=tuple(confidence))

    def _seen(self, view: RGB) -> Seen:
        """Return the points of a view; views that differ by a roll of whole blocks share one pass of the network."""
        key, block = _canonical(view)
        if key not in self._views:
            self._views[key] = numbers.depth_of(np.roll(view, -block * BLOCK_COLUMNS, 1), self._depth)
            if len(self._views) > REMEMBERED_VIEWS:
                self._views.popitem(last=False)
        self._views.move_to_end(key)
        planes = np.roll(self._views[key], block * BLOCK_COLUMNS, 2)
        return numbers.seen(np.ascontiguousarray(view), planes)

    def _with_context(self, seen: Seen, request: RolloutRequest) -> Seen:
        """Return the points of the view and of those earlier views that show the same place as it does."""
        parts = [seen]
        for view in _spread(request.context):
            earlier = self._seen(view.rgb)
            moved = Seen(
                kernels.placed(earlier.points, np.array(_pose_of(view))),
                earlier.weights * np.float32(CONTEXT_WEIGHT), earlier.values,
            )  # fmt: skip
            if _alike(moved, request.view):
                parts.append(moved)
        if len(parts) == 1:
            return seen
        return Seen(
            np.ascontiguousarray(np.concatenate([part.points for part in parts], 1)),
            np.concatenate([part.weights for part in parts]),
            np.concatenate([part.values for part in parts]),
        )

    def _poses(self, request: RolloutRequest, seen: Seen) -> List[Pose]:
        """Return where the body is believed to be before and after each action."""
        if not self._actions:
            last = len(self._drift) - 1
            return [
                tuple(float(value) for value in self._drift[min(frame, last)])  # type: ignore[misc]
                for frame in range(len(request.candidate.actions) + 1)
            ]
        floor = kernels.floor_map(seen.points, self._height_m, CROP_CELL_M, FLOOR_CELLS)
        poses: List[Pose] = [(0.0, 0.0, 0.0)]
        for ahead_m, _, turn_deg in motions(request.candidate.actions):
            poses.append(self._after(poses[-1], ahead_m, turn_deg, floor))
        return poses

    def _after(self, pose: Pose, ahead_m: float, turn_deg: float, floor: numbers.Floats) -> Pose:
        """Return the pose after one action."""
        ahead, left, yaw = pose
        if turn_deg:
            return ahead, left, yaw + self._turn * turn_deg * (PI / 180.0)
        if not ahead_m:
            return pose
        way = (1.0, 0.0)
        if self._blocked:
            crop = kernels.crop(floor, np.array(pose), CROP_CELLS, CROP_CELL_M, CROP_BEHIND_M)
            free, part_ahead, part_left = numbers.step(crop, self._steps)
            way = way if free else (part_ahead, part_left)
        sine, cosine = sincos(yaw)
        x, y = (part * ahead_m * self._stride for part in way)
        return ahead + cosine * x - sine * y, left + sine * x + cosine * y, yaw


def _weights_of(manifest: ModelManifest) -> Path:
    """Return the file or folder of the weights."""
    if manifest.weights not in ("", FROM_HUB):
        return Path(manifest.weights)
    return Path(__file__).parent / manifest.checkpoint.source


def _canonical(view: RGB) -> Tuple[bytes, int]:
    """Return a digest that rolls by whole blocks do not change, and by how many blocks this view is rolled."""
    count = view.shape[1] // BLOCK_COLUMNS
    blocks = [
        hashlib.blake2b(view[:, k * BLOCK_COLUMNS : (k + 1) * BLOCK_COLUMNS].tobytes(), digest_size=16).digest()
        for k in range(count)
    ]
    first = min(range(count), key=lambda k: blocks[k:] + blocks[:k])
    return b"".join(blocks[first:] + blocks[:first]), first


def _pose_of(view: ContextView) -> Pose:
    """Return where the body was when an earlier view was seen."""
    x, _, z = view.pose.position
    return -z, -x, math.radians(quaternion_to_yaw(view.pose.rotation))


def _spread(context: Sequence[ContextView]) -> List[ContextView]:
    """Return the latest earlier views that lie apart from here and from each other, at most CONTEXT_VIEWS."""
    places, chosen = [(0.0, 0.0)], []
    for view in reversed(context):
        ahead, left, _ = _pose_of(view)
        if all((ahead - a) ** 2 + (left - b) ** 2 >= CONTEXT_APART_M**2 for a, b in places):
            places.append((ahead, left))
            chosen.append(view)
    return chosen[:CONTEXT_VIEWS]


def _alike(moved: Seen, view: RGB) -> bool:
    """Say whether what an earlier view saw, seen from here, looks like what is seen from here.

    An earlier view comes with the commanded motion: where the body was blocked since, it was elsewhere.
    """
    height, width = view.shape[:2]
    sums, cover = kernels.splatted(moved.points, moved.weights, moved.values, np.zeros(3), height, width)
    band = slice(height // 4, 3 * height // 4)
    shown = cover[band] > 0.25
    if not shown.any():
        return False
    colours = sums[:3, band] / np.maximum(cover[band], np.float32(1e-6))
    true = view[band].transpose(2, 0, 1).astype(np.float32) / np.float32(255.0)
    error = np.abs(colours - true).mean(0)[shown]
    whole = np.floor(error.astype(np.float64) * 1e6)
    return bool(whole.sum() <= ALIKE * 1e6 * whole.size)


def _confidence(spread: npt.NDArray[np.float32]) -> float:
    """Return 1 for a frame without expected error, 0 from a mean expected error of a quarter of the full range on."""
    clipped = np.clip(spread, np.float32(-6.0), np.float32(1.0)).astype(np.float64)
    total = float(sum(kernels.exponentials(np.ascontiguousarray(clipped))))
    return max(0.0, 1.0 - 4.0 * total / clipped.size)
