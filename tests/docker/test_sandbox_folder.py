"""The folder that container and harness share: whatever a plugin puts there reaches nobody and is removed."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.contracts.errors import ServiceError
from harness.runtimes.docker_engine import Engine, image_id
from harness.runtimes.docker_folder import SOCKET_ROOT
from harness.runtimes.docker_service import ContainerService, start_container
from harness.runtimes.sandbox import NOBODY
from harness.runtimes.service import ContainerLimits, ContainerSpec, ServiceLimits, ServiceSpec
from harness.runtimes.sockets import reap_stale
from harness.wire.client import Deadlines, WorldModelClient
from tests.docker import probe_image, small_image
from tests.docker.conftest import MIB
from tests.docker.probe_plugin.place import KINDS
from tests.docker.services_spec import REQUEST, service_spec

START = ServiceLimits(start_s=60.0, stop_s=1.0)
LIMITS = ContainerLimits(memory_bytes=128 * MIB, pids=48, tmpfs_bytes=8 * MIB, shm_bytes=8 * MIB, file_bytes=8 * MIB)


@pytest.fixture(scope="module")
def hostile(engine: Engine) -> ContainerSpec:
    """The container of the hostile image, with tight limits."""
    missing = small_image.fitting(engine.client)
    if missing:
        pytest.skip(missing)
    tag = probe_image.build(engine.client)
    return ContainerSpec(tag, image_id(engine, tag), limits=LIMITS)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After every test no socket folder of this process is there."""
    yield
    assert list(SOCKET_ROOT.glob(f"wiw-{os.getpid()}-*")) == []


def spec(hostile: ContainerSpec, model: str, **variables: str) -> ServiceSpec:
    return service_spec(hostile, f"tests.docker.probe_plugin.probe_model:{model}", **variables)


def play(service: ContainerService) -> bool:
    """Say whether the service answers a request with the view itself."""
    client = WorldModelClient(service.socket, Deadlines(describe_s=20.0, imagine_s=20.0))
    try:
        (rollout,) = client.imagine_batch([REQUEST])
    finally:
        client.close()
    return not rollout.error and bool((rollout.rgb[0] == REQUEST.view).all())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_socket_in_the_place_of_one_is_refused(hostile: ContainerSpec, tmp_path: Path, kind: str) -> None:
    host_file = tmp_path / "host"
    host_file.write_text("of the host")
    facts = {"file": str(host_file)}
    bad = spec(hostile, "PutsInPlace", PROBE_PLACE=kind, PROBE_FACTS=json.dumps(facts))
    with pytest.raises(ServiceError, match="in the place of its socket"):
        start_container(bad, START, tmp_path / "service.log")
    assert host_file.read_text() == "of the host"


def test_a_link_to_another_plugins_socket_is_not_followed(hostile: ContainerSpec, tmp_path: Path) -> None:
    """The links name the other socket as the host sees it and as the container would, were it there."""
    with start_container(spec(hostile, "Copy"), START, tmp_path / "other.log") as other:
        facts = json.dumps({"socket": str(other.socket)})
        bad = spec(hostile, "PutsInPlace", PROBE_PLACE="link to a socket", PROBE_FACTS=facts)
        with pytest.raises(ServiceError, match="in the place of its socket"):
            start_container(bad, START, tmp_path / "service.log")
        assert play(other)


def test_the_socket_cannot_be_swapped_once_it_was_taken(hostile: ContainerSpec, tmp_path: Path) -> None:
    facts = json.dumps({"file": "/etc/passwd"})
    with start_container(spec(hostile, "SwapsInPlace", PROBE_FACTS=facts), START, tmp_path / "log") as service:
        before = service.socket.lstat()
        assert play(service) and play(service)
        after = service.socket.lstat()
        assert stat.S_ISSOCK(after.st_mode) and after.st_ino == before.st_ino
        line = wait_for(service, "SWAPPED ")
        if os.geteuid() == 0:  # as another user the harness owns the folder as the container does; it looks no more
            assert set(json.loads(line)) == set(KINDS)
            assert all(outcome.startswith("denied: E") for outcome in json.loads(line).values()), line


def wait_for(service: ContainerService, word: str) -> str:
    """Return the rest of the first line of the log that begins with ``word``."""
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        for line in service.log_tail(200).splitlines():
            if line.startswith(word):
                return line.removeprefix(word)
        time.sleep(0.05)
    raise AssertionError(f"no line {word!r} in the log:\n{service.log_tail()}")


def test_a_chain_of_folders_is_removed_and_later_runs_start(hostile: ContainerSpec, tmp_path: Path) -> None:
    with start_container(spec(hostile, "LeavesChain", PROBE_DEPTH="3000"), START, tmp_path / "service.log") as service:
        assert wait_for(service, "left ") == "3000 folders"
        folder = service.socket.parent
        assert list(folder.glob("mount/deeper/deeper")) and play(service)
    assert not folder.exists() and Path("/etc/passwd").exists()
    reap_stale(SOCKET_ROOT)
    with start_container(spec(hostile, "Copy"), START, tmp_path / "next.log") as following:
        assert play(following)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a container a tmpfs of its own")
def test_files_without_end_take_no_inode_of_the_host(hostile: ContainerSpec, tmp_path: Path) -> None:
    """A tmpfs has a number of inodes for all who use it: /dev/shm's would be used up long before any memory."""
    before = os.statvfs(SOCKET_ROOT).f_favail
    with start_container(spec(hostile, "LeavesFiles"), START, tmp_path / "service.log") as service:
        made = int(wait_for(service, "made ").split()[0])
        assert 1000 < made < 10_000, "the container has a number of its own"
        assert before - os.statvfs(SOCKET_ROOT).f_favail < 100
        assert play(service)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give containers users of their own")
def test_no_two_containers_run_as_one_user(hostile: ContainerSpec, tmp_path: Path) -> None:
    """The kernel counts watches, pipes and signals by user: one container could use up another's."""
    with (
        start_container(spec(hostile, "SaysUser"), START, tmp_path / "a.log") as one,
        start_container(spec(hostile, "SaysUser"), START, tmp_path / "b.log") as other,
    ):
        users = {wait_for(service, "user ") for service in (one, other)}
        assert len(users) == 2 and not users & {"0", str(NOBODY)}
        assert play(one) and play(other)
