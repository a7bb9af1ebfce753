"""What an image-goal episode came to, worked out from its trajectory alone: when it is played, and whenever it is read.

Pure arithmetic on what was recorded, so that nobody has to believe a number that somebody wrote down.
"""

from __future__ import annotations

import math
from typing import Dict, List, Tuple

from harness.contracts.cameras import Pose, quaternion_to_yaw
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.judgements import Judgement
from harness.contracts.metrics import HIGHER, LOWER, NOT_NEGATIVE, OVER_PLANNED, PERCENT, SHARE, Column, MetricSpec
from harness.contracts.results import StepRecord
from harness.contracts.trajectories import Trajectory
from harness.planning import common_metrics
from tasks.ignav.episodes import ImageGoal
from tasks.task import payload_of

SLACK_M = 0.05
"""How much shorter than the straight line a walkable distance may be: some simulators put its ends onto their mesh."""


METRICS = (
    MetricSpec(
        "spl", "SPL, in actions", "Success weighted by shortest / taken actions; turns count.",
        "", 3, HIGHER, OVER_PLANNED, SHARE, column=Column("SPL", 2, "in actions"),
    ),
    MetricSpec(
        "spl_m", "SPL, in metres", "Success weighted by shortest / taken path length.",
        "", 3, HIGHER, OVER_PLANNED, SHARE, table=Column("SPL (m)", 1),
    ),
    MetricSpec(
        "reached_rate", "Reached", "Some decision ended within the goal's radius, wherever the agent ended.",
        PERCENT, 1, HIGHER, OVER_PLANNED, SHARE, key="reached",
        table=Column("reached", 1, "with the agent's own stop, some decision ended within the goal's radius"),
    ),
    MetricSpec(
        "path_m", "Path length", "Metres walked.", "m", bounds=NOT_NEGATIVE, column=Column("Path", 2, "metres walked")
    ),
    MetricSpec(
        "final_distance_m", "Final distance", "Geodesic distance to the goal at the end.", "m", better=LOWER,
        bounds=NOT_NEGATIVE, column=Column("End", 2, "geodesic distance to the goal at the end", paired=True),
    ),
)  # fmt: skip
"""What image-goal navigation measures beside success and what every task has (`harness.planning.common_metrics`)."""


def measure(episode: Episode, trajectory: Trajectory) -> Dict[str, float]:
    """Return the metrics of a played episode by name.

    SPL = S * L* / max(L, L*) (Anderson et al. 2018): ``spl`` counts actions, as the published results do, and
    ``spl_m`` metres. ``reached`` is 1 when some decision end lay within the radius, wherever the agent ended.
    """
    goal = payload_of(ImageGoal, episode)
    success = float(trajectory.solved)
    steps = _steps(trajectory)
    path_m = _path_length([trajectory.start, *(step.pose for step in steps)])
    return {
        "success": success,
        "spl": success * episode.reference_actions / max(len(steps), episode.reference_actions),
        "spl_m": success * goal.geodesic_m / max(path_m, goal.geodesic_m),
        "path_m": path_m,
        "final_distance_m": trajectory.final_distance_m,
        "reached": float(min(distances_m(trajectory)) <= goal.radius_m),
        **common_metrics.measure(trajectory),
    }


def distances_m(trajectory: Trajectory) -> Tuple[float, ...]:
    """Return the walkable distances to the goal in metres: before each decision, and at the end."""
    return (*(decision.distance_m for decision in trajectory.decisions), trajectory.final_distance_m)


def judge(episode: Episode, trajectory: Trajectory) -> Judgement:
    """Return the metrics of a recorded trajectory, and what in it cannot be true."""
    return Judgement(measure(episode, trajectory), tuple(_contradictions(episode, trajectory)))


def _contradictions(episode: Episode, trajectory: Trajectory) -> List[str]:
    found = []
    goal = payload_of(ImageGoal, episode)
    final_m, radius_m = trajectory.final_distance_m, goal.radius_m
    if trajectory.solved != (final_m <= radius_m):
        found.append(
            f"it counts as {'' if trajectory.solved else 'not '}solved {final_m:g} m away (radius {radius_m:g})"
        )
    for pose, distance_m in zip(_decision_poses(trajectory), distances_m(trajectory)):
        (x, _, z), (goal_x, _, goal_z) = pose.position, goal.goal.position
        straight_m = math.hypot(x - goal_x, z - goal_z)
        if distance_m < straight_m - SLACK_M:
            found.append(f"it claims {distance_m:g} m to the goal where the straight line is {straight_m:g} m")
            break
    for decision in trajectory.decisions:
        if not -1 <= decision.chosen < max(decision.ends, 1):
            found.append(f"decision {decision.index} chose {decision.chosen} of {decision.ends} ends")
    try:
        for pose in (trajectory.start, *(step.pose for step in _steps(trajectory))):
            quaternion_to_yaw(pose.rotation)
    except Refusal as refusal:
        found.append(refusal.what.rstrip("."))
    return found


def _decision_poses(trajectory: Trajectory) -> List[Pose]:
    """Return where the agent stood at each of `distances_m`."""
    poses = [trajectory.start]
    for decision in trajectory.decisions:
        poses.append(decision.steps[-1].pose if decision.steps else poses[-1])
    return poses


def _steps(trajectory: Trajectory) -> List[StepRecord]:
    return [step for decision in trajectory.decisions for step in decision.steps]


def _path_length(poses: List[Pose]) -> float:
    """Return the length in metres of the polyline through the poses' positions."""
    total = 0.0
    for a, b in zip(poses, poses[1:]):
        total += math.sqrt(sum((q - p) * (q - p) for p, q in zip(a.position, b.position)))
    return total
