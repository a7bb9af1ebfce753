"""Services as containers, on a real engine: they start, they stop, and they leave nothing behind whatever happens."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from harness.contracts.errors import DeadlineExceeded, Refusal, ServiceError
from harness.runtimes import docker_engine
from harness.runtimes.docker_engine import OWNER, Engine, owner_labels, read_image_file, repo_digest, scope
from harness.runtimes.docker_folder import SOCKET_ROOT, reap_stale_containers
from harness.runtimes.docker_service import ContainerService, start_container
from harness.runtimes.service import ContainerSpec, Mount, ServiceLimits, ServiceSpec, start_service
from harness.runtimes.sockets import process_start_time, processes_naming
from harness.wire.client import Deadlines, WorldModelClient
from tests.docker.conftest import MIB, MakeSpec
from tests.docker.services_spec import REQUEST

START = ServiceLimits(start_s=60.0, stop_s=1.0)


@pytest.fixture(autouse=True)
def nothing_left(engine: Engine) -> Any:
    """After every test: no container of this process, and no socket folder of it."""
    yield
    mine = owner_labels("", "")[OWNER]
    assert engine.client.api.containers(all=True, filters={"label": f"{OWNER}={mine}"}) == []
    assert list(SOCKET_ROOT.glob(f"wiw-{os.getpid()}-*")) == []


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def play(service: ContainerService, imagine_s: float = 600.0) -> np.ndarray[Any, Any]:
    client = WorldModelClient(service.socket, Deadlines(describe_s=20.0, imagine_s=imagine_s))
    try:
        (rollout,) = client.imagine_batch([REQUEST])
    finally:
        client.close()
    assert not rollout.error
    return rollout.rgb


def test_a_container_starts_answers_and_stops(make_spec: MakeSpec, log_path: Path, engine: Engine) -> None:
    with start_container(make_spec("contained:Echo"), START, log_path) as service:
        folder, entry = service.socket.parent.lstat(), service.socket.lstat()
        assert (stat.S_IMODE(folder.st_mode), folder.st_uid, entry.st_uid) == (0o700, os.getuid(), os.getuid())
        assert stat.S_ISSOCK(entry.st_mode) and len(os.fsencode(service.socket)) < 100
        assert (service.alive(), service.death(wait_s=0.0)) == (True, None)
        np.testing.assert_array_equal(play(service)[0], REQUEST.view)
        wait_until(lambda: "imagining as user" in service.log_tail())
        assert "user 0," not in service.log_tail()
        settings = engine.client.api.inspect_container(service.container_name)
        assert [mount["Destination"] for mount in settings["Mounts"]] == ["/run/wiw"]
        assert settings["Config"]["Labels"][OWNER] == owner_labels("", "")[OWNER]
    assert (service.alive(), service.death()) == (False, None)
    service.stop()


def test_a_spec_without_a_container_is_started_as_a_process(make_spec: MakeSpec, log_path: Path) -> None:
    spec = make_spec("contained:Echo")
    services = str(Path(__file__).parent / "services")
    spec = replace(spec, container=None, python=sys.executable, path=(services,))
    with start_service(spec, START, log_path) as service:
        assert service.alive() and not service.socket.is_relative_to(SOCKET_ROOT)


def test_what_a_container_may_write_and_see(make_spec: MakeSpec, log_path: Path) -> None:
    with start_container(make_spec("contained:Writes"), START, log_path) as service:
        play(service)
        wait_until(lambda: "CapEff" in service.log_tail())
        said = service.log_tail(30)
    for path in ("/probe", "/usr/probe", "/run/probe"):
        assert f"denied {path}: Read-only file system" in said
    assert "wrote /tmp/probe" in said and "wrote /dev/shm/probe" in said
    assert "interfaces ['lo']" in said
    assert "CapEff:\\t0000000000000000" in said and "NoNewPrivs:\\t1" in said and "Seccomp:\\t2" in said


def test_a_paused_container_misses_its_deadline_and_is_still_stopped(
    make_spec: MakeSpec, log_path: Path, engine: Engine
) -> None:
    service = start_container(make_spec("contained:Echo"), START, log_path)
    client = WorldModelClient(service.socket, Deadlines(imagine_s=0.5))
    client.describe()
    engine.client.api.pause(service.container_name)
    with pytest.raises(DeadlineExceeded):
        list(client.imagine_batch([REQUEST]))
    client.close()
    assert service.alive() and service.death(wait_s=0.1) is None
    service.stop()


def test_a_service_that_cannot_hear_sigterm_is_killed(make_spec: MakeSpec, log_path: Path) -> None:
    service = start_container(make_spec("contained:Deaf"), START, log_path)
    with pytest.raises(DeadlineExceeded):
        play(service, imagine_s=0.5)
    service.stop()


def test_a_native_crash_is_explained(make_spec: MakeSpec, log_path: Path) -> None:
    with start_container(make_spec("contained:Crashes"), START, log_path) as service:
        with pytest.raises(ServiceError):
            play(service)
        death = service.death(wait_s=10.0)
    assert death is not None
    assert "ended while in use: exit code 139 (SIGSEGV)" in death.what
    assert "Fatal Python error" in death.next_step


def test_a_container_that_takes_all_memory_is_named_so(make_spec: MakeSpec, log_path: Path) -> None:
    with start_container(make_spec("contained:EatsMemory"), START, log_path) as service:
        with pytest.raises(ServiceError):
            play(service)
        death = service.death(wait_s=10.0)
    assert death is not None
    assert "out of memory" in death.what and "memory 0.25 GiB" in death.next_step


def test_filling_the_socket_folder_ends_with_the_container_out_of_memory(make_spec: MakeSpec, log_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"out of memory|no space left"):
        start_container(make_spec("contained:FillsSharedFolder"), START, log_path)


def test_a_link_in_the_place_of_the_socket_is_never_followed(make_spec: MakeSpec, log_path: Path) -> None:
    with pytest.raises(ServiceError, match="in the place of its socket"):
        start_container(make_spec("contained:PutsALinkInPlace"), START, log_path)


def test_a_socket_swapped_later_reaches_nobody(make_spec: MakeSpec, log_path: Path) -> None:
    with start_container(make_spec("contained:SwapsItsSocket"), START, log_path) as service:
        play(service)
        assert stat.S_ISSOCK(service.socket.lstat().st_mode)
        play(service)


def test_a_mess_in_the_socket_folder_is_removed(make_spec: MakeSpec, log_path: Path) -> None:
    with start_container(make_spec("contained:LeavesAMess"), START, log_path) as service:
        assert list(service.socket.parent.glob("mount/mess"))
    assert Path("/etc/passwd").exists()


def test_a_log_without_end_is_cut(make_spec: MakeSpec, log_path: Path) -> None:
    limits = replace(START, log_bytes=MIB)
    with start_container(make_spec("contained:Talks", LINES="4096"), limits, log_path) as service:
        play(service)
        wait_until(lambda: "cut here" in service.log_tail())
        assert log_path.stat().st_size < MIB + 200
    with start_container(make_spec("contained:Talks", LINES="4096"), limits, log_path) as service:
        play(service)
    assert log_path.stat().st_size < MIB + 200, "a service that starts again gets no second log"


def test_too_many_threads_are_refused_by_the_kernel(make_spec: MakeSpec, log_path: Path) -> None:
    with start_container(make_spec("contained:StartsThreads"), START, log_path) as service:
        client = WorldModelClient(service.socket, Deadlines(describe_s=20.0))
        (rollout,) = client.imagine_batch([REQUEST])
        client.close()
    assert "can't start new thread" in rollout.error


def test_a_missing_library_is_named(make_spec: MakeSpec, log_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"(?s)missing shared library.*libcublas\.so\.12"):
        start_container(make_spec("contained:MissingLibrary"), START, log_path)


def test_a_service_that_refuses_is_a_refusal_with_what_it_said(make_spec: MakeSpec, log_path: Path) -> None:
    with pytest.raises(Refusal, match=r"refused to start: it lacks a key. Get one."):
        start_container(make_spec("contained:Refuses"), START, log_path)


def test_a_service_that_never_gets_ready_is_stopped_and_shows_where_it_was(make_spec: MakeSpec, log_path: Path) -> None:
    with pytest.raises(DeadlineExceeded, match="not ready within 12 s") as caught:
        start_container(make_spec("contained:SlowToLoad"), ServiceLimits(start_s=12.0, stop_s=0.5), log_path)
    assert "load_weights_forever" in str(caught.value)


def test_a_gpu_without_nvidias_runtime_is_explained(small: ContainerSpec, make_spec: MakeSpec, log_path: Path) -> None:
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("this machine has an NVIDIA driver")
    spec = replace(make_spec("contained:Echo"), container=replace(small, gpu_uuid="GPU-0"))
    with pytest.raises(ServiceError, match=r"no NVIDIA runtime.*nvidia-container-toolkit"):
        start_container(spec, START, log_path)


def test_a_mount_that_does_not_exist_is_explained(small: ContainerSpec, make_spec: MakeSpec, log_path: Path) -> None:
    mounts = (Mount("/no/such/folder", "/scenes"),)
    spec = replace(make_spec("contained:Echo"), container=replace(small, mounts=mounts))
    with pytest.raises(ServiceError, match="/no/such/folder"):
        start_container(spec, START, log_path)


def test_another_entry_point_is_explained(engine: Engine, make_spec: MakeSpec, log_path: Path) -> None:
    from tests.docker import small_image

    identifier = engine.client.images.get(small_image.BASE).id
    spec = replace(make_spec("contained:Echo"), container=ContainerSpec(small_image.BASE, identifier))
    with pytest.raises(ServiceError):
        start_container(spec, START, log_path)


def test_a_file_of_an_image_is_read_without_running_it(engine: Engine, small: ContainerSpec) -> None:
    host = "/opt/source/harness/wire/host.py"
    here = Path(__file__).parents[2] / "harness" / "wire" / "host.py"
    assert read_image_file(engine, small.image_id, host) == here.read_bytes()
    for path, said in (
        ("/opt/source/no.toml", "has no /opt/source/no.toml"),
        ("/opt/source", "not a regular file"),
        ("/bin/sh", "not a regular file"),  # a link
    ):
        with pytest.raises(Refusal, match=said):
            read_image_file(engine, small.image_id, path)
    assert repo_digest(engine, small.image) == ""


def test_an_absent_image_is_refused_with_the_nearest_name(engine: Engine, small: ContainerSpec) -> None:
    with pytest.raises(Refusal, match=f"Did you mean {small.image}"):
        docker_engine.image_id(engine, small.image + "0")
    with pytest.raises(Refusal, match="images build embedded"):
        docker_engine.image_id(engine, "wiw-bench/embedded:never-built")


def start_harness(spec: ServiceSpec, log_path: Path) -> tuple[subprocess.Popen[str], str]:
    root = Path(__file__).parents[2]
    harness = subprocess.Popen(
        [sys.executable, "-m", "tests.docker.harness_process", json.dumps(asdict(spec)), str(log_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert harness.stdout is not None
    return harness, json.loads(harness.stdout.readline())["name"]


def containers(engine: Engine, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.client.api.containers(all=True, filters={"name": name})
    return found


def test_a_harness_killed_by_kill_9_leaves_nothing(make_spec: MakeSpec, log_path: Path, engine: Engine) -> None:
    harness, name = start_harness(make_spec("contained:Echo"), log_path)
    assert containers(engine, name)
    harness.kill()
    harness.communicate()
    wait_until(lambda: not containers(engine, name) and not (SOCKET_ROOT / name).exists())


def test_when_the_keeper_is_killed_too_the_service_ends_and_the_next_harness_removes_it(
    make_spec: MakeSpec, log_path: Path, engine: Engine
) -> None:
    harness, name = start_harness(make_spec("contained:Echo"), log_path)
    (keeper,) = processes_of_keeper(name)
    os.kill(keeper, signal.SIGKILL)
    harness.kill()
    harness.communicate()
    wait_until(lambda: [entry["State"] for entry in containers(engine, name)] == ["exited"])
    reap_stale_containers(engine)
    assert containers(engine, name) == [] and not (SOCKET_ROOT / name).exists()


def processes_of_keeper(name: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if name.encode() in words:
            found.append(int(entry.parent.name))
    return found


def test_only_what_dead_owners_left_is_reaped(engine: Engine, small: ContainerSpec) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    assert process_start_time(dead.pid) is None
    boot = owner_labels("", "")[OWNER].split("-", 2)[2]
    stale = {OWNER: f"{dead.pid}-1-{boot}", "wiw.scope": scope()}
    foreign = {OWNER: f"{dead.pid}-1-{boot}", "wiw.scope": "12345-1"}
    api = engine.client.api
    suffix = f"{os.getpid()}-{time.monotonic_ns()}"
    made = []
    try:
        for number, labels in enumerate((stale, foreign)):
            container = api.create_container(small.image_id, ["none"], labels=labels)["Id"]
            network = api.create_network(f"wiw-test-{suffix}-{number}", labels=labels)["Id"]
            volume = api.create_volume(f"wiw-test-{suffix}-{number}", labels=labels)["Name"]
            made.append((container, network, volume))
        removed = set(reap_stale_containers(engine))
        assert removed.issuperset(made[0]) and not removed.intersection(made[1])
    finally:
        container, network, volume = made[-1]
        api.remove_container(container)
        api.remove_network(network)
        api.remove_volume(volume)
    assert processes_naming(SOCKET_ROOT / "wiw-none") == []
