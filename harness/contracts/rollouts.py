"""What a world model is asked, and what it answers.

A request carries only what a plugin may know: views, a candidate and a seed. No goal, no episode id, no
absolute pose ever appears here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Mapping, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import Candidate
from harness.contracts.cameras import Camera, Pose
from harness.contracts.errors import Refusal
from harness.contracts.field_limits import (
    MAX_ACTIONS,
    MAX_FRAMES,
    MAX_NUMBERS,
    MAX_UINT64,
    Count,
    Few,
    Name,
    Note,
    NotNegative,
    Number,
    Whole,
)
from harness.contracts.observations import RGB, Depth

MAX_CONTEXT = 64
Id = Annotated[int, Whole(0, MAX_UINT64)]


@dataclass(frozen=True, eq=False)
class ContextView:
    """An earlier real view of the same episode, with the body's pose relative to the conditioning view.

    ``rgb`` is as large as the conditioning view and seen by the same kind of camera, at the heading of its own time.
    The pose is made of the commanded actions since: where the body was blocked, nobody tells.
    """

    rgb: RGB
    pose: Pose


@dataclass(frozen=True, eq=False)
class RolloutRequest:
    """One candidate to imagine.

    ``id`` is unique in its batch. ``view`` is uint8 [H, W, 3], seen by ``camera``. ``frames`` are the wanted
    frame indices, ascending, in 1..len(candidate). ``conditioning`` says which of ``prompt`` (text), ``poses``
    (camera: relative poses after each action) or neither (numbers: read ``candidate``) the manifest asked for.
    ``context`` holds at most the manifest's ``context_max`` latest earlier views, the oldest first.
    """

    id: Id
    seed: Id
    view: RGB
    camera: Camera
    candidate: Candidate
    frames: Annotated[Tuple[Count, ...], Few(MAX_FRAMES)]
    depth: Optional[Depth] = None
    prompt: Note = ""
    poses: Annotated[Tuple[Pose, ...], Few(MAX_ACTIONS)] = ()
    context: Annotated[Tuple[ContextView, ...], Few(MAX_CONTEXT)] = ()


@dataclass(frozen=True, eq=False)
class Rollout:
    """The imagined frames of one request, in the order of its ``frames``.

    ``rgb`` is uint8 [len(frames), H, W, 3] as ``camera`` sees it. ``confidence`` is one number in [0, 1] a frame,
    or empty. ``timings`` are seconds by phase; where a plugin gives none, its service adds ``imagine``. ``error`` is
    empty, or says why this item failed (``rgb`` is then empty); other items of the batch are not affected.
    """

    id: Id
    rgb: RGB
    camera: Camera
    confidence: Annotated[Tuple[Annotated[float, Number(0.0, 1.0)], ...], Few(MAX_FRAMES)] = ()
    timings: Annotated[Mapping[Name, NotNegative], Few(MAX_NUMBERS)] = field(default_factory=dict)
    error: Note = ""


def failed_rollout(id: int, camera: Camera, error: str) -> Rollout:
    """Return the answer for one item that could not be imagined."""
    empty: npt.NDArray[np.uint8] = np.zeros((0, camera.height, camera.width, 3), np.uint8)
    return Rollout(id, empty, camera, error=error)


def check_wanted(candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]) -> None:
    """Raise Refusal unless each candidate has a list of wanted frames: ascending indices in 0..len(candidate).

    Frame 0 is what the camera sees before the first action.
    """
    if len(candidates) != len(frames):
        raise Refusal(f"{len(candidates)} candidates came with {len(frames)} lists of frames.", "Send one each.")
    for candidate, wanted in zip(candidates, frames):
        ascending = all(a < b for a, b in zip(wanted, wanted[1:]))
        if not ascending or any(not 0 <= index <= len(candidate) for index in wanted):
            raise Refusal(
                f"frames {list(wanted)} of a candidate are not ascending numbers in 0..{len(candidate)}.",
                "Ask for frames that exist.",
            )
