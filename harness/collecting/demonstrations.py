"""Records one demonstration of an arm as one clip.

A demonstration is not cut: where it ends is what it shows, windows of any length and pace can be taken from it later,
and an evaluation's plan spans a task, not a fixed number of simulation steps.
"""

from __future__ import annotations

from typing import List

import numpy as np

from harness.collecting.plan import CollectPlan, Unit
from harness.collecting.recording import Clip
from harness.collecting.simulators import Demonstration, Demonstrator
from harness.contracts import seeds
from harness.contracts.actions import EE_POSE8, Vector
from harness.contracts.errors import EpisodeError, Refusal

DEMONSTRATION = "demonstration"
"""What these data call their one policy: the simulator's own planner."""

SCENES_TRIED = 10
"""A demonstration is tried in so many scenes, as RLBench does; each has a seed of its own."""


def record_demonstration(backend: Demonstrator, plan: CollectPlan, unit: Unit) -> List[Clip]:
    """Return the one clip of a demonstration in the first scene of its seeds in which it succeeds."""
    said = ""
    for attempt in range(SCENES_TRIED):
        try:
            shown = backend.demonstrate(unit.scene, scene_seed(plan, unit, attempt))
        except EpisodeError as error:
            said = error.what
            continue
        return [_clip(unit, shown, attempt)]
    raise Refusal(f"{unit.scene} was not done in {SCENES_TRIED} scenes; the last: {said}", "Leave this scene out.")


def scene_seed(plan: CollectPlan, unit: Unit, attempt: int) -> int:
    """Return the seed of a scene; training and validation data of one seed share none."""
    return (
        seeds.derive(plan.seed, f"{plan.split}/{unit.scene}", unit.trajectory, attempt, "collect-demonstration") >> 65
    )


def _clip(unit: Unit, shown: Demonstration, attempt: int) -> Clip:
    """Return a demonstration as a clip: the action at a moment is the pose of the next, that of the last its own."""
    poses = np.array([moment.pose for moment in shown.moments], np.float32)
    following = [*shown.moments[1:], shown.moments[-1]]
    return Clip(
        index=unit.first_clip,
        unit=unit,
        number=0,
        frames=np.stack([moment.rgb for moment in shown.moments]),
        poses=poses,
        actions=tuple(Vector(EE_POSE8, moment.pose) for moment in following),
        collided=(),
        scene_digest=shown.scene_digest,
        facts={"variation": shown.variation, "placements": shown.placements, "attempt": attempt},
    )
