"""Manipulation: bring the things on a table to where a picture shows them.

The agent is shown the end of an imagined solution and chooses one of several plans of a robot's hand.
"""

from __future__ import annotations

from typing import Sequence, Tuple

from harness.contracts.actions import Candidate
from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError
from harness.contracts.observations import View, ViewRequest
from harness.planning.config import LoopConfig
from harness.planning.episode_start import Begun
from harness.planning.policy_proposer import Asked, PolicyUse
from harness.wire.sdk import Environment, Imagining, require
from tasks.manip.episodes import TableScene, TierConstants, actions_of
from tasks.manip.outcome import METRICS, judge, judge_policy
from tasks.manip.parts import PARTS
from tasks.manip.truth import TableTruth
from tasks.task import Task, payload_of


def begin(
    environment: Environment, episode: Episode, seed: int, views: Sequence[ViewRequest], config: LoopConfig
) -> Begun:
    """Bring the scene to where the agent is asked, and show the picture of the goal."""
    scene = payload_of(TableScene, episode)
    truth = TableTruth(environment, episode, seed, actions_of(scene.before))
    observation = truth.put_back(views)
    return Begun(observation, picture_of_goal(environment, scene.shown, config.goal_camera), truth)


def picture_of_goal(environment: Environment, shown: Tuple[Tuple[int, ...], ...], camera: str) -> View:
    """Return what the camera sees at the end of a solution, which the environment imagines: nothing moves."""
    last = len(shown)
    for rollout in require(environment, Imagining).imagine([Candidate(actions_of(shown))], camera, [[last]]):
        if not rollout.error:
            return View(rollout.camera, rollout.rgb[0])
        raise EpisodeError(f"the picture of the goal could not be made: {rollout.error}.")
    raise EpisodeError("the environment imagined no picture of the goal.", "Fix its imagine.")


LONGEST_PLAN = 5
"""Sub-goals of a plan at most, as published."""


def asked_of_policy(episode: Episode) -> Asked:
    """Return what is to be done, in words, and what follows on every plan."""
    scene = payload_of(TableScene, episode)
    return Asked(scene.words, actions_of(scene.after))


TASK = Task(
    name="manip",
    summary="Manipulation: bring the things on a table to where a picture shows them.",
    payload=TableScene,
    constants=TierConstants,
    parts=PARTS,
    begin=begin,
    judge=judge,
    own_metrics=METRICS,
    needs=("imagining",),
    length="sub_goals",
    policy_use=PolicyUse(asked_of_policy, LONGEST_PLAN),
    judge_policy=judge_policy,
)
