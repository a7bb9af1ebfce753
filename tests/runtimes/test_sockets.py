"""Socket folders: private, short, and reaped when their owner is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.runtimes.sockets import (
    make_socket_folder,
    process_start_time,
    processes_naming,
    reap_stale,
    remove_socket_folder,
)


def test_a_folder_carries_its_owner_and_is_private(temp_folder: Path) -> None:
    folder = make_socket_folder()
    assert folder.parent == temp_folder
    assert folder.name.startswith(f"wiw-{os.getpid()}-{process_start_time(os.getpid())}-")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_path_too_long_for_a_socket_is_refused_and_leaves_nothing(temp_folder: Path) -> None:
    deep = temp_folder / ("d" * 80)
    deep.mkdir()
    with pytest.raises(Refusal, match=r"99 are allowed.*TMPDIR"):
        make_socket_folder(deep)
    assert list(deep.iterdir()) == []


def test_only_folders_of_dead_owners_are_reaped(temp_folder: Path) -> None:
    mine = make_socket_folder()
    dead = subprocess.Popen(["true"])
    dead.wait()
    ended = temp_folder / f"wiw-{dead.pid}-12345-abc"
    number_used_again = temp_folder / f"wiw-{os.getpid()}-1-abc"
    strangers = [temp_folder / "wiw-notes", temp_folder / "wiw-a-b-c"]
    for folder in [ended, number_used_again, *strangers]:
        folder.mkdir()
    (ended / "s.sock").touch()
    (temp_folder / f"wiw-{dead.pid}-12345-link").symlink_to(mine)
    assert set(reap_stale()) == {ended, number_used_again}
    assert mine.exists() and all(folder.exists() for folder in strangers)


def test_a_service_left_in_a_stale_folder_is_killed(temp_folder: Path) -> None:
    stale = temp_folder / "wiw-999999999-1-abc"
    stale.mkdir()
    command = [sys.executable, "-c", "import time; time.sleep(1000)", f"{stale}/spec.json"]
    orphan = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 5.0
    while processes_naming(stale) != [orphan.pid]:  # its command line appears a moment after it starts
        assert time.monotonic() < deadline
    reap_stale()
    assert orphan.wait(5) == -signal.SIGKILL
    assert not stale.exists()


def test_a_process_that_is_gone_has_no_start_time() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert process_start_time(ended.pid) is None
    assert isinstance(process_start_time(os.getpid()), int)


def test_a_folder_is_removed_however_deep_and_closed_it_is(short_tmp_path: Path) -> None:
    """A service may leave a chain of folders that no recursion can follow, closed folders, and links out of it."""
    outside = short_tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    folder = make_socket_folder(short_tmp_path)
    before = Path.cwd()
    try:
        os.chdir(folder)
        for _ in range(3000):
            Path("deeper").mkdir()
            os.chdir("deeper")
        Path("link").symlink_to(outside)
        Path("file").touch()
    finally:
        os.chdir(before)
    closed = folder / "closed"
    (closed / "inner").mkdir(parents=True)
    os.link(outside / "kept", closed / "hard")
    closed.chmod(0)
    try:
        remove_socket_folder(folder)
        assert not folder.exists() and (outside / "kept").exists()
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
