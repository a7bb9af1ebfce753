"""Runs on a Ray cluster of several nodes, each with its own network: nothing is lost or doubled, whatever dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.records.folder import RunFolder
from harness.running import runs
from tests.running import fake
from tests.running.ray_nodes import Nodes, missing, ray_nodes

ROOT = Path(__file__).parents[2]
COUNT, PLAY_S = 80, 0.5
PLACELESS = """
import sys, time
import ray
from pathlib import Path
from harness.running.cluster import Cluster
from harness.running.local_processes import Job
from harness.running.ray_workers import MOVES, RayWorkers
job = Job("none", Path(sys.argv[1]), b"", 0, lambda number: Path(sys.argv[1]) / "log", lambda pid: None)
workers = RayWorkers(job, Cluster(sys.argv[2]), (), lambda files, grown: None)
worker = workers.start(0)
for lost in range(MOVES + 1):
    time.sleep(1.2)  # so that it is told of as waiting as well
    ray.kill(worker.actor)
    said = []
    while not any(messages is None for _, messages in said) and len(said) < 3:
        batch = workers.wait(0.5)
        assert batch == batch[:1] or batch[0][1] is not None, f"told of after its loss: {batch}"
        said += batch
    print(lost, any(messages is None for _, messages in said), flush=True)
"""
VARIABLES = {"PYTHONPATH": str(ROOT)}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """A head with a worker, and three nodes with one each; in a folder of a short name, for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="wiw-") as folder, ray_nodes(Path(folder), (1, 1, 1, 1), VARIABLES) as made:
        yield made


def drive(nodes: Nodes, root: Path, *more: str) -> subprocess.Popen[str]:
    words = (str(root), nodes.address, str(COUNT), str(PLAY_S), *more)
    command = nodes.on(0, [sys.executable, "-m", "tests.running.ray_driver", *words])
    return subprocess.Popen(command, env={**os.environ, **VARIABLES}, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def played(root: Path) -> int:
    """Return how many episodes are committed."""
    if not (root / "run" / "journal.sqlite").exists():
        return 0
    return sum(row.result.state != "planned" for row in RunFolder.open(root / "run").rows())


def wait_for(process: subprocess.Popen[str], root: Path, episodes: int) -> None:
    until = time.monotonic() + 120.0
    while played(root) < episodes:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.2)


def check_whole(root: Path, said: str) -> None:
    """Every episode is committed once, with the record that its files have, and all as one machine gives them."""
    outcome = json.loads(said)
    assert outcome == {"root": expected(), "code": 0, "damage": 0}
    rows = RunFolder.open(root / "run").rows()
    assert len(rows) == COUNT and {row.result.state for row in rows} <= {"ok", "failed"}
    assert max(row.attempts for row in rows) <= 3


def expected() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return runs.start(fake.plan(COUNT, workers=2), Path(folder)).trajectory_root


def test_a_node_is_killed_another_cut_off_and_then_the_head(nodes: Nodes, tmp_path: Path) -> None:
    process = drive(nodes, tmp_path)
    wait_for(process, tmp_path, 8)
    nodes.kill(1)
    wait_for(process, tmp_path, 16)
    nodes.cut(2)
    wait_for(process, tmp_path, 60)
    before = {row.key for row in RunFolder.open(tmp_path / "run").rows() if row.result.state != "planned"}
    for number in (0, 3):  # the head, with the main process on it, and the last node
        nodes.kill(number)
    assert process.wait(30.0)
    for number in (0, 3):
        nodes.start(number)
    process = drive(nodes, tmp_path, str(tmp_path / "run"))
    said, _ = process.communicate(timeout=180.0)
    check_whole(tmp_path, said)
    assert 60 <= len(before) < COUNT
    assert (tmp_path / "run" / "logs" / "worker-0.log").is_file()


def test_a_worker_whose_place_is_lost_before_it_has_it_asks_again(tmp_path: Path) -> None:
    """It waits on a head without room; each loss is told once, and the last one alone is the worker's."""
    with tempfile.TemporaryDirectory(prefix="wiw-") as folder, ray_nodes(Path(folder), (0,), VARIABLES) as nodes:
        command = nodes.on(0, [sys.executable, "-c", PLACELESS, str(tmp_path), nodes.address])
        done = subprocess.run(command, env={**os.environ, **VARIABLES}, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["0 False", "1 False", "2 False", "3 True"], done.stderr
