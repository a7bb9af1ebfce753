"""A player without simulator or model: small random frames, drawn from the seed, at a chosen speed.

Options of the plan: ``play_s`` (seconds an episode), ``misbehave`` (episode id -> ``error`` | ``crash`` | ``hang`` |
``refuse`` | ``bug`` | ``service`` | ``service_once`` | ``model`` | ``model_late`` | ``no_space`` |
``no_cache`` | ``disk_full``) and ``start`` (``refuse`` | ``fail``).
"""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path
from typing import Tuple

import numpy as np

from harness.contracts.actions import FORWARD, Primitive
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.digest import array_digest
from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError, MachineError, ModelFault, ModelTimeout, Refusal, ServiceError
from harness.contracts.observations import RGB, TopDownMap
from harness.contracts.results import DecisionRecord, StepRecord
from harness.contracts.seeds import generator
from harness.contracts.trajectories import DecisionFrames, PlayedEpisode, Trajectory
from harness.records.errors import DiskFull
from harness.records.identity import RunIdentity
from harness.running.plan import PhaseDeadlines, RunPlan
from harness.running.player import Starting, unheard
from tests.image_goals import image_goal_episode

STEPS = 3


def episodes(count: int, homes: int = 3) -> Tuple[Episode, ...]:
    """Return ``count`` episodes in ``homes`` homes."""
    pose = Pose((0.0, 0.0, 0.0), yaw_to_quaternion(0.0))
    return tuple(
        image_goal_episode(
            f"e{i:03d}", "fake", "easy", "test", f"home-{i % homes}", f"home-{i % homes}", pose, pose, 0.5, 2.0, 12
        )
        for i in range(count)
    )


def plan(count: int = 6, workers: int = 1, seeds: Tuple[int, ...] = (0,), **options: object) -> RunPlan:
    """Return a plan for the fake player; ``options`` are its options, and ``deadlines`` the plan's."""
    deadlines = options.pop("deadlines", PhaseDeadlines())
    assert isinstance(deadlines, PhaseDeadlines)
    identity = RunIdentity(
        suite="fake-v1", suite_hash="00" * 32, task="fake", tier="easy", split="test", stop="self", view="panorama",
        wm="none", wm_manifest={}, wm_manifest_hash="11" * 32, planner="heuristic", seeds=seeds,
        episodes=episodes(count),
    )  # fmt: skip
    return RunPlan(identity, "tests.running.fake:FakePlayer", workers=workers, deadlines=deadlines, options=options)


def played(episode: Episode, seed: int, height: int = 16, width: int = 16, decisions: int = 2) -> PlayedEpisode:
    """Return a played episode whose every pixel comes from the seed; two of three are solved."""
    draw = generator(seed, episode.id, -1, -1, "fake")
    frames = []
    records = []
    for index in range(decisions):
        views: list[RGB] = [draw.integers(0, 256, (height, width, 3), np.uint8) for _ in range(STEPS + 1)]
        frames.append(DecisionFrames(views[0], tuple(views[1:]), {STEPS: views[0]}))
        action = Primitive(FORWARD, 0.2)
        steps = tuple(
            StepRecord(
                action, Pose((0.0, 0.0, -0.2 * i), episode.start.rotation), False, array_digest(view), {"ssim": 0.5}
            )
            for i, view in enumerate(views[1:], start=1)
        )
        records.append(DecisionRecord(index, 5, 12, 1, (0.25, 0.5), 0.1, array_digest(views[0]), 1.5, 5, steps))
    solved = bool(draw.integers(0, 3))
    goal: RGB = draw.integers(0, 256, (height, width, 3), np.uint8)
    trajectory = Trajectory(
        episode.id, seed, "none", "self", episode.start, array_digest(goal), tuple(records), "self", 0.3, solved
    )
    walkable = TopDownMap(np.ones((8, 10), np.bool_), (-1.0, -2.0), 0.05)
    metrics = {"success": float(solved), "spl": 0.5 * solved, "decisions": float(decisions)}
    return PlayedEpisode(trajectory, metrics, goal, tuple(frames), walkable, {"imagine": 0.01})


class FakePlayer:
    """Plays by drawing; counts nothing, keeps nothing."""

    def __init__(self, plan: RunPlan, logs: Path, starting: Starting = unheard) -> None:
        self._options = plan.options
        self._logs = logs
        starting("fake")
        time.sleep(self._options.get("start_s", 0.0))
        print("a library that prints to standard output must not disturb the protocol")
        if self._options.get("start") == "refuse":
            raise Refusal("the fake refuses.", "Ask a real one.")
        if self._options.get("start") == "fail":
            raise ServiceError("the fake service did not start.")
        if self._options.get("start") == "model":
            print("the model starts")
            raise ModelFault("the fake model did not start.")

    def play(self, episode: Episode, seed: int) -> PlayedEpisode:
        """Play ``episode``, or misbehave as the plan says."""
        self._misbehave(self._options.get("misbehave", {}).get(episode.id, ""), episode.id)
        time.sleep(self._options.get("play_s", 0.0))
        return played(episode, seed)

    def _misbehave(self, how: str, episode: str) -> None:
        if how == "error":
            raise EpisodeError("the start is not navigable.")
        if how == "refuse":
            raise Refusal("the model has the wrong size.")
        if how == "bug":
            raise ZeroDivisionError("a defect")
        if how == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            time.sleep(600)
        if how == "service":
            raise ServiceError("the service died.")
        if how == "model":
            raise ModelFault(f"the model died of {episode}.")
        if how == "model_late":
            raise ModelTimeout("the model was late.")
        if how == "no_space":
            raise OSError(errno.ENOSPC, "No space left on device", "/some/cache")
        if how == "no_cache":
            raise MachineError("cannot write the homes cache.", "Set WIW_CACHE to a folder that you can write.")
        if how == "disk_full":
            raise DiskFull("no space left.", "Free some space.")
        if how == "service_once":
            marker = self._logs / f"{episode}.once"
            if not marker.exists():
                marker.touch()
                raise ServiceError("the service died once.")

    def close(self) -> None:
        """Do nothing."""
