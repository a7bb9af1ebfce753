"""Makes starts of stored demos once: ``python -m images.rlbench.convert_demos DEMOS OUT``.

A stored demo is a pickle; what a reset needs of it are a variation and a random state. They are written as plain arrays
(``start.npz``, read without pickle), so that a pickle of strangers is opened once, in a process that can do nothing
else, and never where the simulator runs. The environment takes OUT in the place of DEMOS.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import numpy as np

from harness.contracts.errors import Refusal, WiwError
from images.rlbench.demos import DEMO_FILE, MOST_BYTES, START_FILE, StoredStart, checked_start, read_pickle, write_start

CHECKOUT = Path(__file__).resolve().parents[2]
MEMORY_BYTES = 2 << 30
SECONDS = 20
ANSWER_BYTES = 1 << 16
CHILD = "--child"

_PLACE = re.compile(r"([a-z0-9_]{1,100})/variation(\d{1,5})/episodes/episode(\d{1,5})/" + re.escape(DEMO_FILE))


def confine() -> None:
    """Leave this process its memory, its time and the files that it has open: no other file, and no pipe."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # no other file, socket or pipe can be opened from now on


def serve() -> int:
    """Be the confined process: a pickle comes on stdin, what a reset needs of it goes to stdout as JSON."""
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    confine()
    try:
        start = read_pickle(data, "the demo")
    except Refusal as refusal:
        print(json.dumps({"refused": refusal.what}))
        return 0
    name, words, *rest = start.random_state
    state = [name, [int(word) for word in words], *rest]
    print(json.dumps({"variation": start.variation, "attempts": start.attempts, "state": state}))
    return 0


def read_confined(file: Path) -> StoredStart:
    """Return the start that a pickle holds, as a confined process read it; Refusal where it holds none."""
    with file.open("rb") as demo:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "images.rlbench.convert_demos", CHILD],
                stdin=demo, capture_output=True, timeout=4 * SECONDS, env=_variables(), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise Refusal(f"{file} was not read within {4 * SECONDS} s.", "Leave it out.") from error
    if done.returncode != 0 or len(done.stdout) > ANSWER_BYTES:
        how = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise Refusal(f"{file} ended the process that read it: {how[0][:200]}.", "Leave it out.")
    return _checked(file, json.loads(done.stdout))


def _variables() -> Dict[str, str]:
    """Return what the confined process is told: where its modules are, and no more than one thread a library."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *filter(None, sys.path)]),
        "PATH": os.environ.get("PATH", ""),
        **threads,
    }


def _checked(file: Path, told: Any) -> StoredStart:
    """Return what the confined process told, checked as a file would be: it may have been taken over by its pickle."""
    if isinstance(told, dict) and "refused" in told:
        raise Refusal(f"{file}: {str(told['refused'])[:300]}", "Use a demo of RLBench's own dataset generator.")
    try:
        name, words, place, has_normal, normal = told["state"]
        state = (name, np.array(words, np.uint32), place, has_normal, float(normal))
        return checked_start(told["variation"], state, told["attempts"])
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise Refusal(f"{file}: what was read is no start: {error}.", "Leave it out.") from error


def demos_below(folder: Path) -> Iterator[Tuple[Path, Path, int]]:
    """Yield each stored demo, where its start goes below OUT, and the variation that its folder names."""
    for file in sorted(folder.glob(f"*/variation*/episodes/episode*/{DEMO_FILE}")):
        place = _PLACE.fullmatch(str(file.relative_to(folder)))
        if place and not file.is_symlink():
            yield file, file.relative_to(folder).with_name(START_FILE), int(place.group(2))


def convert(folder: Path, out: Path) -> Tuple[int, Dict[str, str]]:
    """Write a start for each demo below ``folder`` that has none yet; return how many there are, and why others are
    not, by file. A demo whose variation is not that of its folder is left out: it would play another scene."""
    made, refused = 0, {}
    found = list(demos_below(folder))
    if not found:
        raise Refusal(
            f"{folder} holds no stored demo (TASK/variation3/episodes/episode7/{DEMO_FILE}).", "Name their folder."
        )
    for number, (file, place, variation) in enumerate(found, start=1):
        target = out / place
        try:
            if not target.exists():
                start = read_confined(file)
                if start.variation != variation:
                    raise Refusal(f"{file} is of variation {start.variation}.", f"Its folder says {variation}.")
                write_start(target, start)
            made += 1
        except WiwError as error:
            refused[str(file)] = str(error)
        print(f"{number}/{len(found)} {place.parent}", file=sys.stderr)
    return made, refused


def main() -> int:
    """Run the command line; return 0, 1 where demos were left out, 2 where there is nothing to convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demos", type=Path, help="folder of stored demos")
    parser.add_argument("out", type=Path, help="folder of the starts; those that are there already are kept")
    given = parser.parse_args()
    try:
        made, refused = convert(given.demos, given.out)
    except WiwError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for file, why in refused.items():
        print(f"left out: {file}: {why}", file=sys.stderr)
    print(f"{made} starts in {given.out}, {len(refused)} demos left out")
    return 1 if refused else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(serve() if sys.argv[1:] == [CHILD] else main())
    sys.exit(3)
