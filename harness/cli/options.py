"""What a user asked for, and how it becomes the plan of a run.

Everything here is checked before anything starts: a wrong word costs a sentence and less than a second.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.cli.paths import cache_root
from harness.contracts.digest import to_plain
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.manifests import PLUGIN
from harness.contracts.seeds import MAX_SEED
from harness.records.identity import RunIdentity
from harness.running.plan import RunPlan, ServicePlan
from harness.worldmodels.catalog import Catalog, load_catalog
from tasks.registry import load_task
from tasks.suite import Suite, load_suite

DEFAULT_EPISODES = 24
MAX_WORKERS = 256

ENVIRONMENTS = {"embedded": "images.embedded.environment:EmbeddedEnvironment"}
"""The environment that plays a suite's family as a process."""


@dataclass(frozen=True)
class RunOptions:
    """The options of the main command, as given; empty means the default of the suite or the world model."""

    wm: str
    task: str
    suite: str = ""
    tier: str = ""
    split: str = ""
    episodes: str = ""
    seeds: str = "0"
    stop: str = ""
    workers: int = 1
    env_python: str = ""
    wm_python: str = ""
    plugins: tuple[Path, ...] = ()


def default_workers() -> int:
    """Return one worker a usable core, at most 4: the outcome is the same whatever the number."""
    return min(len(os.sched_getaffinity(0)), 4)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of ``3``, ``0-4`` or ``0,2,7``; Refusal for anything else."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            low, dash, high = part.partition("-")
            seeds.extend(range(int(low), int(high) + 1) if dash else [int(low)])
    except ValueError:
        seeds = []
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0 or max(seeds) > MAX_SEED:
        raise Refusal(f"seeds {text!r} are not understood.", "Give --seed 3, or --seeds 0-4, or --seeds 0,2,7.")
    return tuple(seeds)


def choose_episodes(episodes: Sequence[Episode], wanted: str) -> tuple[Episode, ...]:
    """Return ``wanted`` (a number or ``all``) of the episodes, spread evenly over the homes, in file order.

    Fewer than all take one episode of each home before a second one of any: intervals are clustered by home.
    """
    if wanted == "all":
        return tuple(episodes)
    if wanted and not wanted.isdigit():
        raise Refusal(f"--episodes {wanted!r} is not understood.", "Give a number, or all.")
    number = int(wanted or min(DEFAULT_EPISODES, len(episodes)))
    if not 1 <= number <= len(episodes):
        raise Refusal(f"--episodes {number} is not in 1..{len(episodes)}.", f"This split has {len(episodes)} episodes.")
    turn: dict[str, int] = {}
    rounds = []
    for position, episode in enumerate(episodes):
        turn[episode.home] = turn.get(episode.home, -1) + 1
        rounds.append((turn[episode.home], position))
    chosen = sorted(position for _, position in sorted(rounds)[:number])
    return tuple(episodes[position] for position in chosen)


def interpreter(given: str, option: str) -> str:
    """Return the absolute path of an interpreter, "" for this one; Refusal where it does not exist."""
    if not given:
        return ""
    found = shutil.which(given)
    if found is None:
        raise Refusal(f"{option} {given!r} is not a program.", f"Give the path of a Python, such as {sys.executable}.")
    return found


def choose_suite(options: RunOptions, catalog: Catalog) -> Suite:
    """Return the suite asked for, or the world model's home suite; Refusal where it cannot run here."""
    load_task(options.task)
    manifest = catalog.find(options.wm).manifest
    suite = load_suite(options.suite or manifest.home_suite, options.task)
    suite.require_runnable()
    if suite.family not in ENVIRONMENTS:
        raise Refusal(f"suite {suite.name} has no environment that runs as a process.", "Use --suite embedded.")
    return suite


def make_plan(options: RunOptions) -> RunPlan:
    """Return the complete plan of a run; every wrong option raises Refusal before anything is written."""
    if not 1 <= options.workers <= MAX_WORKERS:
        raise Refusal(f"--workers {options.workers} is not in 1..{MAX_WORKERS}.", "One a core is a good choice.")
    seeds = parse_seeds(options.seeds)
    catalog = load_catalog(options.plugins)
    entry = catalog.find(options.wm)
    suite = choose_suite(options, catalog)
    tier = suite.tier(options.tier)
    stop = options.stop or tier.loop.stop_rules[0]
    tier.check_stop(stop)
    split = options.split or suite.default_split
    episodes = choose_episodes(suite.episodes(tier.name, split), options.episodes)
    env_python = interpreter(options.env_python, "--env-python")
    wm_python = interpreter(options.wm_python, "--wm-python")
    manifest = entry.manifest
    loop = tier.loop_for(manifest.name)
    identity = RunIdentity(
        suite=suite.name,
        suite_hash=suite.hash(tier.name),
        task=options.task,
        tier=tier.name,
        split=split,
        stop=stop,
        view=manifest.view,
        wm=manifest.name,
        wm_manifest=asdict(manifest),
        wm_manifest_hash=manifest.digest(),
        planner=f"{loop.proposer.name}/{loop.reviser.name}/{loop.score.name}",
        seeds=seeds,
        episodes=episodes,
        specs=to_plain({"rig": suite.rig, "action_space": suite.action_space, "loop": loop}),
    )
    known = suite.scene_digests()
    digests = {scene: known[scene] for scene in sorted({episode.scene for episode in episodes})}
    environment = ServicePlan(
        "environment",
        suite.family,
        ENVIRONMENTS[suite.family],
        python=env_python,
        options={"cache_dir": str(cache_root().absolute()), "scene_digests": digests},
    )
    world_model = None
    if manifest.kind == PLUGIN:
        world_model = ServicePlan(
            "world_model",
            manifest.name,
            manifest.entry_point,
            path=(str(entry.folder.absolute()),),
            python=wm_python,
            manifest=asdict(manifest),
        )
    return RunPlan(identity, environment=environment, world_model=world_model, workers=options.workers)
