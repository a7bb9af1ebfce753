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


def test_a_file_of_a_cache_that_cannot_be_written_is_the_machines_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("WIW_CACHE", str(cache))
    (cache / "kernels").mkdir(parents=True)
    file = cache / "kernels" / "warp-1" / "warp.nbi"

    def said(path: Path, words: str = "Permission denied") -> ModelFault:
        return ModelFault(f"imagine failed with PermissionError: [Errno 13] {words}: '{path}' at caching.py:1")

    found = disk_behind(said(file), tmp_path)
    assert found is not None and str(file) in found.what and "WIW_CACHE" in found.next_step
    file.parent.touch()  # a file in the place of its folder
    assert disk_behind(said(file, "Not a directory"), tmp_path) is not None
    file.parent.unlink()
    file.parent.mkdir()
    assert disk_behind(said(file), tmp_path) is None  # it can be written: the model's own failure
    assert disk_behind(said(tmp_path / "gone" / "file"), tmp_path) is None  # nobody's cache
    assert disk_behind(ModelFault(f"ValueError: '{cache / 'gone' / 'x'}' is odd."), tmp_path) is None


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
