"""What an episode on the table came to, worked out from its trajectory alone."""

from __future__ import annotations

from typing import Dict, List, Tuple

from harness.contracts.actions import Action
from harness.contracts.episodes import Episode
from harness.contracts.judgements import Judgement
from harness.contracts.metrics import HIGHER, LOWER, NOT_NEGATIVE, OVER_PLANNED, PERCENT, SHARE, Column, MetricSpec
from harness.contracts.trajectories import Trajectory
from harness.planning import common_metrics
from tasks.manip.episodes import TableScene
from tasks.task import payload_of

METRICS = (
    MetricSpec(
        "right_plan_rate", "Right plan", "The plan without a mistake was carried out; others may succeed too.",
        PERCENT, 1, HIGHER, OVER_PLANNED, SHARE, key="right_plan",
        table=Column("right plan", 1, "the plan without a mistake was carried out"),
    ),
    MetricSpec(
        "final_distance_m", "Distance left", "What the things are away from where they belong at the end.", "m",
        better=LOWER, bounds=NOT_NEGATIVE,
        column=Column("Left", 3, "metres between the things and where they belong, at the end", paired=True),
    ),
)  # fmt: skip
"""What manipulation measures beside success and what every task has (`harness.planning.common_metrics`)."""


def judge(episode: Episode, trajectory: Trajectory) -> Judgement:
    """Return the metrics of a recorded trajectory, and what in it cannot be true."""
    judged = judge_policy(episode, trajectory)
    return Judgement(
        judged.metrics, (*judged.contradictions, *_strange_plans(payload_of(TableScene, episode), trajectory))
    )


def judge_policy(episode: Episode, trajectory: Trajectory) -> Judgement:
    """Return the same of a trajectory whose plans came from a policy."""
    scene = payload_of(TableScene, episode)
    metrics: Dict[str, float] = {
        "success": float(trajectory.solved),
        "right_plan": float(any(actions == scene.actions(scene.solution) for actions in _carried_out(trajectory))),
        "final_distance_m": trajectory.final_distance_m,
        **common_metrics.measure(trajectory),
    }
    return Judgement(metrics, tuple(_contradictions(trajectory)))


def _contradictions(trajectory: Trajectory) -> List[str]:
    found = []
    left_m = trajectory.final_distance_m
    if trajectory.solved != (left_m == 0.0):
        found.append(f"it counts as {'' if trajectory.solved else 'not '}solved with {left_m:g} m left")
    if any(decision.distance_m == 0.0 for decision in trajectory.decisions):
        found.append("a decision was made in a scene that was solved already")
    for decision in trajectory.decisions:
        if not 0 <= decision.chosen < decision.ends:
            found.append(f"decision {decision.index} chose {decision.chosen} of {decision.ends} ends")
    return found


def _strange_plans(scene: TableScene, trajectory: Trajectory) -> List[str]:
    """Return the decisions that carried out what none of the episode's plans says."""
    plans = [scene.actions(plan.goals) for plan in scene.plans]
    return [
        f"decision {decision.index} carried out what none of the plans says"
        for decision, actions in zip(trajectory.decisions, _carried_out(trajectory))
        if not any(actions == plan[: len(actions)] for plan in plans)
    ]


def _carried_out(trajectory: Trajectory) -> List[Tuple[Action, ...]]:
    """Return the actions of each decision."""
    return [tuple(step.action for step in decision.steps) for decision in trajectory.decisions]
