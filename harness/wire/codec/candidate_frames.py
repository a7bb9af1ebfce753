"""Candidates with the frames that are wanted of each, and the errors planted in them."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

from harness.contracts.actions import Candidate
from harness.contracts.cameras import Pose
from harness.contracts.errors import Refusal
from harness.contracts.motion_errors import MotionError
from harness.wire import limits
from harness.wire.codec.basic_messages import read_candidate, read_pose, write_candidate, write_pose
from harness.wire.limits import ascending, few, finite, whole

Frames = Sequence[Sequence[int]]
Planted = Tuple[MotionError, List[int]]
"""An error and one seed a candidate."""


def write_wanted(candidates: Sequence[Candidate], frames: Frames, message: Any) -> None:
    """Fill ``candidates`` and ``frames`` of a message."""
    few(candidates, "candidates", limits.MAX_CANDIDATES)
    if len(frames) != len(candidates):
        raise Refusal(f"{len(frames)} lists of frames for {len(candidates)} candidates.", "Give one a candidate.")
    for index, (candidate, wanted) in enumerate(zip(candidates, frames)):
        write_candidate(candidate, message.candidates.add(), f"candidates[{index}]")
        message.frames.add().frames.extend(ascending(wanted, f"frames[{index}]", 0, len(candidate)))


def read_wanted(message: Any) -> Tuple[List[Candidate], List[Tuple[int, ...]]]:
    """Return candidates and the wanted frames of each."""
    few(message.candidates, "candidates", limits.MAX_CANDIDATES)
    if len(message.frames) != len(message.candidates):
        raise Refusal(
            f"{len(message.frames)} lists of frames for {len(message.candidates)} candidates.", "Give one a candidate."
        )
    candidates = [read_candidate(item, f"candidates[{index}]") for index, item in enumerate(message.candidates)]
    frames = [
        ascending(item.frames, f"frames[{index}]", 0, len(candidate))
        for index, (item, candidate) in enumerate(zip(message.frames, candidates))
    ]
    return candidates, frames


def write_planted(error: MotionError, seeds: Sequence[int], message: Any) -> None:
    """Fill ``error`` and ``seeds`` of an EnvironmentImagineRequest message that has its candidates."""
    _check_seeds(len(seeds), len(message.candidates))
    planted = message.error
    planted.motion_scale = error.motion_scale
    planted.heading_error_deg = error.heading_error_deg
    planted.through_obstacles = error.through_obstacles
    planted.jitter_m = error.jitter_m
    message.seeds.extend(whole(seed, "seeds", 0, limits.MAX_UINT64) for seed in seeds)


def read_planted(message: Any) -> Optional[Planted]:
    """Return the planted error and the seeds of an EnvironmentImagineRequest message; None where it has none."""
    if not message.HasField("error"):
        _check_seeds(len(message.seeds), 0)
        return None
    _check_seeds(len(message.seeds), len(message.candidates))
    planted = message.error
    error = MotionError(
        finite(planted.motion_scale, "error.motion_scale"),
        finite(planted.heading_error_deg, "error.heading_error_deg"),
        bool(planted.through_obstacles),
        finite(planted.jitter_m, "error.jitter_m"),
    )
    return error, [int(seed) for seed in message.seeds]


def _check_seeds(seeds: int, wanted: int) -> None:
    if seeds != wanted:
        raise Refusal(f"{seeds} seeds for {wanted} candidates.", "Give one a candidate where an error is planted.")


def write_rollout_poses(poses: Sequence[Sequence[Pose]], message: Any) -> None:
    """Fill a RolloutPoses message."""
    few(poses, "rollout_poses", limits.MAX_CANDIDATES)
    message.SetInParent()
    for index, rollout in enumerate(poses):
        where = f"rollout_poses[{index}]"
        few(rollout, where, limits.MAX_FRAMES)
        filled = message.rollouts.add()
        for pose in rollout:
            write_pose(pose, filled.poses.add(), where)


def read_rollout_poses(message: Any) -> Tuple[Tuple[Pose, ...], ...]:
    """Return the poses of the wanted frames of each candidate."""
    few(message.rollouts, "rollout_poses", limits.MAX_CANDIDATES)
    poses: List[Tuple[Pose, ...]] = []
    for index, rollout in enumerate(message.rollouts):
        where = f"rollout_poses[{index}]"
        few(rollout.poses, where, limits.MAX_FRAMES)
        poses.append(tuple(read_pose(pose, where) for pose in rollout.poses))
    return tuple(poses)
