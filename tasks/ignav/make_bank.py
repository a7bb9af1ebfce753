"""Make the decision bank of a suite: ``python -m tasks.ignav.make_bank --suite embedded-v1 --workers 2``.

The first decisions of every validation episode, seen and measured by the simulator itself. Equal data give equal
states whatever the number of workers, so that anybody can make the bank again and compare its hash.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.folders import cache_root
from harness.planning.bank_states import decision_states
from harness.runtimes.environments import MADE
from tasks.bank_files import (
    DECISIONS,
    SEED,
    SPLIT,
    StateData,
    bank_bytes,
    bank_path,
    encoded,
    file_of,
    read_bank,
    state_data,
)
from tasks.ignav.task import TASK
from tasks.registry import TASKS_FOLDER
from tasks.suite import PANORAMA, PERSPECTIVE, Suite, Tier, load_suite


@dataclass(frozen=True)
class HomeJob:
    """One home of one tier: everything that a worker process needs."""

    tier: Tier
    home: str
    episodes: Tuple[Episode, ...]
    scene_digests: Mapping[str, str]
    cache: str


@dataclass(frozen=True, eq=False)
class HomeStates:
    """The states of a home's episodes, and their images as WebP by the digest of their pixels."""

    tier: str
    home: str
    states: Tuple[StateData, ...]
    images: Mapping[str, bytes]


def states_of_home(job: HomeJob) -> HomeStates:
    """Return the states of one home; the same job gives the same states in any process."""
    from images.embedded.environment import EmbeddedEnvironment

    environment = EmbeddedEnvironment(job.cache, scene_digests=job.scene_digests)
    parts = TASK.parts_of(job.tier, "")
    kept: List[StateData] = []
    images: Dict[str, bytes] = {}
    for episode in job.episodes:
        for state in decision_states(TASK.begin, environment, episode, parts, SEED, DECISIONS):
            data = state_data(state)
            kept.append(data)
            for name, view in ((data.view, state.view), (data.goal, state.prompt)):
                if name not in images:
                    images[name] = encoded(view.rgb)
    environment.close()
    return HomeStates(job.tier.name, job.home, tuple(kept), images)


VIEWS = (PANORAMA, PERSPECTIVE)


def own_tiers(suite: Suite, views: Sequence[str] = VIEWS) -> Tuple[Tier, ...]:
    """Return the tiers of these kinds of view that have episodes of their own."""
    return tuple(tier for tier in suite.tiers.values() if tier.episodes_of == tier.name and tier.view in views)


def home_jobs(suite: Suite, cache: str, views: Sequence[str] = VIEWS) -> Tuple[HomeJob, ...]:
    """Return a job for each home of each of the `own_tiers`, in the order of the suite's files."""
    known = suite.scene_digests()
    jobs = []
    for tier in own_tiers(suite, views):
        by_home: Dict[str, List[Episode]] = defaultdict(list)
        for episode in suite.episodes(tier.name, SPLIT):
            by_home[episode.home].append(episode)
        for home, episodes in by_home.items():
            scenes = {episode.scene: known[episode.scene] for episode in episodes}
            jobs.append(HomeJob(tier, home, tuple(episodes), scenes, cache))
    return tuple(jobs)


def make_bank(suite: Suite, workers: int, cache: str, view: str = PANORAMA) -> bytes:
    """Return the file with the states of all tiers of one kind of view; progress goes to stderr."""
    jobs = home_jobs(suite, cache, (view,))
    states: Dict[str, List[StateData]] = defaultdict(list)
    images: Dict[str, bytes] = {}
    began = time.monotonic()
    for done, made in enumerate(_make_all(jobs, workers), start=1):
        states[made.tier].extend(made.states)
        for name, data in made.images.items():
            images.setdefault(name, data)
        left = (time.monotonic() - began) * (len(jobs) - done) / done
        print(f"{done}/{len(jobs)} homes ({made.tier} {made.home}), {left:.0f} s left", file=sys.stderr)
    return bank_bytes(suite, states, images)


def _make_all(jobs: Sequence[HomeJob], workers: int) -> Iterator[HomeStates]:
    """Yield what each job gives, in the order of the jobs."""
    if workers == 1:
        yield from map(states_of_home, jobs)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(states_of_home, jobs)


def _write(path: Path, data: bytes) -> None:
    """Write the file whole: an interrupted maker leaves an older one as it was."""
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_bytes(data)
    temporary.replace(path)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command line; return the exit code (2: refused)."""
    parser = argparse.ArgumentParser(prog="python -m tasks.ignav.make_bank", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="the file (default: the suite's own bank)")
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=VIEWS)
    parser.add_argument("--cache", default=str(cache_root()), help="folder of baked homes (default: the user's cache)")
    parser.add_argument("--root", type=Path, default=TASKS_FOLDER, help="folder that holds the tasks' suites")
    chosen = parser.parse_args(arguments)
    try:
        suite = load_suite(chosen.suite, TASK.name, chosen.root)
        if suite.played_by.scenes != MADE:
            raise Refusal(f"no bank is made of {suite.name}: {suite.environment} plays it.", "Name an embedded suite.")
        out = chosen.out or bank_path(suite)
        views = [view for view in VIEWS if view in chosen.views and own_tiers(suite, (view,))]
        for view in views:
            _write(file_of(out, view), make_bank(suite, chosen.workers, chosen.cache, view))
        banks = [read_bank(suite, tier, out) for tier in own_tiers(suite, views)]
    except WiwError as error:
        print(error, file=sys.stderr)
        return 2
    for bank in banks:
        print(f"{bank.tier:<12} {len(bank.states)} states  {bank.hash}")
    for path in (file_of(out, view) for view in views):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
