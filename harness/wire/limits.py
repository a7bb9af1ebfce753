"""How large anything on the wire may be, and the checks that say so.

A plugin is a stranger's program: whatever it sends is measured against these numbers before memory is taken for it.
The checks serve both directions, so that what one side can send the other side can read. Each raises `LimitExceeded`
(too large, wrong dtype or shape) or `Refusal` (a value that means nothing) and names the field.
"""

from __future__ import annotations

import math
from typing import Any, Collection, Mapping, Sequence, Sized

from harness.contracts.errors import LimitExceeded, Refusal

MIB = 2**20

MAX_MESSAGE_BYTES = 256 * MIB
"""Largest message with images: 32 requests with RGB and depth of 576 x 1024 are 132 MiB."""
MAX_CONTROL_BYTES = MIB
"""Largest message without images. Small, because protobuf turns two bytes of wire into some fifty of memory."""
MAX_PART_BYTES = 4 * MIB
"""Largest part of a rollout. Rollouts come in parts so that a plugin's message is never large."""
PART_PIXEL_BYTES = 2 * MIB
"""How many bytes of pixels the sender puts into one part (see docs/wire.md for the measurement)."""

REQUEST_BYTES: Mapping[str, int] = {"Environment": MAX_CONTROL_BYTES, "WorldModel": MAX_MESSAGE_BYTES}
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
}
"""Largest message that a client takes as an answer, by service and method. gRPC refuses a larger one by its header,
before it has taken memory for it; one number for all methods would let a plugin answer Describe with 256 MiB."""

MAX_RANK = 4
MAX_SIDE = 8192
MAX_ELEMENTS: Mapping[str, int] = {
    "uint8": 128 * MIB,
    "float32": 32 * MIB,
    "int32": 32 * MIB,
    "bool": 64 * MIB,
}

MAX_NAME = 256
MAX_PATH = 4096
MAX_TEXT = 16384
MAX_CAMERAS = 64
MAX_SPACES = 16
MAX_PRIMITIVES = 256
MAX_VECTOR = 256
MAX_CANDIDATES = 1024
MAX_ACTIONS = 256
MAX_FRAMES = 1024
MAX_POSES = 256
MAX_CAPABILITIES = 64
MAX_VIEWS = 16
MAX_BATCH = 256
MAX_CONTEXT = 64
MAX_NUMBERS = 256
MAX_TAGS = 64
MAX_PATH_POINTS = 16384
MAX_BOXES = 16384
MAX_ID = 2**31 - 1
MAX_UINT32 = 2**32 - 1
MAX_UINT64 = 2**64 - 1

FIX_SENDER = "The message is malformed: fix its sender."


def too_large(where: str, what: str, value: int, limit: int) -> LimitExceeded:
    """Return the error for a quantity above its limit."""
    return LimitExceeded(f"{where} has {value} {what}; at most {limit} are allowed.", "Send less.")


def text(value: Any, where: str, limit: int = MAX_NAME) -> str:
    """Return ``value`` if it is a string of at most ``limit`` characters that UTF-8 can write."""
    if not isinstance(value, str):
        raise Refusal(f"{where} is {type(value).__name__}, not text.", FIX_SENDER)
    if len(value) > limit:
        raise too_large(where, "characters", len(value), limit)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Refusal(f"{where} is no valid text: {error}.", FIX_SENDER) from error
    return value


def one_of(value: Any, where: str, allowed: Collection[str]) -> str:
    """Return ``value`` if it is one of the ``allowed`` words."""
    word = text(value, where)
    if word not in allowed:
        raise Refusal(f"{where} is {word!r}.", f"Allowed: {', '.join(sorted(allowed))}.")
    return word


def number(value: Any, where: str) -> float:
    """Return ``value`` as a float that is not NaN."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Refusal(f"{where} is {type(value).__name__}, not a number.", FIX_SENDER) from error
    if math.isnan(result):
        raise Refusal(f"{where} is NaN.", FIX_SENDER)
    return result


def finite(value: Any, where: str) -> float:
    """Return ``value`` as a finite float."""
    if type(value) is float and math.isfinite(value):
        return value  # nearly always; an observation has dozens
    result = number(value, where)
    if math.isinf(result):
        raise Refusal(f"{where} is {result}, not a finite number.", FIX_SENDER)
    return result


def at_least_zero(value: Any, where: str) -> float:
    """Return ``value`` as a finite float that is not negative."""
    result = finite(value, where)
    if result < 0.0:
        raise Refusal(f"{where} is {result}, below zero.", FIX_SENDER)
    return result


def whole(value: Any, where: str, low: int = 0, high: int = MAX_UINT32) -> int:
    """Return ``value`` as an int in [low, high]; booleans and fractions are refused."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise Refusal(f"{where} is {type(value).__name__}, not a whole number.", FIX_SENDER)
    result = int(value)
    if not low <= result <= high:
        raise Refusal(f"{where} is {result}, outside {low}..{high}.", FIX_SENDER)
    return result


def few(values: Sized, where: str, limit: int) -> None:
    """Raise LimitExceeded if there are more than ``limit`` values."""
    if len(values) > limit:
        raise too_large(where, "items", len(values), limit)


def ascending(frames: Sequence[Any], where: str, low: int, high: int) -> tuple[int, ...]:
    """Return frame indices as a tuple if they ascend strictly within [low, high]."""
    few(frames, where, MAX_FRAMES)
    indices = tuple(whole(frame, where, low, high) for frame in frames)
    for before, after in zip(indices, indices[1:]):
        if after <= before:
            raise Refusal(f"{where}: frame index {after} follows {before}.", "Give each frame once, ascending.")
    return indices
