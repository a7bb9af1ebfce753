"""A command like `benchmark.py` for the fake player: starts or resumes a run and ends with its exit code."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

from harness.contracts.errors import WiwError
from harness.running import runs
from harness.running.progress import exit_code_of
from tests.running import fake


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Play the fake plan that the arguments describe and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--play-s", type=float, default=0.0)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--resume", type=Path)
    given = parser.parse_args(arguments)
    plan = fake.plan(given.episodes, given.workers, play_s=given.play_s)
    try:
        if given.resume:
            return runs.resume(given.resume, plan).exit_code
        return runs.start(plan, given.out).exit_code
    except WiwError as error:
        print(error, file=sys.stderr)
        return exit_code_of(error)


if __name__ == "__main__":
    sys.exit(main())
