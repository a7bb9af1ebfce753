"""Frame maps: which frame of a video shows the view after which action.

A video model has frame counts of its own (13, 33, 4k + 1), a candidate has as many views as actions. A model whose
length is free generates what is needed (`native_length`); one whose length is fixed follows the published convention
(World-in-World, arXiv 2510.18135): 14 views, the conditioning view and 13 after an action each. There "frame i shows
the view after action i" is only a convention, since nobody tells a zero-shot video model how far to move a frame.
"""

from __future__ import annotations

from typing import Tuple

from harness.contracts.errors import Refusal

PUBLISHED_FRAMES = 14
"""How many views the published convention returns, the conditioning view included."""

PUBLISHED_ACTIONS = PUBLISHED_FRAMES - 1


def kept_indices(generated: int, wanted: int = PUBLISHED_FRAMES) -> Tuple[int, ...]:
    """Return which of ``generated`` frames stand for the ``wanted`` ones, frame 0 (the conditioning view) first.

    Longer videos are read at evenly spaced places, truncated to whole frames; shorter ones repeat their last frame.
    Integer arithmetic, so that no rounding can move a frame.
    """
    _check(generated, wanted)
    if generated <= wanted:
        return tuple(min(index, generated - 1) for index in range(wanted))
    return tuple(index * (generated - 1) // (wanted - 1) if wanted > 1 else 0 for index in range(wanted))


def frame_map(actions: int, native: int) -> Tuple[int, ...]:
    """Return the native frame that shows the view before the first action (0) and after each of ``actions``.

    ``native`` is how many frames the model generates, the conditioning view included.
    """
    return kept_indices(native, actions + 1)


def native_frame_of(action: int, actions: int, native: int) -> int:
    """Return the native frame that shows the view after ``action`` (1..actions; 0: the conditioning view)."""
    if not 0 <= action <= actions:
        raise Refusal(f"there is no action {action} among {actions}.", f"Ask for 0..{actions}.")
    return frame_map(actions, native)[action]


def never_imagined(actions: int, native: int) -> Tuple[int, ...]:
    """Return the actions (counted from 1) that only repeat the frame before them: the video is too short for them."""
    _check(native, actions + 1)
    return tuple(range(native, actions + 1))


def shown_views(actions: int, native: int) -> Tuple[int, ...]:
    """Return which view each native frame shows: 0 before the first action, i after action i.

    The other direction of `frame_map`, for videos that a model is trained on: a frame between those that stand for two
    views shows the first of them again. Actions in `never_imagined` are shown nowhere.
    """
    kept = frame_map(actions, native)
    return tuple(max(view for view, frame in enumerate(kept[:native]) if frame <= place) for place in range(native))


def native_length(actions: int, multiple: int = 1) -> int:
    """Return how many frames a model of free length generates for ``actions``, the conditioning view included.

    Some models take only lengths of the form ``multiple`` * k + 1 (``settings.frame_multiple``: 4 for Wan and Cosmos,
    8 for LTX), k at least 1; what is needed is rounded up, and the frames beyond the last action are not used.
    """
    if actions < 0 or multiple < 1:
        raise Refusal(f"no video has {actions} actions and a frame multiple of {multiple}.", "Give 0 and 1 or more.")
    return max(-(-actions // multiple), 1) * multiple + 1


def _check(generated: int, wanted: int) -> None:
    if generated < 1 or wanted < 1:
        raise Refusal(f"{wanted} of {generated} frames cannot be kept.", "Both are 1 or more.")
