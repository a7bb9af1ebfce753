"""What a world model is asked, and the parts in which a rollout comes back."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import Candidate
from harness.contracts.cameras import Camera, Pose
from harness.contracts.errors import LimitExceeded, Refusal
from harness.contracts.observations import Depth
from harness.contracts.rollouts import ContextView, Rollout, RolloutRequest
from harness.wire import limits
from harness.wire.codec.basic_messages import (
    read_camera,
    read_candidate,
    read_pose,
    read_seconds,
    write_camera,
    write_candidate,
    write_pose,
    write_seconds,
)
from harness.wire.codec.candidate_frames import read_wanted, write_wanted
from harness.wire.codec.messages import parse_with_payload, present
from harness.wire.codec.splice import Splice
from harness.wire.codec.tensors import checked_array, checked_elements, read_tensor, write_tensor
from harness.wire.codec.views import read_depth, write_depth
from harness.wire.generated import wiw_pb2
from harness.wire.limits import FIX_SENDER, ascending, few, finite, text, too_large, whole

Accept = Callable[[int, Camera, int, bool], None]
"""Called with id, camera, frames and whether it failed, for each rollout that begins."""

_Size = Tuple[int, int, int]


def _check_request(ids: Sequence[int], poses: int, actions: int, where: str) -> None:
    if len(set(ids)) != len(ids):
        raise Refusal(f"{where} uses one id twice.", "Give each request of a batch its own id.")
    if poses not in (0, actions):
        raise Refusal(f"{where}.poses has {poses} poses for {actions} actions.", "Give one pose an action, or none.")


def write_rollout_request(request: RolloutRequest, where: str = "request") -> Splice:
    """Return a RolloutRequest message."""
    camera = request.camera
    message = wiw_pb2.RolloutRequest()
    actions = len(request.candidate)
    few(request.context, f"{where}.context", limits.MAX_CONTEXT)
    _check_request((), len(request.poses), actions, where)
    message.id = whole(request.id, f"{where}.id", 0, limits.MAX_UINT64)
    message.seed = whole(request.seed, f"{where}.seed", 0, limits.MAX_UINT64)
    write_camera(camera, message.camera, f"{where}.camera")
    write_candidate(request.candidate, message.candidate, f"{where}.candidate")
    message.frames.extend(ascending(request.frames, f"{where}.frames", 1, actions))
    message.prompt = text(request.prompt, f"{where}.prompt", limits.MAX_TEXT)
    for index, pose in enumerate(request.poses):
        write_pose(pose, message.poses.add(), f"{where}.poses[{index}]")
    splice = Splice.of(message)
    size = (camera.height, camera.width, 3)
    splice.add_message(message.VIEW_FIELD_NUMBER, write_tensor(request.view, "uint8", size, f"{where}.view"))
    if request.depth is not None:
        splice.add_message(message.DEPTH_FIELD_NUMBER, write_depth(request.depth, camera, f"{where}.depth"))
    for index, view in enumerate(request.context):
        splice.add_message(message.CONTEXT_FIELD_NUMBER, _write_context(view, size, f"{where}.context[{index}]"))
    return splice


def _write_context(view: ContextView, size: _Size, where: str) -> Splice:
    small = wiw_pb2.ContextView()
    write_pose(view.pose, small.pose, f"{where}.pose")
    message = Splice.of(small)
    message.add_message(small.RGB_FIELD_NUMBER, write_tensor(view.rgb, "uint8", size, f"{where}.rgb"))
    return message


def _read_poses(messages: Any, where: str) -> Tuple[Pose, ...]:
    few(messages, where, limits.MAX_ACTIONS)
    return tuple(read_pose(pose, f"{where}[{index}]") for index, pose in enumerate(messages))


def _read_context(message: Any, size: _Size, where: str) -> ContextView:
    rgb = read_tensor(present(message, "rgb", where), "uint8", size, f"{where}.rgb")
    return ContextView(rgb, read_pose(present(message, "pose", where), f"{where}.pose"))


def read_rollout_request(message: Any, where: str = "request") -> RolloutRequest:
    """Return one candidate to imagine."""
    camera = read_camera(present(message, "camera", where), f"{where}.camera")
    candidate = read_candidate(present(message, "candidate", where), f"{where}.candidate")
    actions = len(candidate)
    poses = _read_poses(message.poses, f"{where}.poses")
    _check_request((), len(poses), actions, where)
    few(message.context, f"{where}.context", limits.MAX_CONTEXT)
    size = (camera.height, camera.width, 3)
    depth: Optional[Depth] = None
    if message.HasField("depth"):
        depth = read_depth(message.depth, camera, f"{where}.depth")
    return RolloutRequest(
        id=int(message.id),
        seed=int(message.seed),
        view=read_tensor(present(message, "view", where), "uint8", size, f"{where}.view"),
        camera=camera,
        candidate=candidate,
        frames=ascending(message.frames, f"{where}.frames", 1, actions),
        depth=depth,
        prompt=text(message.prompt, f"{where}.prompt", limits.MAX_TEXT),
        poses=poses,
        context=tuple(
            _read_context(item, size, f"{where}.context[{index}]") for index, item in enumerate(message.context)
        ),
    )


def write_batch(requests: Sequence[RolloutRequest]) -> Splice:
    """Return a WorldModelImagineRequest message."""
    few(requests, "requests", limits.MAX_BATCH)
    _check_request([request.id for request in requests], 0, 0, "requests")
    message = Splice.of(wiw_pb2.WorldModelImagineRequest())
    field = wiw_pb2.WorldModelImagineRequest.REQUESTS_FIELD_NUMBER
    for index, request in enumerate(requests):
        message.add_message(field, write_rollout_request(request, f"requests[{index}]"))
    if len(message) > limits.MAX_MESSAGE_BYTES:
        raise too_large("requests", "bytes", len(message), limits.MAX_MESSAGE_BYTES)
    return message


def read_batch(message: Any) -> List[RolloutRequest]:
    """Return the requests of a batch, whose ids differ."""
    few(message.requests, "requests", limits.MAX_BATCH)
    requests = [read_rollout_request(item, f"requests[{index}]") for index, item in enumerate(message.requests)]
    _check_request([request.id for request in requests], 0, 0, "requests")
    return requests


def write_candidates(
    candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]], message: Any
) -> None:
    """Fill an EnvironmentImagineRequest message."""
    message.camera = text(camera, "camera")
    write_wanted(candidates, frames, message)


def read_candidates(message: Any) -> Tuple[List[Candidate], str, List[Tuple[int, ...]]]:
    """Return candidates, camera name and the wanted frames of each candidate."""
    candidates, frames = read_wanted(message)
    return candidates, text(message.camera, "camera"), frames


def _checked_confidence(values: Sequence[float], frames: int, where: str) -> Tuple[float, ...]:
    if len(values) not in (0, frames):
        raise LimitExceeded(f"{where} has {len(values)} values for {frames} frames.", "Give one a frame, or none.")
    confidence = tuple(finite(value, where) for value in values)
    if not all(0.0 <= value <= 1.0 for value in confidence):
        raise Refusal(f"{where} holds values outside [0, 1].", FIX_SENDER)
    return confidence


def _check_failed(error: str, frames: int, where: str) -> None:
    if error and frames:
        raise Refusal(f"{where} carries an error and {frames} frames.", "Send one or the other.")


def write_rollout(rollout: Rollout, where: str = "rollout") -> Iterator[Splice]:
    """Yield the RolloutPart messages of one rollout: the head with the first pixels, then the rest."""
    camera = rollout.camera
    pixels = checked_array(rollout.rgb, "uint8", (None, camera.height, camera.width, 3), f"{where}.rgb")
    frames = whole(pixels.shape[0], f"{where}.rgb", 0, limits.MAX_FRAMES)
    _check_failed(rollout.error, frames, where)
    small = wiw_pb2.RolloutPart()
    head = small.head
    head.id = whole(rollout.id, f"{where}.id", 0, limits.MAX_UINT64)
    write_camera(camera, head.camera, f"{where}.camera")
    head.frames = frames
    head.confidence.extend(_checked_confidence(rollout.confidence, frames, f"{where}.confidence"))
    write_seconds(rollout.timings, head.timings, f"{where}.timings")
    head.error = text(rollout.error, f"{where}.error", limits.MAX_TEXT)
    flat = pixels.reshape(-1)
    step = limits.PART_PIXEL_BYTES
    for start in range(0, max(flat.size, 1), step):
        part = Splice()
        part.add_arrays(small.PIXELS_FIELD_NUMBER, [flat[start : start + step]])
        part.append(Splice.of(small))
        yield part
        small = wiw_pb2.RolloutPart()


class _Assembly:
    """One rollout whose pixels are still coming. Memory is taken once, after the head has passed all checks."""

    def __init__(self, head: Any, accept: Accept) -> None:
        where = f"rollout {head.id}"
        camera = read_camera(present(head, "camera", where), f"{where}.camera")
        self._frames = whole(head.frames, f"{where}.frames", 0, limits.MAX_FRAMES)
        self._error = text(head.error, f"{where}.error", limits.MAX_TEXT)
        _check_failed(self._error, self._frames, where)
        self.shape = (self._frames, camera.height, camera.width, 3)
        self.size = checked_elements("uint8", self.shape, (None, None, None, 3), f"{where}.rgb")
        self._confidence = _checked_confidence(head.confidence, self._frames, f"{where}.confidence")
        self._timings = read_seconds(head.timings, f"{where}.timings")
        accept(int(head.id), camera, self._frames, bool(self._error))
        self.id = int(head.id)
        self._camera = camera
        self._pixels: Optional[npt.NDArray[np.uint8]] = None
        self._filled = 0

    def add(self, data: memoryview) -> bool:
        """Take the next pixels; return whether the rollout is complete."""
        end = self._filled + len(data)
        if end > self.size:
            raise LimitExceeded(f"rollout {self.id} has more than its {self.size} bytes of pixels.", FIX_SENDER)
        if not data and self.size:
            raise Refusal(f"rollout {self.id} has a part without pixels.", FIX_SENDER)
        if len(data) == self.size:
            self._pixels = np.frombuffer(data, np.uint8)
        else:
            if self._pixels is None:
                self._pixels = np.empty(self.size, np.uint8)
            self._pixels[self._filled : end] = np.frombuffer(data, np.uint8)
        self._filled = end
        return end == self.size

    def missing(self) -> str:
        """Say how far the pixels came."""
        return f"rollout {self.id} stops after {self._filled} of {self.size} bytes of pixels."

    def rollout(self) -> Rollout:
        """Return the complete rollout."""
        assert self._pixels is not None
        rgb = self._pixels.reshape(self.shape)
        return Rollout(self.id, rgb, self._camera, self._confidence, self._timings, self._error)


class RolloutReader:
    """Puts rollouts together from their parts, which come one after the other.

    ``accept(id, camera, frames, failed)`` is called with each head before memory is taken for its pixels; it raises
    if the rollout is not one that was asked for.
    """

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        self._pending: Optional[_Assembly] = None

    def add(self, data: bytes) -> Optional[Rollout]:
        """Take the bytes of the next RolloutPart; return the rollout that it completes, if it does."""
        part, pixels = parse_with_payload("RolloutPart", data)
        if part.HasField("head"):
            self.finish()
            self._pending = _Assembly(part.head, self._accept)
        if self._pending is None:
            raise Refusal("pixels came before the head of their rollout.", FIX_SENDER)
        if not self._pending.add(pixels):
            return None
        rollout = self._pending.rollout()
        self._pending = None
        return rollout

    def finish(self) -> None:
        """Raise Refusal if a rollout is incomplete."""
        if self._pending is not None:
            raise Refusal(self._pending.missing(), FIX_SENDER)
