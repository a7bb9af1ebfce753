"""Any number of processes and any interruption: the same bytes, from real homes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.collecting.layouts import UNITS, WORK
from harness.collecting.validate import check_dataset

ROOT = Path(__file__).resolve().parents[2]
SCENES, CLIPS = "train-0000,train-0001", 8
CODE = """
import sys
from pathlib import Path
from harness.collecting import config
config.CLIPS_PER_TRAJECTORY = 2
from harness.cli.collect import collect_command
folder, processes = Path(sys.argv[1]), int(sys.argv[2])
sys.exit(collect_command("demo", folder, processes, scenes={scenes!r}, clips={clips}, policy={policy!r}))
"""
pytestmark = pytest.mark.slow


def start(folder: Path, processes: int, policy: str = "waypoints,random") -> subprocess.Popen[bytes]:
    code = CODE.format(scenes=SCENES, clips=CLIPS, policy=policy)
    return subprocess.Popen([sys.executable, "-c", code, str(folder), str(processes)], cwd=ROOT, start_new_session=True)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set that one process wrote."""
    folder = tmp_path_factory.mktemp("alone")
    assert start(folder, 1).wait(600) == 0
    assert check_dataset(folder / "demo").faults == ()
    return folder


@pytest.fixture(scope="module")
def alone(complete: Path) -> dict[str, bytes]:
    return files_of(complete / "demo")


def test_three_processes_write_the_same_bytes(alone: dict[str, bytes], tmp_path: Path) -> None:
    assert start(tmp_path, 3).wait(600) == 0
    assert files_of(tmp_path / "demo") == alone


def test_killed_again_and_again_it_goes_on(alone: dict[str, bytes], tmp_path: Path) -> None:
    """The main process dies after every finished trajectory, its workers in the middle of the next."""
    folder = tmp_path / "demo"
    for wanted in (1, 2, 3):
        running = start(tmp_path, 2)
        deadline = time.monotonic() + 300
        while len(list((folder / WORK / UNITS).glob("[0-9]*.json"))) < wanted and running.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    assert start(tmp_path, 2).wait(600) == 0
    assert files_of(folder) == alone
    assert not (folder / WORK).exists()


def test_a_killed_worker_is_replaced(alone: dict[str, bytes], tmp_path: Path) -> None:
    running = start(tmp_path, 2)
    deadline = time.monotonic() + 300
    killed = 0
    while running.poll() is None and killed < 2:
        assert time.monotonic() < deadline
        for pid in workers_of(running.pid)[:1]:
            time.sleep(0.5)
            os.kill(pid, signal.SIGKILL)
            killed += 1
        time.sleep(1.0)
    assert running.wait(600) == 0
    assert files_of(tmp_path / "demo") == alone


def test_an_interrupted_collection_says_how_it_goes_on(alone: dict[str, bytes], tmp_path: Path) -> None:
    code = CODE.format(scenes=SCENES, clips=CLIPS, policy="waypoints,random")
    running = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), "2"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while not list((tmp_path / "demo" / WORK / UNITS).glob("[0-9]*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 3 and not (tmp_path / "demo/SHA256SUMS").exists()
    assert f"/{CLIPS} clips are recorded; continue with  python benchmark.py collect demo {tmp_path} 2" in said
    assert "--policy=waypoints,random" in said
    assert start(tmp_path, 2).wait(600) == 0
    assert files_of(tmp_path / "demo") == alone


def test_a_complete_data_set_is_left_alone(complete: Path, alone: dict[str, bytes], tmp_path: Path) -> None:
    shutil.copytree(complete / "demo", tmp_path / "demo")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*")}
    assert start(tmp_path, 1).wait(600) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*")} == before
    assert files_of(tmp_path / "demo") == alone


def workers_of(parent: int) -> list[int]:
    """Return the collecting processes that ``parent`` started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"harness.collecting.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
