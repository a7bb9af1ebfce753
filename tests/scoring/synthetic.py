"""Synthetic runs with homes that differ in difficulty, for tests of scoring and reporting."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Dict, Mapping, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import FORWARD, TURN_LEFT, Primitive
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.digest import digest
from harness.contracts.episodes import Episode
from harness.contracts.results import ERROR, FAILED, OK, DecisionRecord, EpisodeResult, StepRecord
from harness.contracts.trajectories import Trajectory
from harness.records.identity import EpisodeKey, Provenance, RunIdentity, RunRecord
from harness.records.journal import JournalRow
from harness.scoring.data import RunData


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
        Episode(
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
        wm_manifest={"name": wm},
        wm_manifest_hash=digest(wm),
        planner="heuristic",
        seeds=(0,),
        episodes=episodes,
    )
    provenance = Provenance(1.79e9, ("python", "benchmark.py", "--wm", wm), {"python": "3.11.2"}, {"cores": 2}, "abc")
    return RunRecord(1, f"{wm}-ignav-easy", dataclasses.replace(identity, **changes), {}, provenance)


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
            trajectories[key] = synthetic_trajectory(rng, episode.id, wm, bool(outcomes[number]))
            result = synthetic_result(trajectories[key], episode.home)
        else:
            message = f"environment did not answer Step within 30 s (episode {episode.id})."
            result = EpisodeResult(episode.id, episode.home, 0, ERROR, {}, "", message)
        rows.append(JournalRow(key, number, 1, result, 1.79e9))
    record = synthetic_record(wm, episodes, **changes)
    return RunData(record, tuple(rows), lambda row: trajectories.get(row.key))


def synthetic_trajectory(rng: np.random.Generator, episode: str, wm: str, solved: bool) -> Trajectory:
    """Return a walk towards a goal three metres ahead; unsolved ones end early."""
    distance = float(rng.uniform(1.5, 3.0))
    yaw = float(rng.integers(16)) * 22.5
    x, z = float(rng.uniform(1.0, 3.0)), float(rng.uniform(4.0, 6.0))
    start = Pose((x, 0.0, z), yaw_to_quaternion(yaw))
    decisions = []
    for index in range(int(rng.integers(2, 6))):
        steps = []
        for number in range(int(rng.integers(2, 8))):
            turning = number < 2
            yaw += 22.5 if turning else 0.0
            x -= 0.0 if turning else 0.2 * math.sin(math.radians(yaw))
            z -= 0.0 if turning else 0.2 * math.cos(math.radians(yaw))
            action = Primitive(TURN_LEFT, 22.5) if turning else Primitive(FORWARD, 0.2)
            ssim = 0.9 - 0.05 * number + 0.03 * solved + float(rng.normal(0.0, 0.05))
            gap = {"ssim": ssim, "psnr": 12.0 + 10.0 * ssim} if wm != "none" else {}
            pose = Pose((x, 0.0, z), yaw_to_quaternion(yaw))
            steps.append(StepRecord(action, pose, bool(rng.random() < 0.05), digest([episode, index, number]), gap))
        scores = tuple(round(float(s), 4) for s in rng.random(24))
        chosen = int(np.argmax(scores))
        decisions.append(DecisionRecord(index, 8, 24, chosen, scores, 0.4, "", distance, 8, tuple(steps)))
        distance = max(0.2, distance - float(rng.uniform(0.1, 0.9)))
    final = 0.5 if solved else max(1.2, distance)
    stopped = "self" if solved else "budget"
    return Trajectory(episode, 0, wm, "self", start, digest(episode), tuple(decisions), stopped, final, solved)


def synthetic_result(trajectory: Trajectory, home: str) -> EpisodeResult:
    """Return the result that belongs to a trajectory."""
    actions = float(sum(len(d.steps) for d in trajectory.decisions))
    solved = float(trajectory.solved)
    numbers: Mapping[str, float] = {
        "success": solved,
        "spl": solved * 0.7,
        "spl_m": solved * 0.8,
        "reached": solved,
        "path_m": 0.12 * actions,
        "actions": actions,
        "decisions": float(len(trajectory.decisions)),
        "rollouts": float(sum(d.rollouts for d in trajectory.decisions)),
        "final_distance_m": trajectory.final_distance_m,
    }
    ssim = [step.gap["ssim"] for d in trajectory.decisions for step in d.steps if step.gap]
    if ssim:
        numbers = {**numbers, "gap_ssim": sum(ssim) / len(ssim)}
    state = OK if trajectory.solved else FAILED
    timings = {"imagine": 0.5 + 0.01 * actions, "step": 0.1}
    return EpisodeResult(trajectory.episode, home, 0, state, numbers, trajectory.digest(), "", timings)
