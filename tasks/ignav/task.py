"""Image-goal navigation: reach the place where the goal view was taken.

The agent is shown one front view at the goal pose and has to end within a radius of it, by walkable distance; its
final heading does not count, and the goal's heading is not told.
"""

from __future__ import annotations

import time
from typing import Dict, Optional

from harness.contracts.cameras import Pose
from harness.contracts.digest import array_digest
from harness.contracts.episodes import Episode
from harness.contracts.observations import ViewRequest
from harness.contracts.trajectories import PlayedEpisode, Trajectory
from harness.planning import gap, loop, registry
from harness.planning.agent import Agent, Parts
from harness.planning.evidence import TRUTH
from harness.planning.references.truth import TrueDistances
from harness.planning.seeding import EpisodeSeeds
from harness.wire.sdk import Environment, Navigation, Rendering, require
from harness.worldmodels.imaginer import Imaginer
from tasks.ignav.outcome import METRICS, is_solved, judge, measure
from tasks.suite import Tier

__all__ = ["METRICS", "NEEDS", "SUMMARY", "judge", "measure", "parts_of", "play_episode"]

SUMMARY = "Image-goal navigation: reach the place where the goal view was taken."

NEEDS = ("rendering", "navigation")
"""The capabilities of an environment that can play it: the goal is a view, success a walkable distance."""


def play_episode(
    environment: Environment,
    imaginer: Optional[Imaginer],
    episode: Episode,
    tier: Tier,
    seed: int,
    wm: str,
    stop: str,
) -> PlayedEpisode:
    """Play one episode and return its trajectory, metrics and images.

    ``imaginer`` is None for references that imagine nothing. Only this function sees the goal pose: the agent gets the
    goal view, and the loop a distance to it for the record and the oracle stop. The reference `oracle` alone is handed
    the true distance of its choices.
    """
    tier.check_stop(stop)
    parts = parts_of(tier, wm)
    config = parts.config
    rendering, navigation = require(environment, Rendering), require(environment, Navigation)
    timings: Dict[str, float] = {}
    started = time.perf_counter()
    views = loop.views_of(ViewRequest(config.agent_camera), None if imaginer is None else imaginer.further_view)
    first = environment.reset(episode, seed, views)
    goal = rendering.render([episode.goal], [ViewRequest(config.goal_camera)])[0][config.goal_camera]
    walkable = navigation.top_down_map()
    timings["reset"] = time.perf_counter() - started
    truth = TrueDistances(environment, episode.goal.position) if parts.reviser.evidence == TRUTH else None
    agent = Agent(parts, goal, imaginer, stop, EpisodeSeeds(seed, episode.id), timings, truth)

    def distance(pose: Pose) -> float:
        return navigation.geodesic_distance(pose.position, episode.goal.position)

    played = loop.play(agent, environment, first, distance, episode.radius_m)
    trajectory = Trajectory(
        episode=episode.id,
        seed=seed,
        wm=wm,
        stop=stop,
        start=first.pose,
        goal_digest=array_digest(goal.rgb),
        decisions=played.decisions,
        stopped=played.stopped,
        final_distance_m=played.distances_m[-1],
        solved=is_solved(episode, played.distances_m[-1]),
    )
    metrics = measure(episode, trajectory)
    return PlayedEpisode(trajectory, metrics, goal.rgb, played.frames, walkable, timings, gap.notes())


def parts_of(tier: Tier, wm: str) -> Parts:
    """Return the parts of the loop that ``wm`` is played with on a tier."""
    config = tier.loop_for(wm)
    return Parts(
        config,
        registry.make_proposer(config.proposer, tier.action_space),
        registry.make_score(config.score),
        registry.make_reviser(config.reviser),
    )
