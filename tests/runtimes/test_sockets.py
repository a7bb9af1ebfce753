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
from harness.runtimes import sockets
from harness.runtimes.sockets import (
    lock_of,
    make_socket_folder,
    process_start_time,
    processes_naming,
    reap_stale,
    remove_socket_folder,
    socket_base,
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


def abandoned(base: Path) -> Path:
    """Return a socket folder of a process that has ended."""
    made = "from harness.runtimes.sockets import make_socket_folder; from pathlib import Path; import sys\n"
    made += "print(make_socket_folder(Path(sys.argv[1])))"
    return Path(subprocess.check_output([sys.executable, "-c", made, str(base)], text=True).strip())


def test_only_folders_of_dead_owners_are_reaped(temp_folder: Path) -> None:
    mine = make_socket_folder()
    ended = abandoned(temp_folder)
    (ended / "s.sock").touch()
    strangers = [temp_folder / "wiw-notes", temp_folder / "wiw-a-b-c", temp_folder / "wiw-999999999-1-abc"]
    for folder in strangers:
        folder.mkdir()
    (temp_folder / "wiw-1-2-link").symlink_to(mine)
    (temp_folder / "wiw-1-2-link.lock").symlink_to(lock_of(mine))
    assert reap_stale() == [ended]
    assert mine.exists() and all(folder.exists() for folder in strangers), "what nobody locked is not known to be dead"
    remove_socket_folder(mine)
    names = {path.name for path in temp_folder.iterdir()}
    assert names == {*(folder.name for folder in strangers), "wiw-1-2-link", "wiw-1-2-link.lock"}


def test_a_service_left_in_a_stale_folder_is_killed(temp_folder: Path) -> None:
    stale = abandoned(temp_folder)
    wait = "import time; time.sleep(1000)"
    orphan = subprocess.Popen([sys.executable, "-c", wait, f"{stale}/spec.json"], start_new_session=True)
    reader = subprocess.Popen([sys.executable, "-c", wait, f"{stale}/notes"], start_new_session=True)
    deadline = time.monotonic() + 5.0
    while set(processes_naming(stale)) != {orphan.pid, reader.pid}:  # command lines appear a moment after the start
        assert time.monotonic() < deadline
    try:
        reap_stale()
        assert orphan.wait(5) == -signal.SIGKILL
        assert not stale.exists() and reader.poll() is None
    finally:
        reader.kill()
        reader.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a process namespace")
@pytest.mark.parametrize("own_proc", [True, False])
def test_a_live_owner_in_another_process_namespace_is_left_alone(temp_folder: Path, own_proc: bool) -> None:
    """Its number means nothing here: the same number is free, or another process."""
    made = "from harness.runtimes.sockets import make_socket_folder; from pathlib import Path; import sys, time\n"
    made += "print(make_socket_folder(Path(sys.argv[1])), flush=True); time.sleep(1000)"
    space = ["unshare", "--pid", "--fork", "--kill-child", *(["--mount-proc"] if own_proc else [])]
    owner = subprocess.Popen([*space, sys.executable, "-c", made, str(temp_folder)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    said = owner.stdout.readline().strip()
    if not said:  # in a chroot, whose root is no mount, unshare cannot mount a /proc of its own
        pytest.skip(f"no such namespace can be made here: {' '.join(space)} ended with {owner.wait()}")
    folder = Path(said)
    try:
        assert folder.is_dir() and reap_stale() == [] and folder.is_dir()
    finally:
        owner.kill()
        owner.wait()
    deadline = time.monotonic() + 10.0
    while reap_stale() != [folder]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_free_lock_of_another_kernel_proves_nothing_on_a_network_disk(
    temp_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = abandoned(temp_folder)
    monkeypatch.setattr(sockets, "boot_id", lambda: "another")
    monkeypatch.setattr(sockets, "is_local", lambda folder: False)
    assert reap_stale() == [] and ended.is_dir()
    monkeypatch.setattr(sockets, "is_local", lambda folder: True)  # this machine was started again since
    assert reap_stale() == [ended]


def test_children_do_not_keep_a_dead_owners_folder(temp_folder: Path) -> None:
    made = "from harness.runtimes.sockets import make_socket_folder; from pathlib import Path; import subprocess, sys\n"
    made += "folder = make_socket_folder(Path(sys.argv[1]))\n"
    made += "print(subprocess.Popen(['sleep', '1000'], stdout=subprocess.DEVNULL, close_fds=False).pid, folder)"
    pid, folder = subprocess.check_output([sys.executable, "-c", made, str(temp_folder)], text=True).split()
    try:
        assert reap_stale() == [Path(folder)]
    finally:
        os.kill(int(pid), signal.SIGKILL)


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


def test_no_address_is_refused_at_once(temp_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert socket_base() == temp_folder
    monkeypatch.setattr("tempfile.tempdir", f"{temp_folder}/h#1")
    assert socket_base() == Path("/tmp")
    monkeypatch.setattr(sockets, "OTHERS", ())
    with pytest.raises(Refusal, match=r"h#1.*Set TMPDIR"):
        socket_base()
