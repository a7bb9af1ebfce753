"""A service's word about the disk is believed only where a disk of this machine really fails."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.contracts.errors import ModelFault
from harness.running.full_disks import disk_behind, failed_disk

SAYS_SO = ModelFault("imagine failed with OSError: [Errno 28] No space left on device.")


def test_a_model_that_only_says_so_is_not_believed(tmp_path: Path) -> None:
    assert disk_behind(SAYS_SO, tmp_path) is None


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"cannot mount a small file system: {made.stderr.decode().strip()}")
    try:
        assert failed_disk((disk,), ()) is None
        (disk / "ballast").write_bytes(bytes(1_500_000))
        found = disk_behind(SAYS_SO, disk)
        assert found is not None and str(disk) in found.what
        assert disk_behind(ModelFault("ValueError: boom."), disk) is None
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
