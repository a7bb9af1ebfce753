"""The metrics that every task has: what they are called, and how a trajectory gives them."""

from __future__ import annotations

from typing import Dict

from harness.contracts.metrics import NOT_NEGATIVE, Column, MetricSpec
from harness.contracts.trajectories import Trajectory
from harness.planning import gap

METRICS = (
    MetricSpec(
        "actions", "Actions", "Executed actions, turns included.", digits=1, bounds=NOT_NEGATIVE,
        column=Column("Actions", 0, "executed actions"),
    ),
    MetricSpec(
        "decisions", "Decisions", "Rounds of propose, imagine, revise, act.", bounds=NOT_NEGATIVE, compared=False,
        column=Column("Decisions", 0, "decisions taken", paired=True),
    ),
    MetricSpec(
        "rollouts", "Rollouts", "Rollouts that the world model was asked for.", digits=1, bounds=NOT_NEGATIVE,
        compared=False, column=Column("Rollouts", 0, "rollouts asked for"),
    ),
    MetricSpec("collisions", "Contacts", "Steps that touched something.", bounds=NOT_NEGATIVE),
    *gap.METRICS,
)  # fmt: skip
"""Declared here once; `tasks.registry` adds them to those of each task."""


def measure(trajectory: Trajectory) -> Dict[str, float]:
    """Return them by key; the gap only where something was imagined."""
    steps = [step for decision in trajectory.decisions for step in decision.steps]
    found = {
        "actions": float(len(steps)),
        "decisions": float(len(trajectory.decisions)),
        "rollouts": float(sum(decision.rollouts for decision in trajectory.decisions)),
        "collisions": float(sum(step.collided for step in steps)),
    }
    moving = [step for decision in trajectory.decisions for step in decision.moving_steps()]
    for spec in gap.METRICS:
        values = [step.gap[spec.name] for step in moving if spec.name in step.gap]
        if values:
            found[spec.key] = sum(values) / len(values)
    return found
