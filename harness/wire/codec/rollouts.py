"""What a world model is asked, and the parts in which a rollout comes back."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import Camera
from harness.contracts.errors import LimitExceeded, Refusal
from harness.contracts.field_limits import FIX_SENDER, MAX_FRAMES, Few, Whole, too_large
from harness.contracts.observations import Depth
from harness.contracts.rollouts import MAX_CONTEXT, ContextView, Rollout, RolloutRequest
from harness.wire import limits
from harness.wire.codec import mapper
from harness.wire.codec.messages import parse_with_payload, present
from harness.wire.codec.splice import Splice
from harness.wire.codec.tensors import checked_array, checked_elements, read_tensor, write_tensor
from harness.wire.codec.views import read_depth, write_depth
from harness.wire.generated import wiw_pb2
from harness.wire.limits import ascending

Accept = Callable[[int, Camera, int, bool], None]
"""Called with id, camera, frames and whether it failed, for each rollout that begins."""

_Size = Tuple[int, int, int]
_FRAMES, _CONTEXT, _BATCH = Whole(0, MAX_FRAMES), Few(MAX_CONTEXT), Few(limits.MAX_BATCH)


def _check_request(ids: Sequence[int], poses: int, actions: int, where: str) -> None:
    if len(set(ids)) != len(ids):
        raise Refusal(f"{where} uses one id twice.", "Give each request of a batch its own id.")
    if poses not in (0, actions):
        raise Refusal(f"{where}.poses has {poses} poses for {actions} actions.", "Give one pose an action, or none.")


_APART = ("frames", "view", "depth", "context")
"""What of a request depends on its camera and candidate."""


def write_rollout_request(request: RolloutRequest, where: str = "request") -> Splice:
    """Return a RolloutRequest message."""
    camera = request.camera
    message = wiw_pb2.RolloutRequest()
    actions = len(request.candidate)
    _check_request((), len(request.poses), actions, where)
    mapper.write_fields(RolloutRequest, request, message, where, *_APART)
    message.frames.extend(ascending(request.frames, f"{where}.frames", 1, actions))
    splice = Splice.of(message)
    size = (camera.height, camera.width, 3)
    splice.add_message(message.VIEW_FIELD_NUMBER, write_tensor(request.view, "uint8", size, f"{where}.view"))
    if request.depth is not None:
        splice.add_message(message.DEPTH_FIELD_NUMBER, write_depth(request.depth, camera, f"{where}.depth"))
    for index, view in enumerate(_CONTEXT.check(request.context, f"{where}.context")):
        splice.add_message(message.CONTEXT_FIELD_NUMBER, _write_context(view, size, f"{where}.context[{index}]"))
    return splice


def _write_context(view: ContextView, size: _Size, where: str) -> Splice:
    small = wiw_pb2.ContextView()
    mapper.write_fields(ContextView, view, small, where, "rgb")
    message = Splice.of(small)
    message.add_message(small.RGB_FIELD_NUMBER, write_tensor(view.rgb, "uint8", size, f"{where}.rgb"))
    return message


def _read_context(message: Any, size: _Size, where: str) -> ContextView:
    rgb = read_tensor(present(message, "rgb", where), "uint8", size, f"{where}.rgb")
    return ContextView(rgb, **mapper.read_fields(ContextView, message, where, "rgb"))


def read_rollout_request(message: Any, where: str = "request") -> RolloutRequest:
    """Return one candidate to imagine."""
    fields = mapper.read_fields(RolloutRequest, message, where, *_APART)
    camera, actions = fields["camera"], len(fields["candidate"])
    _check_request((), len(fields["poses"]), actions, where)
    size = (camera.height, camera.width, 3)
    depth: Optional[Depth] = None
    if message.HasField("depth"):
        depth = read_depth(message.depth, camera, f"{where}.depth")
    context = enumerate(_CONTEXT.check(message.context, f"{where}.context"))
    return RolloutRequest(
        view=read_tensor(present(message, "view", where), "uint8", size, f"{where}.view"),
        frames=ascending(message.frames, f"{where}.frames", 1, actions),
        depth=depth,
        context=tuple(_read_context(item, size, f"{where}.context[{index}]") for index, item in context),
        **fields,
    )


def write_batch(requests: Sequence[RolloutRequest]) -> Splice:
    """Return a WorldModelImagineRequest message."""
    _BATCH.check(requests, "requests")
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
    _BATCH.check(message.requests, "requests")
    requests = [read_rollout_request(item, f"requests[{index}]") for index, item in enumerate(message.requests)]
    _check_request([request.id for request in requests], 0, 0, "requests")
    return requests


def _check_confidence(values: Sequence[float], frames: int, where: str) -> None:
    if len(values) not in (0, frames):
        raise LimitExceeded(f"{where} has {len(values)} values for {frames} frames.", "Give one a frame, or none.")


def _check_failed(error: str, frames: int, where: str) -> None:
    if error and frames:
        raise Refusal(f"{where} carries an error and {frames} frames.", "Send one or the other.")


def write_rollout(rollout: Rollout, where: str = "rollout") -> Iterator[Splice]:
    """Yield the RolloutPart messages of one rollout: the head with the first pixels, then the rest."""
    camera = rollout.camera
    pixels = checked_array(rollout.rgb, "uint8", (None, camera.height, camera.width, 3), f"{where}.rgb")
    frames = _FRAMES.check(pixels.shape[0], f"{where}.rgb")
    _check_failed(rollout.error, frames, where)
    _check_confidence(rollout.confidence, frames, f"{where}.confidence")
    small = wiw_pb2.RolloutPart()
    mapper.write_fields(Rollout, rollout, small.head, where, "rgb")
    small.head.frames = frames
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
        self._fields = mapper.read_fields(Rollout, head, where, "rgb")
        self.id, camera, error = self._fields["id"], self._fields["camera"], self._fields["error"]
        frames = _FRAMES.check(head.frames, f"{where}.frames")
        _check_failed(error, frames, where)
        _check_confidence(self._fields["confidence"], frames, f"{where}.confidence")
        self.shape = (frames, camera.height, camera.width, 3)
        self.size = checked_elements("uint8", self.shape, (None, None, None, 3), f"{where}.rgb")
        accept(self.id, camera, frames, bool(error))
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
        return Rollout(rgb=self._pixels.reshape(self.shape), **self._fields)


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
