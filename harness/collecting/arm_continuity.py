"""Do the poses of a demonstration follow from its actions, and can an arm move like that?

An action is the pose that the arm is to have next, so a row that was lost or swapped contradicts its neighbour. Limits
of motion find what was taken out of both. They are wide: PyRep follows a path by at most 1 rad a second in the space of
joints, which moves the tip of an arm of one metre by less than 0.1 m and turns it by less than 10 degrees a frame.
"""

from __future__ import annotations

import re
from typing import Any, Mapping

import numpy as np

from harness.collecting.dataset_reader import ReadClip
from harness.contracts.portable import PI, atan2

SAME = 1e-6
UNIT_TOLERANCE = 1e-3
STEP_M = 0.2
STEP_DEG = 30.0
_NUMBERS = 8
_VARIATION = re.compile(r".*/variation(\d+)")


def broken_motion(clip: ReadClip) -> str:
    """Return what is wrong with the first frame that cannot be or does not follow, '' where all do."""
    last = len(clip.poses) - 1
    if clip.poses.shape != (last + 1, _NUMBERS) or clip.actions.shape != clip.poses.shape:
        return f"its poses and actions are {clip.poses.shape} and {clip.actions.shape}"
    for frame, pose in enumerate(clip.poses):
        what = _wrong_pose(pose)
        if what:
            return f"the pose of frame {frame} {what}"
    for frame in range(last + 1):
        after = min(frame + 1, last)
        if not np.abs(clip.actions[frame] - clip.poses[after]).max() <= SAME:
            return f"the action of row {frame} is not the pose of frame {after}"
        what = _wrong_move(clip.poses[frame], clip.poses[after])
        if what:
            return f"between frames {frame} and {after} {what}"
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


def _wrong_move(start: np.ndarray, end: np.ndarray) -> str:  # type: ignore[type-arg]
    moved = end[:3] - start[:3]
    length = float(np.sqrt((moved * moved).sum()))
    if length > STEP_M:
        return f"the gripper moves by {length:.3f} m, which no arm does"
    cosine = min(1.0, abs(float((start[3:7] * end[3:7]).sum())))
    turned = 2.0 * atan2((1.0 - cosine * cosine) ** 0.5, cosine) * (180.0 / PI)
    return f"the gripper turns by {turned:.1f}°, which no arm does" if turned > STEP_DEG else ""
