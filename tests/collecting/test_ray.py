"""A collection on a Ray cluster of nodes with networks of their own: the bytes of one machine, whatever dies."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.collecting.layouts import UNITS, WORK
from harness.collecting.validate import check_dataset
from tests.running.ray_nodes import Nodes, missing, ray_nodes

ROOT = Path(__file__).parents[2]
CLIPS, EACH = 240, 4
VARIABLES = {"PYTHONPATH": str(ROOT)}
CODE = """
import sys
from pathlib import Path
from harness.collecting import config
config.CLIPS_PER_TRAJECTORY = {each}
from harness.cli.collect import collect_command
folder, processes, address = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
where = dict(executor="ray", address=address) if address else dict()
sys.exit(collect_command("demo", folder, processes, scenes="train-0000,train-0001", clips={clips}, **where))
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """A head and three nodes with a worker each; in a folder of a short name, for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="wiw-") as folder, ray_nodes(Path(folder), (1, 1, 1, 1), VARIABLES) as made:
        yield made


def command(folder: Path, processes: int, address: str = "") -> list[str]:
    code = CODE.format(each=EACH, clips=CLIPS)
    return [sys.executable, "-c", code, str(folder), str(processes), address]


def on_cluster(nodes: Nodes, folder: Path) -> subprocess.Popen[bytes]:
    """Collect on all nodes; the command is given on the head."""
    given = nodes.on(0, command(folder, 8, nodes.address))
    return subprocess.Popen(given, env={**os.environ, **VARIABLES}, cwd=ROOT)


def recorded(folder: Path) -> set[str]:
    """Return the records of the trajectories that are finished."""
    return {path.name for path in (folder / "demo" / WORK / UNITS).glob("[0-9]*.json")}


def wait_for(running: subprocess.Popen[bytes], folder: Path, trajectories: int) -> None:
    until = time.monotonic() + 300.0
    while len(recorded(folder)) < trajectories:
        assert running.poll() is None and time.monotonic() < until
        time.sleep(0.05)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_nodes_die_and_the_data_are_those_of_one_machine(nodes: Nodes, tmp_path: Path) -> None:
    """One node is killed, another cut off, then the head with the main process; the same command goes on."""
    there, units = tmp_path / "cluster", CLIPS // EACH
    running = on_cluster(nodes, there)
    wait_for(running, there, units // 6)
    nodes.kill(1)
    wait_for(running, there, units // 3)
    nodes.cut(2)
    wait_for(running, there, units // 2)
    nodes.kill(0)
    assert running.wait(30.0)
    before = recorded(there)
    assert units // 2 <= len(before) < units
    nodes.kill(3)
    for number in (0, 3):
        nodes.start(number)
    times = {name: (there / "demo" / WORK / UNITS / name).stat().st_mtime_ns for name in before}
    running = on_cluster(nodes, there)
    wait_for(running, there, len(before) + 1)
    kept = {name: (there / "demo" / WORK / UNITS / name).stat().st_mtime_ns for name in before}
    assert kept == times, "what was recorded is not recorded again"
    assert running.wait(300.0) == 0
    subprocess.run(command(tmp_path / "alone", 2), cwd=ROOT, check=True)
    assert files_of(there / "demo") == files_of(tmp_path / "alone" / "demo")
    assert check_dataset(there / "demo").faults == ()


def test_a_cluster_without_a_place_is_refused(nodes: Nodes, tmp_path: Path) -> None:
    """No node has a GPU, which a suite that draws on one would ask for."""
    code = (
        "from harness.running.cluster import Cluster\n"
        "from harness.collecting.pipeline import room\n"
        f"room(Cluster({nodes.address!r}, 1.0))\n"
    )
    given = nodes.on(0, [sys.executable, "-c", code])
    done = subprocess.run(given, env={**os.environ, **VARIABLES}, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode and "has 1 CPU and 1 GPU for a worker" in done.stderr
