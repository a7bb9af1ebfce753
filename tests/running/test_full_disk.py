"""A disk that really fills up under a run, on a small file system of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.records.errors import DiskFull
from harness.running import runs
from tests.running import fake


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_run_goes_on_after_space_was_freed(small_disk: Path, tmp_path: Path) -> None:
    plan = fake.plan(14, workers=2)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(400_000))
    folder = runs.create(plan, small_disk)
    with pytest.raises(DiskFull, match=r"no space left.*resume the run"):
        runs.play(folder, plan)
    committed = {row.key: row.result for row in folder.rows() if row.committed_at}
    assert 0 < len(committed) < 14
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    outcome = runs.resume(folder.path, plan)
    assert outcome.exit_code == 0
    rows = {row.key: row.result for row in folder.rows()}
    assert {key: rows[key] for key in committed} == committed
    assert outcome.trajectory_root == runs.start(plan, tmp_path).trajectory_root
