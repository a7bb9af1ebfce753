"""Do the poses of a clip follow from its actions? A jump, a lost frame or a swapped row shows here."""

from __future__ import annotations

import numpy as np

from harness.collecting.dataset_reader import ReadClip
from harness.collecting.policies import FORWARD_M, TURN_DEG
from harness.collecting.recording import ACTION_IDS
from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT
from harness.contracts.portable import PI, sincos

SAME_M = 2e-3
"""Positions are float32, and a simulator may round; a hundredth of a forward is neither."""

SAME_DEG = 0.05
CLIMB_M = 0.25
"""A forward may climb so much on stairs and thresholds."""

_MAGNITUDES = {STOP: 0.0, FORWARD: FORWARD_M, TURN_LEFT: TURN_DEG, TURN_RIGHT: TURN_DEG}
_NAMES = {float(number): name for name, number in ACTION_IDS.items()}
_SIGNS = {TURN_LEFT: 1.0, TURN_RIGHT: -1.0}


def broken_step(clip: ReadClip) -> str:
    """Return what is wrong with the first step that the poses of a clip do not follow, '' where all do."""
    last = len(clip.poses) - 1
    for frame in range(last + 1):
        number, magnitude = clip.actions[frame]
        name = _NAMES.get(number)
        if name is None or abs(magnitude - _MAGNITUDES[name]) > 1e-5 or (name == STOP) != (frame == last):
            return f"row {frame} has the action {number:g} ({magnitude:g}), which cannot be"
        if frame < last:
            what = _wrong_move(clip.poses[frame], clip.poses[frame + 1], name, clip.collided[frame])
            if what:
                return f"between frames {frame} and {frame + 1} {what}"
    return ""


def broken_link(before: ReadClip, clip: ReadClip) -> str:
    """Return what is wrong where a clip does not start with the last pose of the one before, '' where it does."""
    off = np.abs(clip.poses[0] - before.poses[-1])
    if max(off[:3]) > SAME_M or _angle(off[3]) > SAME_DEG:
        return "it does not start where the clip before it ends"
    return ""


def _wrong_move(start: np.ndarray, end: np.ndarray, name: str, collided: bool) -> str:  # type: ignore[type-arg]
    """Return how a move differs from what its action does."""
    moved = end[:3] - start[:3]
    length = float(np.sqrt(moved[0] * moved[0] + moved[2] * moved[2]))
    turned = float(end[3] - start[3]) - _SIGNS.get(name, 0.0) * TURN_DEG
    if _angle(turned) > SAME_DEG:
        return f"the yaw goes from {start[3]:.2f}° to {end[3]:.2f}°, the action is {name}"
    if name != FORWARD:
        return f"the body moves by {length:.3f} m, the action is {name}" if length > SAME_M else ""
    if length > FORWARD_M + SAME_M or abs(moved[1]) > CLIMB_M:
        return f"the body moves by {length:.3f} m, which no forward does"
    if collided:
        return ""
    sine, cosine = sincos(float(start[3]) * (PI / 180.0))
    along = -sine * moved[0] - cosine * moved[2]
    if abs(along - FORWARD_M) > SAME_M and abs(moved[1]) <= SAME_M:
        return f"a free forward moves the body by {along:.3f} m"
    return ""


def _angle(degrees: float) -> float:
    """Return the size of an angle, whole turns taken off."""
    return float(abs((degrees + 180.0) % 360.0 - 180.0))
