"""Plays 10,000 short episodes on a Ray cluster of four nodes with networks of their own, and loses two of the nodes.

    PYTHONPATH=. python tests/benchmarks/ray_cluster.py [--episodes 10000] [--seconds 0.7] [--slots 4]

It takes root, for the network namespaces. A third of the way one node is killed, and half of the way another one is cut
off. The episodes sleep for most of their seconds, so that two cores can pretend to be many. The bound is what the
episodes take together, as their workers measured it, over the slots that there are: those of all nodes, of three from
the kill on, and of two from the cut on. No order of them can end earlier. The makespan is from the begin of the first
episode to the last row of the journal.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.records.folder import RunFolder
from harness.running import runs
from tests.benchmarks.scale import command_line, pss, rows_done
from tests.running import fake
from tests.running.ray_nodes import Nodes, ray_nodes

ROOT = Path(__file__).parents[2]
VARIABLES = {"PYTHONPATH": str(ROOT)}
WORKER = b"harness.running.worker"


@dataclass
class Peak:
    """The most bytes that the main process had, and that Ray's own processes on the head had, shared pages counted once
    (PSS); workers and their places are not counted."""

    main: int = 0
    ray: int = 0

    def look(self, nodes: Nodes, main: int) -> None:
        """Take what the processes have now."""
        own = [pid for pid in nodes.processes(0) if pid != main and not is_worker(pid)]
        self.main, self.ray = max(self.main, pss(main)), max(self.ray, sum(map(pss, own)))


def is_worker(pid: int) -> bool:
    """Say whether a process is a worker or its place."""
    command = command_line(pid)
    return command.startswith(b"ray::") or WORKER in command


def wait_for(process: subprocess.Popen[bytes], nodes: Nodes, peak: Peak, done: Callable[[], bool]) -> None:
    """Wait until something is ``done``, or the run is over."""
    while process.poll() is None and not done():
        peak.look(nodes, process.pid)
        time.sleep(1.0)


def play(nodes: Nodes, root: Path, episodes: int, seconds: float, peak: Peak) -> tuple[str, list[float]]:
    """Play them, losing two nodes on the way; return what the driver said, and when they were lost."""
    journal = root / "run" / "journal.sqlite"
    words = [str(root), nodes.address, str(episodes), str(seconds)]
    command = nodes.on(0, [sys.executable, "-m", "tests.running.ray_driver", *words])
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env={**os.environ, **VARIABLES}, cwd=ROOT, stdout=output)
        wait_for(process, nodes, peak, lambda: rows_done(journal) >= episodes // 3)
        lost = [time.time()]
        nodes.kill(1)
        wait_for(process, nodes, peak, lambda: rows_done(journal) >= episodes // 2)
        lost.append(time.time())
        nodes.cut(2)
        wait_for(process, nodes, peak, lambda: False)
        output.seek(0)
        return output.read().decode(), lost


def tell(root: Path, said: str, slots: list[int], lost: list[float]) -> None:
    """Print makespan and bound, and what became of the episodes; a node is lost at each of the times ``lost``."""
    folder = RunFolder.open(root / "run")
    rows, folders = folder.rows(), len(list(folder.episodes.iterdir()))
    broken = [row for row in rows if "episode" not in row.result.timings]
    if broken:
        raise SystemExit(f"{len(broken)} of {len(rows)} episodes were not played, such as {broken[0]}\n{said}")
    work = sum(row.result.timings["episode"] for row in rows)
    ends = [(row.committed_at or 0.0, row.result.timings["episode"]) for row in rows]
    began = min(end - took for end, took in ends)
    makespan = max(end for end, _ in ends) - began
    bound, left = 0.0, work
    for number, until in enumerate([*lost, float("inf")]):
        room = sum(slots[number:])
        took = min(until - began - bound, left / room)
        bound, left = bound + took, left - took * room
    again = sum(row.attempts > 1 for row in rows)
    states = {state: sum(row.result.state == state for row in rows) for state in ("ok", "failed", "error", "timeout")}
    print(f"{len(rows):,} episodes, {states}, {again} played again; the driver: {said.strip()}")
    print(f"{folders:,} folders of episodes; breaks of the journal's chain: {folder.journal_breaks()}")
    print(f"makespan {makespan:.1f} s, bound {bound:.1f} s ({work:.0f} s of episodes): {makespan / bound:.3f}")
    print(f"over the slots of the nodes that were left, from the beginning: {work / sum(slots[len(lost) :]):.1f} s")


def main() -> None:
    """Measure, and compare the root with that of this machine alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--slots", type=int, default=4, help="workers of each node")
    parser.add_argument("--no-root", action="store_true", help="leave out the run on this machine alone")
    asked, peak = parser.parse_args(), Peak()
    with tempfile.TemporaryDirectory(prefix="wiw-") as scratch:
        folder = Path(scratch)
        with ray_nodes(folder, [asked.slots] * 4, VARIABLES) as nodes:
            said, lost = play(nodes, folder, asked.episodes, asked.seconds, peak)
        tell(folder, said, [asked.slots] * 4, lost)
        main, ray = (round(value / 2**20) for value in (peak.main, peak.ray))
        print(f"peak memory of the main process {main} MiB, of Ray's own processes on the head {ray} MiB")
        if not asked.no_root:
            alone = runs.start(fake.plan(asked.episodes, workers=2), folder / "alone").trajectory_root
            print(f"the same root as on one machine: {alone == json.loads(said)['root']}")


if __name__ == "__main__":
    main()
