"""What the main process and its workers say to each other: one JSON object a line.

Never pickle: a line can be read by eye, and a worker that goes wrong cannot make the main process run code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Optional, Union, get_args

from harness.contracts.digest import to_plain
from harness.contracts.from_plain import from_plain
from harness.contracts.results import EpisodeResult


@dataclass(frozen=True)
class Play:
    """To a worker: play this episode, or record the trajectory of this number."""

    episode: str
    seed: int
    attempt: int


@dataclass(frozen=True)
class Starting:
    """From a worker: it starts this service, which says that it is ``doing`` something ("": it says nothing)."""

    service: str
    doing: str = ""


@dataclass(frozen=True)
class Ready:
    """From a worker: its services are up."""

    pid: int


@dataclass(frozen=True)
class Finished:
    """From a worker: the episode ended, and its files are written if it was played.

    ``record_digest`` is that of the record in them, "" for an episode that was not played.
    """

    result: EpisodeResult
    record_digest: str = ""


@dataclass(frozen=True)
class Written:
    """From a worker of a collection: a trajectory is on the disk, of so many frames.

    ``said`` is what somebody should be told of its scene, "" for nothing.
    """

    frames: int
    said: str = ""


@dataclass(frozen=True)
class Again:
    """From a worker: a service failed under this episode, which deserves another attempt."""

    error: str


@dataclass(frozen=True)
class StartFailed:
    """From a worker: its services did not start. The worker exits after it."""

    error: str


@dataclass(frozen=True)
class Abort:
    """From a worker: the run cannot go on (a refusal, a mismatch, a full disk). ``kind`` names the error's class."""

    kind: str
    what: str
    next_step: str


Message = Union[Play, Starting, Ready, Finished, Written, Again, StartFailed, Abort]
_KINDS: Dict[str, Any] = {kind.__name__: kind for kind in get_args(Message)}


def encode(message: Message) -> bytes:
    """Return ``message`` as one line."""
    line = {"message": type(message).__name__, **to_plain(message)}
    return json.dumps(line, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Optional[Message]:
    """Return the message in one line; None when it is not one (a broken line is treated like a dead worker)."""
    try:
        value = json.loads(line)
        message: Message = from_plain(_KINDS[value.pop("message")], value)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return message
