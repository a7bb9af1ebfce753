"""The folder shared with a container: the harness takes the socket out and never follows what it finds."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Iterator

import pytest

from harness.contracts.errors import Refusal, ServiceError
from harness.runtimes import docker_folder
from harness.runtimes.docker_folder import ContainerFolder
from harness.runtimes.service import WORLD_MODEL, ContainerSpec, ServiceSpec
from harness.wire.channel import check_socket
from harness.wire.host import LEASE_NAME, is_locked, read_spec

SPEC = ServiceSpec(WORLD_MODEL, "echo", "module:Class", ("/plugin",), "")

pytestmark = pytest.mark.skipif(not docker_folder._is_tmpfs(Path("/dev/shm")), reason="/dev/shm is no tmpfs here")


@pytest.fixture
def folder() -> Iterator[ContainerFolder]:
    made = ContainerFolder(ContainerSpec("somebody/model:1", "sha256:abc"))
    made.write_spec(SPEC)
    yield made
    made.remove()
    assert not made.path.exists()


def listen(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def test_the_folder_around_the_mounted_one_is_the_harness_own(folder: ContainerFolder) -> None:
    assert stat.S_IMODE(folder.path.lstat().st_mode) == 0o700
    assert sorted(path.name for path in folder.mount.iterdir()) == [LEASE_NAME, "spec.json"]
    spec = read_spec(folder.mount / "spec.json")
    assert (spec.socket, spec.parent_pid, spec.path) == ("/run/wiw/service.sock", 0, ("/plugin",))


def test_a_socket_is_taken_out_and_can_be_spoken_to(folder: ContainerFolder) -> None:
    assert not folder.take_socket()
    with listen(folder.mount / "service.sock") as server:
        assert folder.take_socket() and folder.take_socket()
        assert check_socket(folder.socket) == folder.socket
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder.socket))
            server.accept()[0].close()
    assert not (folder.mount / "service.sock").exists()


@pytest.mark.parametrize("kind", ["link to a socket", "file", "folder", "pipe"])
def test_anything_but_a_socket_is_refused(folder: ContainerFolder, tmp_path: Path, kind: str) -> None:
    place = folder.mount / "service.sock"
    with listen(tmp_path / "s"):
        if kind == "link to a socket":
            place.symlink_to(tmp_path / "s")
        elif kind == "file":
            place.write_text("x")
        elif kind == "folder":
            place.mkdir()
        else:
            os.mkfifo(place)
        with pytest.raises(ServiceError, match="in the place of its socket"):
            folder.take_socket()
    assert (tmp_path / "s").exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    made = ContainerFolder(ContainerSpec("somebody/model:1", "sha256:abc"))
    (made.mount / "outside").symlink_to(tmp_path)
    (made.mount / "deep").mkdir()
    (made.mount / "deep" / "file").symlink_to(tmp_path / "precious")
    made.remove()
    assert (tmp_path / "precious").read_text() == "x" and not made.path.exists()


def test_the_lease_is_held_until_the_folder_goes(folder: ContainerFolder) -> None:
    lease = folder.mount / LEASE_NAME
    assert is_locked(lease)
    os.close(folder._lease)  # what the kernel does when the harness dies
    folder._lease = -1
    assert not is_locked(lease)
    assert not is_locked(folder.mount / "gone")


def test_a_folder_that_could_fill_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_folder, "SOCKET_ROOT", tmp_path)
    with pytest.raises(Refusal, match="is no tmpfs"):
        ContainerFolder(ContainerSpec("somebody/model:1", "sha256:abc"))
