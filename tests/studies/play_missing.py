"""Plays what the tables lack: ``python -m tests.studies.play_missing runs/ --slots 2 --workers 1 --seconds 3600``.

One missing command after the other, ``slots`` at once; a run that was cut off goes on where it stopped, so the same
line can be given again until nothing is missing. Measurements on the bank go on by themselves.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.contracts.from_source import CHECKOUT
from harness.records.folder import RunFolder, list_runs
from harness.studies.all_tables import make_tables
from tasks.suite import load_suite

GRACE_S = 60.0
"""What is under way gets so long to write its last episodes."""


def missing_commands(runs: Path, suite: str, only: str) -> list[list[str]]:
    """Return the arguments of every command that the tables name as missing, without the interpreter."""
    tables = make_tables(load_suite(suite), [runs] if list_runs(runs) else [], resamples=1)
    commands = dict.fromkeys(lacking.command for lacking in tables.missing if lacking.command)
    return [shlex.split(command)[1:] for command in commands if only in command]


def unfinished(runs: Path, command: list[str]) -> RunFolder | None:
    """Return the run that this command began and did not end, None where there is none."""
    for run in reversed(list_runs(runs)):
        begun = list(run.record.provenance.command)
        if begun[: len(command)] == command and any(row.committed_at is None for row in run.rows()):
            return run
    return None


@dataclass(frozen=True)
class Playing:
    """A command under way, and the file with what it says."""

    command: list[str]
    process: subprocess.Popen[bytes]
    said: IO[bytes]


def start(runs: Path, command: list[str], workers: int) -> Playing:
    """Begin a command, or go on with the run that it began."""
    run = unfinished(runs, command)
    words = [*command, "--out", str(runs)] if run is None else [command[0], "--resume", str(run.path)]
    said = tempfile.TemporaryFile()  # noqa: SIM115 - finish closes it
    arguments = [sys.executable, *words, "--workers", str(workers)]
    process = subprocess.Popen(arguments, cwd=CHECKOUT, stdout=said, stderr=said, start_new_session=True)
    return Playing(command, process, said)


def finish(playing: Playing) -> bool:
    """Tell how a command ended; return whether it did all that it should."""
    playing.said.seek(0)
    lines = playing.said.read().decode().splitlines()
    playing.said.close()
    told = [line for line in lines if line.startswith(("success", "regret"))] or lines
    print(f"{told[-1] if told else ''}  (exit code {playing.process.returncode})", flush=True)
    return playing.process.returncode == 0


def play(runs: Path, commands: list[list[str]], slots: int, workers: int, seconds: float) -> int:
    """Play ``commands`` for at most ``seconds``; return how many were not begun or not ended."""
    deadline = time.monotonic() + seconds
    waiting, running = list(commands), list[Playing]()
    left = len(commands)
    while (waiting or running) and time.monotonic() < deadline:
        while waiting and len(running) < slots:
            running.append(start(runs, waiting.pop(0), workers))
        time.sleep(0.5)
        for playing in [each for each in running if each.process.poll() is not None]:
            running.remove(playing)
            left -= finish(playing)
    for playing in running:
        playing.process.send_signal(signal.SIGINT)
    for playing in running:
        playing.process.wait(GRACE_S)
        finish(playing)
    return left


def main() -> int:
    """Play until nothing is missing or the time is over; return 0 where nothing is left."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.play_missing", description=__doc__)
    parser.add_argument("runs", type=Path, help="the folder of run folders; new ones are made there")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--only", default="", help="words that a command must contain, such as '--tier precise '")
    parser.add_argument("--slots", type=int, default=1, help="runs at once")
    parser.add_argument("--workers", type=int, default=2, help="workers of each run")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin nothing after this time")
    asked = parser.parse_args()
    runs = asked.runs.absolute()
    commands = missing_commands(runs, asked.suite, asked.only)
    print(f"{len(commands)} commands are missing", flush=True)
    left = play(runs, commands, asked.slots, asked.workers, asked.seconds)
    print(f"{left} are left", flush=True)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
