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
from harness.planning.policy_proposer import Asked, PolicyUse
from harness.wire.sdk import Environment, Navigation, Rendering, require
from tasks.ignav.episodes import ImageGoal, TierConstants
from tasks.ignav.make_episodes import draw_fresh
from tasks.ignav.outcome import METRICS, judge
from tasks.ignav.parts import PARTS
from tasks.navigation.truth import TrueDistances
from tasks.task import Task, payload_of

NEEDS = ("rendering", "navigation")
"""The capabilities of an environment that can play it: the goal is a view, success a walkable distance."""


def begin(
    environment: Environment, episode: Episode, seed: int, views: Sequence[ViewRequest], config: LoopConfig
) -> Begun:
    """Put the body at the start and show the goal view, which is rendered at the goal pose."""
    goal = payload_of(ImageGoal, episode)
    rendering, navigation = require(environment, Rendering), require(environment, Navigation)
    return Begun(
        observation=environment.reset(episode, seed, views),
        prompt=rendering.render([goal.goal], [ViewRequest(config.goal_camera)])[0][config.goal_camera],
        truth=TrueDistances(environment, goal.goal.position, goal.radius_m),
        map=navigation.top_down_map(),
    )


LONGEST_PLAN = 13
"""Actions of a plan at most: as many as a world model imagines at once, as published."""


def asked_of_policy(episode: Episode) -> Asked:
    """Return what every episode asks."""
    return Asked("Go to the place where the picture was taken.")


TASK = Task(
    name="ignav",
    summary="Image-goal navigation: reach the place where the goal view was taken.",
    payload=ImageGoal,
    constants=TierConstants,
    parts=PARTS,
    begin=begin,
    judge=judge,
    own_metrics=METRICS,
    needs=NEEDS,
    oracle_needs=("lookahead",),
    length="geodesic_m",
    draw_fresh=draw_fresh,
    policy_use=PolicyUse(asked_of_policy, LONGEST_PLAN, looks_at_each=False),
)
