"""What 10,000 episodes take: played, continued, reported, compared, submitted and verified.

    PYTHONPATH=. python tests/benchmarks/scale.py [--episodes 10000] [--keep FOLDER]

The episodes are those of the toy task (`tests/toy_task`): real runs with all their files, whose episodes take as little
as any can. Memory is that of a command with all its processes, shared pages counted once (PSS), sampled every half
second; "decides" is from the command until its first worker starts, when everything that is done is known: seconds,
and those of CPU, which other processes on the machine do not change.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.lamps import copy_lamps
from tests.reporting.chromium import FLAGS, PATH, ready_ms

ROOT = Path(__file__).parents[2]
PLAY = ("--task", "lamps", "--suite", "lamps", "--episodes", "all", "--workers", "2")
SAMPLE_S = 0.5
Meanwhile = Callable[["subprocess.Popen[str]"], object]
SUBMIT = """
import sys
from pathlib import Path
from harness.leaderboard.signing import new_key
from harness.leaderboard.submitting import Examined, Submission, examine, submit
run, folder = Path(sys.argv[1]), Path(sys.argv[2])
new_key(folder / "key")
asked = Submission([run], "lamps@sha256:" + "0" * 64, folder / "README.md")
submit(asked, Examined(examine(asked).runs, ()), folder / "key", folder / "bundle.zip")
"""
"""Submits a run that no leaderboard would take (it has no image), since the work is the same."""


@dataclass(frozen=True)
class Taken:
    """Seconds and peak bytes of one command, and what it printed."""

    seconds: float
    peak: int
    said: str


def processes_of(root: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def pss(process: int) -> int:
    """Return a process's share of memory in bytes, 0 where it is gone."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def measured(
    command: Sequence[str], folder: Path, expected: Sequence[int] = (0,), meanwhile: Meanwhile = lambda process: None
) -> Taken:
    """Run a command and measure it; ``meanwhile`` is called while it runs, with the process."""
    variables = {**os.environ, "WIW_TASKS": str(folder), "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "COLUMNS": "200"}
    began, peak, over = time.monotonic(), 0, threading.Event()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, env=variables, cwd=folder, stdout=output, stderr=output, text=True)

        def sample() -> None:
            nonlocal peak
            while not over.wait(SAMPLE_S):
                peak = max(peak, sum(map(pss, processes_of(process.pid))))

        sampling = threading.Thread(target=sample)
        sampling.start()
        meanwhile(process)
        process.wait()
        seconds = time.monotonic() - began
        over.set()
        sampling.join()
        output.seek(0)
        said = output.read()
    if process.returncode not in expected:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{said[-4000:]}")
    return Taken(seconds, peak, said)


def committed(folder: Path, wm: str) -> int:
    """Return how many episodes of the only run of ``wm`` are in its journal."""
    return sum(rows_done(journal) for journal in folder.glob(f"runs/*-{wm}-*/journal.sqlite"))


def rows_done(journal: Path) -> int:
    """Return how many rows of a journal are not planned any more, 0 where there is none yet."""
    if not journal.exists():
        return 0
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT COUNT(*) FROM episodes WHERE state != 'planned'").fetchone()[0])


def interrupt_half(folder: Path, wm: str, episodes: int) -> Meanwhile:
    """Return what stops a run once half of its episodes are played."""

    def stop(process: subprocess.Popen[str]) -> None:
        while process.poll() is None and committed(folder, wm) < episodes // 2:
            time.sleep(SAMPLE_S)
        process.send_signal(signal.SIGINT)

    return stop


def open_s(report: Path, folder: Path) -> str:
    """Return the seconds from navigation to the drawn table in Chromium, in words."""
    if PATH is None:
        return "no browser"
    command = (PATH, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", report.absolute().as_uri())
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return f"{ready_ms(dom) / 1000:.1f}"


def measure(folder: Path, episodes: int) -> None:
    """Play and read runs of ``episodes`` in ``folder``, printing a row for each command."""
    benchmark = [sys.executable, str(ROOT / "benchmark.py")]
    copy_lamps(folder, episodes)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    runs = folder / "runs"

    def row(name: str, taken: Taken, more: str = "") -> None:
        print(f"| {name} | {taken.seconds:.1f} | {taken.peak / 2**20:.0f} | {more} |", flush=True)

    print(f"| {episodes:,} episodes | seconds | peak MiB | |\n| --- | --- | --- | --- |")
    play = [*benchmark, "--wm", "gtsim", *PLAY, "--out", str(runs)]
    row("played to the half", measured(play, folder, (3,), interrupt_half(folder, "gtsim", episodes)))
    (run,) = runs.glob("*-gtsim-*")
    left = [*benchmark, "--resume", str(run)]
    decided: list[tuple[float, float]] = []
    taken = measured(left, folder, (0,), lambda process: decided.append(starts_worker(process.pid)))
    told = "decides in {:.1f} s, {:.1f} s of CPU".format(*decided[0])
    row("continued to the end, scored and reported", taken, told)
    row("`--resume` of what is complete", measured(left, folder))
    row(
        "`report`",
        measured([*benchmark, "report", str(run)], folder),
        f"opens in {open_s(run / 'report.html', folder)} s",
    )
    measured([*benchmark, "--wm", "none", *PLAY, "--out", str(runs)], folder)
    (other,) = runs.glob("*-none-*")
    compare = [*benchmark, "compare", str(other), str(run), "--out", str(folder / "compared")]
    row("`compare`", measured(compare, folder), f"opens in {open_s(folder / 'compared' / 'compare.html', folder)} s")
    row("`submit`", measured([sys.executable, "-c", SUBMIT, str(run), str(folder)], folder))
    bundle = folder / "bundle.zip"
    verify = measured([*benchmark, "verify", str(bundle)], folder, (0, 1))
    row("`verify`", verify, f"bundle of {bundle.stat().st_size / 2**20:.0f} MiB")


def starts_worker(process: int) -> tuple[float, float]:
    """Return the seconds until a command has a worker, and those of CPU that it took till then."""
    began = time.monotonic()
    while not any(b"harness.running.worker" in command_line(child) for child in processes_of(process)):
        time.sleep(0.02)
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return time.monotonic() - began, (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def command_line(process: int) -> bytes:
    """Return what a process was started with, nothing where it is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="a new folder for the runs, which are kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wiw-scale-") as scratch:
        place = arguments.keep or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        measure(place.absolute(), arguments.episodes)
