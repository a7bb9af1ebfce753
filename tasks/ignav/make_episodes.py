"""Make the episode files of a tier: ``python -m tasks.ignav.make_episodes --suite embedded-v1 --tier easy``.

Episodes are drawn from the suite's own homes by geometry and goal content alone; no run's outcome enters. The command
prints what every filter let through, and keeps it beside the episodes.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Sequence, Tuple

from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError, Refusal, WiwError
from harness.contracts.folders import cache_root
from harness.runtimes.environments import MADE
from tasks.fresh_homes import TEST
from tasks.registry import TASKS_FOLDER
from tasks.suite import Suite, Tier, load_suite
from tasks.suite_files import Split, read_homes, write_episodes, write_json

TASK = "ignav"


@dataclass(frozen=True)
class HomeJob:
    """One home to draw from: everything a worker process needs.

    ``prefix`` goes before the home's name in the ids of its episodes, so that tiers on the same homes share no id.
    """

    split: str
    index: int
    episodes: int
    tier: Tier
    cache: str
    prefix: str = ""


@dataclass(frozen=True)
class HomeEpisodes:
    """What one home gave. ``episodes`` is empty where it could not give enough; ``reason`` then says why."""

    scene: str
    digest: str
    episodes: Tuple[Episode, ...]
    counts: Dict[str, int]
    reason: str = ""


def draw_home(job: HomeJob) -> HomeEpisodes:
    """Build the home and draw its episodes; the same job gives the same episodes in any process."""
    from images.embedded.environment import EmbeddedEnvironment, make_scene
    from images.embedded.homebytes import home_digest
    from images.embedded.homes.splits import home_name
    from images.embedded.sampling import TierConstants, sample_episodes

    name = home_name(f"{job.tier.constants.homes}{job.split}", job.index)
    home = EmbeddedEnvironment(job.cache).load_home(name)
    constants = TierConstants(
        task=TASK,
        tier=job.tier.name,
        split=job.split,
        geodesic_low_m=job.tier.constants.geodesic_m[0],
        geodesic_high_m=job.tier.constants.geodesic_m[1],
        radius_m=job.tier.constants.radius_m,
        least_detour=job.tier.constants.least_detour,
        prefix=job.prefix,
        goal_camera=job.tier.loop.goal_camera,
    )
    try:
        episodes, statistics = sample_episodes(make_scene(name, home), constants, job.episodes)
    except EpisodeError as error:
        return HomeEpisodes(name, home_digest(home), (), {}, str(error))
    return HomeEpisodes(name, home_digest(home), tuple(episodes), dict(statistics.counts))


def make_split(
    tier: Tier, split: str, size: Split, workers: int, cache: str, prefix: str = ""
) -> Tuple[List[HomeEpisodes], List[HomeEpisodes]]:
    """Return the homes that gave a split's episodes, and those that were left out because they gave too few.

    Homes are taken in the order of their numbers until the split is full, whatever the number of workers.
    """
    if size.episodes % size.homes:
        raise Refusal(
            f"{size.episodes} episodes cannot be spread evenly over {size.homes} homes of split {split!r}.",
            "Fix the split in suite.toml.",
        )
    jobs = (HomeJob(split, index, size.episodes // size.homes, tier, cache, prefix) for index in itertools.count())
    kept: List[HomeEpisodes] = []
    left_out: List[HomeEpisodes] = []
    for drawn in _draw_all(jobs, workers):
        (kept if drawn.episodes else left_out).append(drawn)
        print(f"{split}: {len(kept)}/{size.homes} homes, {len(left_out)} left out ({drawn.scene})", file=sys.stderr)
        if len(kept) == size.homes:
            break
    return kept, left_out


def _draw_all(jobs: Iterator[HomeJob], workers: int) -> Iterator[HomeEpisodes]:
    """Yield what each job gives, in order; a batch at a time, so that an endless list of jobs can be left."""
    if workers == 1:
        yield from map(draw_home, jobs)
        return
    from multiprocessing import get_context  # every command loads the task, and few draw episodes

    with get_context("spawn").Pool(workers) as pool:
        while batch := list(itertools.islice(jobs, 2 * workers)):
            yield from pool.imap(draw_home, batch)


def draw_fresh(suite: Suite, tier: Tier, split: str, workers: int) -> Tuple[Sequence[Episode], Mapping[str, str]]:
    """Return the episodes of a fresh split of a tier, as many as its test split has, and the digests of their homes."""
    kept, _ = make_split(tier, split, tier.splits[TEST], workers, str(cache_root()), _prefix(suite, tier))
    return [episode for home in kept for episode in home.episodes], {home.scene: home.digest for home in kept}


def _prefix(suite: Suite, tier: Tier) -> str:
    return "" if tier.name == suite.default_tier else f"{tier.name}-"


def acceptance(homes: Sequence[HomeEpisodes]) -> Dict[str, Dict[str, float]]:
    """Return, for goals and starts, the count of every outcome and the share of draws that were kept."""
    totals: Counter[str] = Counter()
    for home in homes:
        totals.update(home.counts)
    table: Dict[str, Dict[str, float]] = {}
    for name, count in sorted(totals.items()):
        subject, _, outcome = name.partition(" ")
        table.setdefault(subject, {})[outcome] = count
    for outcomes in table.values():
        outcomes["kept share"] = outcomes.get("kept", 0) / max(outcomes.get("drawn", 0), 1)
    return table


def make_tier(suite: Suite, tier: Tier, workers: int, cache: str) -> Dict[str, object]:
    """Write the episodes of all splits, the scene digests and the statistics; return the statistics."""
    digests = dict(read_homes(suite.folder / "homes.json", TASK, suite.name)) if _has_homes(suite) else {}
    statistics: Dict[str, object] = {}
    for split in sorted(tier.splits):
        kept, left_out = make_split(tier, split, tier.splits[split], workers, cache, _prefix(suite, tier))
        episodes = [episode for home in kept for episode in home.episodes]
        write_episodes(suite.episode_path(tier.name, split), episodes)
        digests.update({home.scene: home.digest for home in kept})
        statistics[split] = {
            "homes": len(kept),
            "episodes": len(episodes),
            "homes left out": {home.scene: home.reason for home in left_out},
            "draws": acceptance(kept),
            "mean geodesic_m": sum(e.payload["geodesic_m"] for e in episodes) / len(episodes),
            "mean reference_actions": sum(e.reference_actions for e in episodes) / len(episodes),
        }
    write_json(suite.folder / "homes.json", digests)
    write_json(suite.folder / f"{tier.name}-statistics.json", statistics)
    return statistics


def _has_homes(suite: Suite) -> bool:
    return (suite.folder / "homes.json").exists()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2: refused)."""
    import json

    parser = argparse.ArgumentParser(
        prog="python -m tasks.ignav.make_episodes", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--tier", default="")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cache", default=str(cache_root()), help="folder of baked homes (default: the user's cache)")
    parser.add_argument("--root", type=Path, default=TASKS_FOLDER, help="folder that holds the tasks' suites")
    chosen = parser.parse_args(arguments)
    try:
        suite = load_suite(chosen.suite, TASK, chosen.root)
        if suite.played_by.scenes != MADE:
            raise Refusal(
                f"episodes of {suite.name} are not made here: its scenes are licensed files.",
                "Run `python benchmark.py datasets prepare ignav --env-python PYTHON` (docs/habitat.md).",
            )
        tier = suite.tier(chosen.tier)
        if tier.episodes_of != tier.name:
            raise Refusal(f"tier {tier.name!r} plays the episodes of {tier.episodes_of!r}.", "Make those.")
        statistics = make_tier(suite, tier, chosen.workers, chosen.cache)
    except WiwError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(statistics, indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
