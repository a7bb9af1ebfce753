"""Make training data: ``python -m harness.studies.learnt_score.make_data --homes 190 --split train --out DIR``.

One file a home. Files that are there already are kept, so a command that was cut off goes on where it was; the bytes
do not depend on the number of workers.
"""

from __future__ import annotations

import argparse
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Iterator, List, Sequence

from harness.contracts.errors import WiwError
from harness.contracts.folders import cache_root
from harness.studies.learnt_score.home_data import HomeJob, is_done, make_file

PANORAMAS, GOALS = 240, 96


def make_all(jobs: Sequence[HomeJob], workers: int) -> None:
    """Make the files of all jobs that are not done yet, and tell how long the rest will take."""
    waiting = [job for job in jobs if not is_done(job)]
    print(f"{len(jobs) - len(waiting)} of {len(jobs)} homes are there already", file=sys.stderr, flush=True)
    started = time.monotonic()
    for number, name in enumerate(_made(waiting, workers), 1):
        left_s = (time.monotonic() - started) / number * (len(waiting) - number)
        print(f"{number}/{len(waiting)} {name}, about {left_s:.0f} s left", file=sys.stderr, flush=True)


def _made(jobs: Sequence[HomeJob], workers: int) -> Iterator[str]:
    if workers == 1:
        yield from map(make_file, jobs)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(make_file, jobs)


def jobs_of(arguments: Sequence[str] | None) -> tuple[List[HomeJob], int]:
    """Return the jobs that a command line asks for, and the number of workers."""
    from images.embedded.homes.splits import home_name

    parser = argparse.ArgumentParser(
        prog="python -m harness.studies.learnt_score.make_data", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--homes", type=int, required=True)
    parser.add_argument("--split", required=True, help="train, validation to choose with; others only to report")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first home")
    parser.add_argument("--panoramas", type=int, default=PANORAMAS, help="a home")
    parser.add_argument("--goals", type=int, default=GOALS, help="a home")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", default=str(cache_root()), help="folder of baked homes (default: the user's cache)")
    chosen = parser.parse_args(arguments)
    names = [home_name(chosen.split, chosen.first + index) for index in range(chosen.homes)]
    chosen.out.mkdir(parents=True, exist_ok=True)
    sizes = (chosen.panoramas, chosen.goals, chosen.seed)
    return [HomeJob(name, str(chosen.out), chosen.cache, *sizes) for name in names], chosen.workers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2: refused)."""
    try:
        jobs, workers = jobs_of(arguments)
        make_all(jobs, workers)
    except WiwError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
