"""Handling with a planted error: what a simulator would imagine that is wrong by a known amount."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Sequence

from harness.contracts.handling_errors import HandlingError
from harness.contracts.observations import RGB
from images.rlbench.actions import GripperPose
from images.tabletop.physics import Floats
from images.tabletop.play import Play


def wrong_targets(goals: Sequence[GripperPose], error: HandlingError, seed: int, is_open: bool) -> List[GripperPose]:
    """Return the poses that are carried out instead of ``goals``; ``is_open`` is the gripper now."""
    x, y = error.displacement(seed) if error.offset_m else (0.0, 0.0)
    late = [is_open, *(goal.open for goal in goals[:-1])]
    return [
        replace(
            goal,
            position=(goal.position[0] + x, goal.position[1] + y, goal.position[2]),
            open=before if error.gripper_late else goal.open,
        )
        for goal, before in zip(goals, late)
    ]


def seen_by(play: Play, camera: str) -> RGB:
    """Return what a camera sees now."""
    return play.stage.views(play.world, {camera: (False, False)})[camera].rgb


def seen_with_things_at(play: Play, places: Floats, camera: str) -> RGB:
    """Return what a camera would see with all things where they were; nothing has moved then."""
    now = play.save()
    try:
        play.world.put_things(places)
        return seen_by(play, camera)
    finally:
        play.restore(now)
