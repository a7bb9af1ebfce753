"""Synthetic runs with homes that differ in difficulty, for tests of scoring and reporting."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import replace
from typing import Any, Dict, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import FORWARD, TURN_LEFT, Primitive
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.digest import digest, to_plain
from harness.contracts.episodes import Episode
from harness.contracts.results import ERROR, FAILED, OK, DecisionRecord, EpisodeResult, StepRecord
from harness.contracts.trajectories import Trajectory
from harness.records.identity import EpisodeKey, Provenance, RunIdentity, RunRecord
from harness.records.journal import JournalRow
from harness.scoring.data import RunData
from harness.worldmodels.catalog import load_catalog
from tasks.ignav.outcome import measure
from tasks.registry import load_task
from tests.image_goals import goal_of, image_goal_episode

METRICS = load_task("ignav").metrics


def clustered_outcomes(
    rng: np.random.Generator, runs: int, homes: int, per_home: int, rate: float, icc: float
) -> npt.NDArray[np.float64]:
    """Return 0/1 outcomes [runs, homes, per_home]: beta-binomial with the given rate and intracluster correlation."""
    spread = (1.0 - icc) / icc
    home_rates = rng.beta(rate * spread, (1.0 - rate) * spread, size=(runs, homes, 1))
    return (rng.random((runs, homes, per_home)) < home_rates).astype(np.float64)


def synthetic_episodes(homes: int, per_home: int) -> Tuple[Episode, ...]:
    """Return homes x per_home episodes of the ``easy`` tier."""
    pose = Pose((2.0, 0.0, 5.0), yaw_to_quaternion(0.0))
    goal = Pose((2.0, 0.0, 2.5), yaw_to_quaternion(45.0))
    return tuple(
        image_goal_episode(
            f"easy-test-{n:04d}",
            "ignav",
            "easy",
            "test",
            "scene",
            f"home-{n // per_home:03d}",
            pose,
            goal,
            1.0,
            2.5,
            14,
        )
        for n in range(homes * per_home)
    )


@functools.cache
def known_manifest(wm: str) -> Dict[str, Any]:
    """Return the manifest of a world model of the catalog, or one that says its name alone."""
    models = {entry.manifest.name: entry.manifest for entry in load_catalog(()).entries}
    return dict(to_plain(models[wm])) if wm in models else {"name": wm}


def synthetic_record(wm: str, episodes: Tuple[Episode, ...], **changes: Any) -> RunRecord:
    """Return a run.json; ``changes`` replace fields of its identity."""
    identity = RunIdentity(
        suite="embedded-v1",
        suite_hash=digest("suite"),
        task="ignav",
        tier="easy",
        split="test",
        stop="self",
        view="panorama",
        wm=wm,
        wm_manifest=known_manifest(wm),
        wm_manifest_hash=digest(known_manifest(wm)),
        planner="heuristic",
        seeds=(0,),
        episodes=episodes,
    )
    provenance = Provenance(1.79e9, ("python", "benchmark.py", "--wm", wm), {"python": "3.11.2"}, {"cores": 2}, "abc")
    return RunRecord(1, f"{wm}-ignav-easy", dataclasses.replace(identity, **changes), {}, provenance, METRICS)


def synthetic_run(
    wm: str = "FTmini",
    rate: float = 0.6,
    homes: int = 10,
    per_home: int = 4,
    errors: int = 0,
    **changes: Any,
) -> RunData:
    """Return a run of homes x per_home episodes; the last ``errors`` of them broke."""
    rng = np.random.default_rng(len(wm) + homes)
    outcomes = clustered_outcomes(rng, 1, homes, per_home, rate, 0.12)[0].ravel()
    episodes = synthetic_episodes(homes, per_home)
    rows = []
    trajectories: Dict[EpisodeKey, Trajectory] = {}
    for number, episode in enumerate(episodes):
        key = EpisodeKey("ignav", "easy", episode.id, 0)
        if number < len(episodes) - errors:
            trajectories[key] = synthetic_trajectory(rng, episode, wm, bool(outcomes[number]))
            result = synthetic_result(trajectories[key], episode)
        else:
            message = f"environment did not answer Step within 30 s (episode {episode.id})."
            result = EpisodeResult(episode.id, episode.home, 0, ERROR, {}, "", message)
        rows.append(JournalRow(key, number, 1, result, 1.79e9))
    record = synthetic_record(wm, episodes, **changes)
    return RunData(record, tuple(rows), lambda row: trajectories.get(row.key), metrics=METRICS)


def synthetic_trajectory(
    rng: np.random.Generator,
    specified: Episode,
    wm: str,
    solved: bool,
    seed: int = 0,
    stop: str = "self",
    most: Tuple[int, int] = (5, 7),
) -> Trajectory:
    """Return a walk that ends close to the goal where it is solved, and far from it else; distances fit the poses.

    It has 2 decisions of 2 steps or more, and at most as many as ``most`` says.
    """
    episode, goal = specified.id, goal_of(specified).goal.position
    detour = float(rng.uniform(1.0, 1.5))
    yaw = float(rng.integers(16)) * 22.5
    x, z = float(rng.uniform(1.0, 3.0)), float(rng.uniform(4.0, 6.0))
    start = Pose((x, 0.0, z), yaw_to_quaternion(yaw))
    distance = detour * math.hypot(x - goal[0], z - goal[2])
    decisions = []
    for index in range(int(rng.integers(2, most[0], endpoint=True))):
        steps = []
        for number in range(int(rng.integers(2, most[1], endpoint=True))):
            turning = number < 2
            yaw += 22.5 if turning else 0.0
            x -= 0.0 if turning else 0.2 * math.sin(math.radians(yaw))
            z -= 0.0 if turning else 0.2 * math.cos(math.radians(yaw))
            action = Primitive(TURN_LEFT, 22.5) if turning else Primitive(FORWARD, 0.2)
            ssim = 0.9 - 0.05 * number + 0.03 * solved + float(rng.normal(0.0, 0.05))
            gap = {"ssim": ssim, "psnr": 12.0 + 10.0 * ssim} if wm != "none" else {}
            pose = Pose((x, 0.0, z), yaw_to_quaternion(yaw))
            steps.append(StepRecord(action, pose, bool(rng.random() < 0.05), digest([episode, index, number]), gap))
        if solved:
            end = Pose((goal[0], 0.0, goal[2] + 0.5 * goal_of(specified).radius_m), steps[-1].pose.rotation)
            steps[-1] = replace(steps[-1], pose=end)
            x, _, z = end.position
        scores = tuple(round(float(s), 4) for s in rng.random(24))
        chosen = int(np.argmax(scores))
        decisions.append(DecisionRecord(index, 8, 24, chosen, scores, 0.4, "", distance, 8, tuple(steps)))
        distance = detour * math.hypot(x - goal[0], z - goal[2])
    final = 0.5 * goal_of(specified).radius_m if solved else max(1.2 * goal_of(specified).radius_m, distance)
    stopped = "self" if solved else "budget"
    return Trajectory(episode, seed, wm, stop, start, digest(episode), tuple(decisions), stopped, final, solved)


def synthetic_result(trajectory: Trajectory, episode: Episode, seconds: float = 0.0) -> EpisodeResult:
    """Return the result that belongs to a trajectory; ``seconds`` is how long the episode took, 0: nobody says."""
    metrics = measure(episode, trajectory)
    state = OK if trajectory.solved else FAILED
    timings = {"episode": seconds} if seconds else {"imagine": 0.5 + 0.01 * metrics["actions"], "step": 0.1}
    return EpisodeResult(episode.id, episode.home, trajectory.seed, state, metrics, trajectory.digest(), "", timings)
