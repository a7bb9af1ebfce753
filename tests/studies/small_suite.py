"""A suite of two small tiers in a folder of its own, and complete runs on it whose outcomes a test chooses."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.digest import digest, to_plain
from harness.contracts.episodes import Episode
from harness.contracts.manifests import ENVIRONMENT, Setting
from harness.records.folder import RunFolder
from harness.records.identity import Provenance, RunIdentity
from harness.records.journal import Journal, JournalRow
from harness.studies.all_tables import Tables, make_tables
from tasks.suite import Split, Suite, load_suite
from tasks.suite_files import write_episodes, write_json
from tests.image_goals import image_goal_episode
from tests.records.written import write_trajectory
from tests.scoring.synthetic import METRICS, known_manifest, synthetic_result, synthetic_trajectory

TIERS = ("precise", "detour")
HOMES, PER_HOME = 30, 4
EPISODES = HOMES * PER_HOME

DECLARED = """
[[ranges]]
tier = "precise"
over = "none"
points = 65.0
[[ranges]]
tier = "precise"
over = "warp"
points = 45.0
[[errors]]
wm = "gtsim-motion-50"
tier = "precise"
expected = "large"
[[errors]]
wm = "gtsim-jitter-20cm"
tier = "precise"
expected = "small"
[[errors]]
wm = "gtsim-null-1cm"
tier = "precise"
expected = "null"
[[errors]]
wm = "gtsim-walls"
tier = "detour"
expected = "large"
[[curves]]
tier = "precise"
setting = "jitter_m"
doses = [0.1, 0.2, 0.4]
[[curves]]
tier = "detour"
setting = "through_obstacles"
doses = [1.0]
"""


def small_suite(folder: Path, declared: str = DECLARED) -> Suite:
    """Return `embedded-v1` with two tiers of 120 test episodes in 30 homes, its files in ``folder``."""
    suite = load_suite("embedded-v1")
    tiers = {name: replace(suite.tier(name), splits={"test": Split(HOMES, EPISODES)}) for name in TIERS}
    small = replace(suite, folder=folder, tiers=tiers)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "homes.json", {"scene": digest("scene")})
    for name in TIERS:
        write_episodes(small.episode_path(name, "test"), episodes(name))
    (folder / "resolution.toml").write_text(declared)
    return small


def episodes(tier: str) -> tuple[Episode, ...]:
    """Return 120 episodes in 30 homes, at distances that are all different."""
    start = Pose((2.0, 0.0, 5.0), yaw_to_quaternion(0.0))
    goal = Pose((2.0, 0.0, 2.5), yaw_to_quaternion(45.0))
    distances = 1.5 + 1.5 * np.random.default_rng(5).permutation(EPISODES) / EPISODES
    return tuple(
        image_goal_episode(
            f"{tier}-test-{number:04d}", "ignav", tier, "test", "scene", f"test-{number // PER_HOME:04d}",
            start, goal, 0.3, float(distances[number]), 14,
        )
        for number in range(EPISODES)
    )  # fmt: skip


def solved_by(ability: float) -> tuple[bool, ...]:
    """Return the outcomes of a model that solves the share ``ability``: who is abler solves the same and more."""
    difficulty = np.random.default_rng(7).permutation(EPISODES) / EPISODES
    return tuple(bool(solved) for solved in difficulty < ability)


def write_small_run(
    root: Path,
    suite: Suite,
    wm: str,
    solved: tuple[bool, ...],
    tier: str = "precise",
    stop: str = "self",
    seeds: tuple[int, ...] = (0,),
    settings: Mapping[str, Setting] | None = None,
    overrides: Mapping[str, Setting] | None = None,
    kept: int = EPISODES,
    played: int = EPISODES,
    created_at: float = 1.79e9,
    run_id: str = "",
    changes: Mapping[str, Any] | None = None,
    files: bool = False,
    timings: Mapping[str, float] | None = None,
) -> RunFolder:
    """Write a run of the first ``kept`` episodes, of which the first ``played`` were played; 4 seconds each.

    ``changes`` replace fields of its identity, ``timings`` those 4 seconds. Without the episodes' ``files`` it is
    one of an archive of records, which the tables read alike
    (`test_an_archive_of_records_without_trajectories_enters_the_tables`), in a quarter of the time.
    """
    loop = suite.tier(tier).loop_for(wm)
    kind = ENVIRONMENT if wm.startswith("gtsim") else "plugin"
    known = {"kind": kind, "settings": {}, **known_manifest(wm)}
    manifest = {**known, "settings": {**known["settings"], **(settings or {}), **(overrides or {})}}
    identity = RunIdentity(
        suite=suite.name,
        suite_hash=suite.hash(tier),
        task=suite.task,
        tier=tier,
        split="test",
        stop=stop,
        view="panorama",
        wm=wm,
        wm_manifest=manifest,
        wm_manifest_hash=digest(manifest),
        planner=loop.planner,
        seeds=seeds,
        episodes=suite.episodes(tier, "test")[:kept],
        specs=to_plain({"rig": suite.rig, "action_space": suite.action_space, "loop": loop}),
        wm_overrides=dict(overrides or {}),
        episodes_subset="all" if kept == EPISODES else str(kept),
    )
    identity = replace(identity, **(changes or {}))
    named = run_id or f"{tier}-{stop}-{wm}-{digest([manifest, seeds, created_at])[:6]}"
    provenance = Provenance(created_at, ("benchmark.py",), {}, {"cores": 2, "cpu": "Small CPU"}, "abcdef")
    folder = RunFolder.create(root, identity, {"workers": 2}, provenance, named, METRICS)
    with folder.lock():
        journal = folder.journal_to_write()
        for number, row in enumerate(folder.rows()):
            if number % kept < played:
                commit(folder, journal, row, solved[number % kept], files, timings)
        journal.close()
    if not files:
        shutil.rmtree(folder.episodes)
    return folder


def small_tables(suite: Suite, *roots: Path) -> Tables:
    """Return all tables of the runs below ``roots``, with few resamples."""
    return make_tables(suite, roots, "the command", resamples=15)


def commit(
    folder: RunFolder,
    journal: Journal,
    row: JournalRow,
    solved: bool,
    files: bool = True,
    timings: Mapping[str, float] | None = None,
) -> None:
    """Write an episode that took 4 seconds, a short walk, into a run."""
    identity = folder.identity
    episode = identity.episode(row.key.episode)
    rng = np.random.default_rng([row.position, int(solved)])
    trajectory = synthetic_trajectory(rng, episode, identity.wm, solved, row.key.seed, identity.stop, most=(2, 2))
    result = synthetic_result(trajectory, episode, seconds=4.0)
    result = replace(result, timings=timings or result.timings)
    journal.commit(row.key, result, 1, write_trajectory(folder, row.key, trajectory, result) if files else "")
