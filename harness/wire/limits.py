"""How large messages and arrays on the wire may be; the limits of fields stand in the contracts.

A plugin is a stranger's program: whatever it sends is measured against these numbers before memory is taken for it,
and before it is sent, so that what one side can send the other side can read.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from harness.contracts.errors import Refusal
from harness.contracts.field_limits import MAX_FRAMES, Few, Whole

MIB = 2**20

MAX_MESSAGE_BYTES = 256 * MIB
"""Largest message with images: 32 requests with RGB and depth of 576 x 1024 are 132 MiB."""
MAX_CONTROL_BYTES = MIB
"""Largest message without images. Small, because protobuf turns two bytes of wire into some fifty of memory."""
MAX_PART_BYTES = 4 * MIB
"""Largest part of a rollout. Rollouts come in parts so that a plugin's message is never large."""
PART_PIXEL_BYTES = 2 * MIB
"""How many bytes of pixels the sender puts into one part (see docs/wire.md for the measurement)."""

REQUEST_BYTES: Mapping[str, int] = {
    "Environment": MAX_CONTROL_BYTES,
    "WorldModel": MAX_MESSAGE_BYTES,
    "Policy": MAX_MESSAGE_BYTES,
}
"""Largest message that a server of each service takes: nobody sends pictures to an environment."""
REPLY_BYTES: Mapping[str, Mapping[str, int]] = {
    "Environment": {
        "Describe": MAX_CONTROL_BYTES,
        "Reset": MAX_MESSAGE_BYTES,
        "Step": MAX_MESSAGE_BYTES,
        "Imagine": MAX_PART_BYTES,
        "Render": MAX_MESSAGE_BYTES,
        "Query": MAX_MESSAGE_BYTES,
        "Close": MAX_CONTROL_BYTES,
    },
    "WorldModel": {"Describe": MAX_CONTROL_BYTES, "Imagine": MAX_PART_BYTES},
    "Policy": {"Describe": MAX_CONTROL_BYTES, "Propose": MAX_CONTROL_BYTES},
}
"""Largest message that a client takes as an answer, by service and method. gRPC refuses a larger one by its header,
before it has taken memory for it; one number for all methods would let a plugin answer Describe with 256 MiB."""

MAX_RANK = 4
MAX_ELEMENTS: Mapping[str, int] = {
    "uint8": 128 * MIB,
    "float32": 32 * MIB,
    "int32": 32 * MIB,
    "bool": 64 * MIB,
}

MAX_POSES = 256
MAX_VIEWS = 16
MAX_BATCH = 256
MAX_BOXES = 16384


def ascending(frames: Sequence[Any], where: str, low: int, high: int) -> tuple[int, ...]:
    """Return frame indices as a tuple if they ascend strictly within [low, high]."""
    number = Whole(low, high)
    indices = tuple(number.check(frame, where) for frame in Few(MAX_FRAMES).check(frames, where))
    for before, after in zip(indices, indices[1:]):
        if after <= before:
            raise Refusal(f"{where}: frame index {after} follows {before}.", "Give each frame once, ascending.")
    return indices
