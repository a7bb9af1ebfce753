"""Image-goal navigation: reach the place where the goal view was taken.

The agent is shown one front view at the goal pose and has to end within a radius of it, by walkable distance; its
final heading does not count, and the goal's heading is not told.
"""

from __future__ import annotations

from typing import Sequence

from harness.contracts.episodes import Episode
from harness.contracts.observations import ViewRequest
from harness.planning.config import LoopConfig
from harness.planning.episode_start import Begun
from harness.wire.sdk import Environment
from tasks.ignav.episodes import ImageGoal, TierConstants
from tasks.ignav.outcome import METRICS, judge
from tasks.ignav.parts import PARTS
from tasks.navigation.truth import TrueDistances
from tasks.task import Task, payload_of


def begin(
    environment: Environment, episode: Episode, seed: int, views: Sequence[ViewRequest], config: LoopConfig
) -> Begun:
    """Put the body at the start and show the goal view, which is rendered at the goal pose."""
    goal = payload_of(ImageGoal, episode)
    reply = environment.reset(episode, seed, views, [ViewRequest(config.goal_camera)])
    return Begun(
        observation=reply.observation,
        prompt=reply.goal_views[config.goal_camera],
        truth=TrueDistances(environment, goal.goal.position, goal.radius_m),
        map=environment.top_down_map(),
    )


TASK = Task(
    name="ignav",
    summary="Image-goal navigation: reach the place where the goal view was taken.",
    payload=ImageGoal,
    constants=TierConstants,
    parts=PARTS,
    begin=begin,
    judge=judge,
    own_metrics=METRICS,
    length="geodesic_m",
)
