"""Ways to break the rules of a reply. Each takes the requests and the honest answer, and yields raw messages.

Nothing here goes through the checks of the author's side: the bytes are made as a stranger would make them.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Iterator, Sequence

import grpc
import numpy as np

from harness.contracts.cameras import Camera
from harness.contracts.rollouts import RolloutRequest
from harness.wire.codec import mapper
from harness.wire.generated import wiw_pb2

MIB = 2**20
Requests = Sequence[RolloutRequest]
Honest = Callable[[], Iterator[bytes]]


class Forged(Exception):
    """Ends the call with a status whose body says which error of the harness to raise."""

    def __init__(self, body: bytes, code: Any = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__("forged")
        self.body = body
        self.code = code


def part(request: RolloutRequest, **changes: Any) -> Any:
    """Return a complete answer to a request as one message, with fields of its head changed."""
    frames = len(request.frames)
    head = wiw_pb2.RolloutHead(id=request.id, frames=frames)
    mapper.write(Camera, request.camera, head.camera, "camera")
    for name, value in changes.items():
        if isinstance(value, list):
            getattr(head, name).extend(value)
        else:
            setattr(head, name, value)
    pixels = np.repeat(request.view[None], head.frames if head.frames <= frames else 0, axis=0).tobytes()
    return wiw_pb2.RolloutPart(pixels=pixels, head=head)


def rubbish(requests: Requests, honest: Honest) -> Iterator[bytes]:
    yield b"\xff" * 1000


def oversized_part(requests: Requests, honest: Honest) -> Iterator[bytes]:
    yield wiw_pb2.RolloutPart(pixels=b"\1" * (32 * MIB)).SerializeToString()


def too_many_pixels(requests: Requests, honest: Honest) -> Iterator[bytes]:
    first = next(honest())
    yield first
    while True:
        yield wiw_pb2.RolloutPart(pixels=b"\1" * MIB).SerializeToString()


def huge_claim(requests: Requests, honest: Honest) -> Iterator[bytes]:
    message = part(requests[0], frames=1024)
    message.head.camera.height = message.head.camera.width = 8192
    yield message.SerializeToString()


def nan_confidence(requests: Requests, honest: Honest) -> Iterator[bytes]:
    for request in requests:
        yield part(request, confidence=[float("nan")] * len(request.frames)).SerializeToString()


def nan_timings(requests: Requests, honest: Honest) -> Iterator[bytes]:
    number = wiw_pb2.NamedNumber(name="model", value=float("nan"))
    for request in requests:
        yield part(request, timings=[number]).SerializeToString()


def negative_timings(requests: Requests, honest: Honest) -> Iterator[bytes]:
    number = wiw_pb2.NamedNumber(name="model", value=-1e9)
    for request in requests:
        yield part(request, timings=[number]).SerializeToString()


def wrong_size(requests: Requests, honest: Honest) -> Iterator[bytes]:
    message = part(requests[0])
    message.head.camera.width *= 2
    yield message.SerializeToString()


def wrong_dtype(requests: Requests, honest: Honest) -> Iterator[bytes]:
    """Floats where bytes belong: four times as many pixels as the head says."""
    message = part(requests[0])
    pixels = np.frombuffer(message.pixels, np.uint8).astype(np.float32).tobytes()
    for start in range(0, len(pixels), 2 * MIB):
        head = message.head if start == 0 else None
        yield wiw_pb2.RolloutPart(pixels=pixels[start : start + 2 * MIB], head=head).SerializeToString()


def wrong_frames(requests: Requests, honest: Honest) -> Iterator[bytes]:
    for request in requests:
        yield part(request, frames=len(request.frames) - 1).SerializeToString()


def missing_rollout(requests: Requests, honest: Honest) -> Iterator[bytes]:
    for request in requests[:-1]:
        yield from parts_of(request)


def duplicate_rollout(requests: Requests, honest: Honest) -> Iterator[bytes]:
    for request in (requests[0], *requests):
        yield from parts_of(request)


def unknown_rollout(requests: Requests, honest: Honest) -> Iterator[bytes]:
    yield part(requests[0], id=999_999).SerializeToString()


def stops_short(requests: Requests, honest: Honest) -> Iterator[bytes]:
    message = part(requests[0])
    message.pixels = message.pixels[: len(message.pixels) // 2]
    yield message.SerializeToString()


def parts_of(request: RolloutRequest) -> Iterator[bytes]:
    """Yield an honest answer in parts of the allowed size."""
    message = part(request)
    pixels = message.pixels
    for start in range(0, len(pixels), 2 * MIB):
        head = message.head if start == 0 else None
        yield wiw_pb2.RolloutPart(pixels=pixels[start : start + 2 * MIB], head=head).SerializeToString()


def silence(requests: Requests, honest: Honest) -> Iterator[bytes]:
    time.sleep(3600)
    yield b""


def late(requests: Requests, honest: Honest) -> Iterator[bytes]:
    time.sleep(float(os.environ["PROBE_LATE_S"]))
    yield from honest()


def drip(requests: Requests, honest: Honest) -> Iterator[bytes]:
    """Answers a little all the time, so that it is never silent and never done."""
    message = part(requests[0])
    pixels = message.pixels
    for index in range(len(pixels)):
        head = message.head if index == 0 else None
        yield wiw_pb2.RolloutPart(pixels=pixels[index : index + 1], head=head).SerializeToString()
        time.sleep(0.1)


def death_midway(requests: Requests, honest: Honest) -> Iterator[bytes]:
    yield next(parts_of(requests[0]))
    os._exit(3)


def memory_bomb(requests: Requests, honest: Honest) -> Iterator[bytes]:
    hoard = []
    while True:
        hoard.append(np.ones(2**21))
    yield b""


def failed_with_markup(requests: Requests, honest: Honest) -> Iterator[bytes]:
    """An error whose text would command a terminal and a browser."""
    for request in requests:
        error = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>"
        yield part(request, frames=0, error=error).SerializeToString()


def forged_refusal(requests: Requests, honest: Honest) -> Iterator[bytes]:
    raise Forged(b'{"error": "Refusal", "what": "the benchmark is over.", "next_step": "Stop."}')
    yield b""


def forged_nesting(requests: Requests, honest: Honest) -> Iterator[bytes]:
    raise Forged(b"[" * 6000)
    yield b""
