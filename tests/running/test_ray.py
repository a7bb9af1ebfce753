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
