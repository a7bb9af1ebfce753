"""Do the frames of a clip follow from its actions, and can a body, or an arm, move like that?

An action of an arm is the pose that it is to have next, so a row that was lost or swapped contradicts its neighbour.
Limits of motion find what was taken out of both. They are wide: PyRep follows a path by at most 1 rad a second in the
space of joints, which moves the tip of an arm of one metre by less than 0.1 m and turns it by less than 10 degrees a
frame.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, Tuple

import numpy as np

from harness.collecting.dataset_reader import ReadClip
from harness.collecting.policies import FORWARD_M, TURN_DEG
from harness.collecting.recording import ACTION_IDS
from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT
from harness.contracts.arm_poses import discrete_pose
from harness.contracts.errors import Refusal
from harness.contracts.portable import PI, atan2, sincos

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


SAME = 1e-6
UNIT_TOLERANCE = 1e-3
STEP_M = 0.2
STEP_DEG = 30.0
REACHED_M = 0.04
REACHED_DEG = 8.0
"""A commanded pose farther than this from where the hand came to was blocked, and has to be called so. Fingers that
close beside the middle of a thing that stands fast still pull the hand that had reached it by centimetres."""

_NUMBERS = 8
_VARIATION = re.compile(r".*/variation(\d+)")


def broken_motion(clip: ReadClip) -> str:
    """Return what is wrong with the first frame that cannot be or does not follow, '' where all do."""
    last = len(clip.poses) - 1
    what = _broken_poses(clip, _NUMBERS)
    if what:
        return what
    for frame in range(last + 1):
        after = min(frame + 1, last)
        if not np.abs(clip.actions[frame] - clip.poses[after]).max() <= SAME:
            return f"the action of row {frame} is not the pose of frame {after}"
        what = _wrong_arm_move(clip.poses[frame], clip.poses[after])
        if what:
            return f"between frames {frame} and {after} {what}"
    return ""


def _broken_poses(clip: ReadClip, numbers: int) -> str:
    """Return what is wrong with poses, or with how many ``numbers`` an action has; '' where nothing is."""
    count = len(clip.poses)
    if clip.poses.shape != (count, _NUMBERS) or clip.actions.shape != (count, numbers):
        return f"its poses and actions are {clip.poses.shape} and {clip.actions.shape}"
    for frame, pose in enumerate(clip.poses):
        what = _wrong_pose(pose)
        if what:
            return f"the pose of frame {frame} {what}"
    return ""


def broken_commands(clip: ReadClip) -> str:
    """Return what is wrong with the first commanded pose that cannot be or was missed unsaid, '' where none is."""
    last = len(clip.poses) - 1
    what = _broken_poses(clip, _NUMBERS - 1)
    if what:
        return what
    for frame in range(last + 1):
        after = min(frame + 1, last)
        try:
            asked = np.array(discrete_pose(clip.actions[frame].tolist()))
        except Refusal as refusal:
            return f"row {frame}: {refusal.what}"
        if asked[7] != clip.poses[after][7]:
            return f"the gripper of frame {after} is not as row {frame} asks"
        metres, degrees = _apart(asked, clip.poses[after])
        if not clip.collided[frame] and (metres > REACHED_M or degrees > REACHED_DEG):
            return f"frame {after} is {metres:.3f} m and {degrees:.1f}° from where row {frame} asks, and not blocked"
    return ""


def broken_row(row: Mapping[str, Any]) -> str:
    """Return what is wrong with what a demonstration's row says of its scene, '' where nothing is."""
    variation, placements = row.get("variation"), row.get("placements")
    if not isinstance(variation, int) or variation < 0 or not isinstance(placements, int) or placements < 1:
        return f"its row says variation {variation} and {placements} placements, which cannot be"
    named = _VARIATION.fullmatch(str(row["scene"]))
    if named and int(named.group(1)) != variation:
        return f"its row says variation {variation}, its scene is {row['scene']}"
    return ""


def _wrong_pose(pose: np.ndarray) -> str:  # type: ignore[type-arg]
    """Return what is wrong with one pose: x, y, z, qw, qx, qy, qz, gripper."""
    if not np.isfinite(pose).all():
        return "has numbers that are none"
    length = float(np.sqrt((pose[3:7] * pose[3:7]).sum()))
    if abs(length - 1.0) > UNIT_TOLERANCE:
        return f"has a quaternion of length {length:.3f}"
    if pose[7] not in (0.0, 1.0):
        return f"has a gripper that is {pose[7]:g}, neither open (1) nor closed (0)"
    return ""


def _wrong_arm_move(start: np.ndarray, end: np.ndarray) -> str:  # type: ignore[type-arg]
    length, turned = _apart(start, end)
    if length > STEP_M:
        return f"the gripper moves by {length:.3f} m, which no arm does"
    return f"the gripper turns by {turned:.1f}°, which no arm does" if turned > STEP_DEG else ""


def _apart(start: np.ndarray, end: np.ndarray) -> Tuple[float, float]:  # type: ignore[type-arg]
    """Return how far two poses are apart: metres and degrees."""
    moved = end[:3] - start[:3]
    length = float(np.sqrt((moved * moved).sum()))
    cosine = min(1.0, abs(float((start[3:7] * end[3:7]).sum())))
    return length, 2.0 * atan2((1.0 - cosine * cosine) ** 0.5, cosine) * (180.0 / PI)
