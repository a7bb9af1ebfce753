"""Escape probes inside a plugin's container: all denied, and each shown to work where nothing holds it.

The container is started by the real runtime with the real policy. The controls run the same probes as a process of
the host and in a container without the policy (but without a network as well).
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.runtimes.docker_engine import Engine, image_id, owner_labels
from harness.runtimes.docker_service import start_container
from harness.runtimes.service import ContainerLimits, ContainerSpec, ServiceLimits
from harness.wire.client import Deadlines, WorldModelClient
from tests.docker import probe_image, small_image
from tests.docker.conftest import MIB
from tests.docker.probe_plugin.escapes import PROBES
from tests.docker.services_spec import REQUEST, service_spec

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are x86-64's")

ROOT = Path(__file__).parents[2]
START = ServiceLimits(start_s=60.0, stop_s=1.0)
LIMITS = ContainerLimits(
    memory_bytes=256 * MIB, cpus=2.0, pids=48, tmpfs_bytes=16 * MIB, shm_bytes=16 * MIB, file_bytes=8 * MIB
)
API_KEY = "WIW_PROBE_API_KEY"
REACHED_ON_THE_HOST = (
    "interfaces", "tcp_out", "udp_out", "host_loopback", "abstract_socket", "docker_socket", "host_files",
    "other_processes", "signal_harness", "shared_memory", "variables", "devices", "oom_score",
    "life_after_a_call_of_32_bits", "life_after_a_call_of_x32",
)  # fmt: skip
REACHED_BY_ROOT_ON_THE_HOST = ("kernel_settings", "kernel_secrets")
REACHED_WHERE_THE_KERNEL_HAS_IT = ("vsock", "call_of_32_bits")
REACHED_WITHOUT_POLICY = (
    "raw_sockets", "write_outside", "make_device", "fill_tmpfs", "huge_file", "trace", "identity", "become_root",
    "mounts", "namespaces", "change_root", "host_name", "priority", "raise_limits", "fork_bomb", "keyctl",
    "clock_settime", "io_uring_setup", "perf_event_open", "process_vm_readv", "setns",
)  # fmt: skip
CAPABILITIES = ["SYS_ADMIN", "SYS_PTRACE", "SYS_NICE"]
"""What the container without the policy has beside the engine's default; no more than its probes need."""


@pytest.fixture(scope="module")
def hostile(engine: Engine) -> ContainerSpec:
    """The container of the hostile image, with tight limits."""
    missing = small_image.fitting(engine.client)
    if missing:
        pytest.skip(missing)
    tag = probe_image.build(engine.client)
    return ContainerSpec(tag, image_id(engine, tag), limits=LIMITS)


@pytest.fixture(scope="module")
def facts(engine: Engine, hostile: ContainerSpec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Things of the host to be reached: sockets, files, memory, a key, another container; told to the probes."""
    folder = tmp_path_factory.mktemp("host")
    secret = folder / "secret"
    secret.write_text("of the host")
    token = uuid.uuid4().hex
    libc = ctypes.CDLL(None, use_errno=True)
    key = uuid.uuid4().int & 0x7FFFFFF | 1
    memory = libc.shmget(key, 4096, 0o1000 | 0o600)
    peer = service_spec(hostile, "tests.docker.probe_plugin.probe_model:Copy")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as abstract,
        start_container(peer, START, folder / "peer.log") as other,
    ):
        abstract.bind("\0" + token)
        abstract.listen()
        os.environ[API_KEY] = f"probe-api-key-{token}"
        yield {
            "token": token,
            "port": listener.getsockname()[1],
            "engine": str(engine.socket),
            "paths": [str(secret), str(ROOT / "harness"), str(other.socket)],
            "pid": os.getpid(),
            "shm_key": key,
            "fill_mib": 40,
            "forks": 2 * LIMITS.pids,
        }
        del os.environ[API_KEY]
    libc.shmctl(memory, 0, None)


def probe(hostile: ContainerSpec, facts: dict[str, Any], log: Path, names: str = "") -> dict[str, str]:
    """Return the findings of probes (all for "") in a container that the runtime started."""
    variables = {"PROBE_FACTS": json.dumps(facts), "PROBE_NAMES": names}
    spec = service_spec(hostile, "tests.docker.probe_plugin.probe_model:Escapes", **variables)
    with start_container(spec, START, log) as service:
        client = WorldModelClient(service.socket, Deadlines(describe_s=20.0, imagine_s=60.0))
        (rollout,) = client.imagine_batch([REQUEST])
        client.close()
        assert not rollout.error, rollout.error
        return findings(service.log_tail)


def findings(tail: Any) -> dict[str, str]:
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        for line in tail(200).splitlines():
            if line.startswith("FINDINGS "):
                found: dict[str, str] = json.loads(line.removeprefix("FINDINGS "))
                return found
        time.sleep(0.05)
    raise AssertionError("the probes said nothing")


@pytest.fixture(scope="module")
def inside(hostile: ContainerSpec, facts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the probes find inside the sandbox."""
    return probe(hostile, facts, tmp_path_factory.mktemp("inside") / "service.log")


@pytest.fixture(scope="module")
def on_the_host(facts: dict[str, Any]) -> dict[str, str]:
    """What they find as a process of the host."""
    names = (*REACHED_ON_THE_HOST, *REACHED_BY_ROOT_ON_THE_HOST, *REACHED_WHERE_THE_KERNEL_HAS_IT)
    command = [sys.executable, "-m", "tests.docker.probe_plugin.escapes", json.dumps(facts), *names]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(said))


def without_policy(engine: Engine, hostile: ContainerSpec, facts: dict[str, Any], *names: str, **options: Any) -> Any:
    """Return what they find in a container that has no network, and nothing else of the policy."""
    command = ["python3", "-m", "tests.docker.probe_plugin.escapes", json.dumps(facts), *names]
    container = engine.client.containers.create(
        hostile.image_id,
        entrypoint=command,
        network_mode="none",
        labels=owner_labels("", "control"),
        healthcheck={"test": ["NONE"]},
        **options,
    )
    try:
        container.start()
        container.wait(timeout=60)
        return json.loads(container.logs(stderr=False))
    finally:
        container.remove(force=True)


@pytest.fixture(scope="module")
def unconfined(engine: Engine, hostile: ContainerSpec, facts: dict[str, Any]) -> dict[str, str]:
    """What they find as root in a container with capabilities, and without limits or a filter of system calls."""
    options = {"user": "0:0", "cap_add": CAPABILITIES, "security_opt": ["seccomp=unconfined", "apparmor=unconfined"]}
    found: dict[str, str] = without_policy(
        engine, hostile, facts, *REACHED_WITHOUT_POLICY, shm_size=64 * MIB, **options
    )
    return found


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_denied_inside_the_sandbox(inside: dict[str, str], name: str) -> None:
    assert inside[name].startswith("denied: "), inside[name]


@pytest.mark.parametrize("name", REACHED_ON_THE_HOST)
def test_control_the_probe_reaches_its_aim_on_the_host(on_the_host: dict[str, str], name: str) -> None:
    assert on_the_host[name].startswith("allowed: "), on_the_host[name]


@pytest.mark.parametrize("name", REACHED_WHERE_THE_KERNEL_HAS_IT)
def test_control_the_probe_reaches_what_the_kernel_has(on_the_host: dict[str, str], name: str) -> None:
    if on_the_host[name] in ("denied: EAFNOSUPPORT", "denied: killed"):
        pytest.skip(f"this kernel has no such thing ({on_the_host[name]})")
    assert on_the_host[name].startswith("allowed: "), on_the_host[name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reaches these even on the host")
@pytest.mark.parametrize("name", REACHED_BY_ROOT_ON_THE_HOST)
def test_control_the_probe_reaches_its_aim_as_root_on_the_host(on_the_host: dict[str, str], name: str) -> None:
    assert on_the_host[name].startswith("allowed: "), on_the_host[name]


@pytest.mark.parametrize("name", REACHED_WITHOUT_POLICY)
def test_control_the_probe_reaches_its_aim_without_the_policy(unconfined: dict[str, str], name: str) -> None:
    assert unconfined[name].startswith("allowed: "), unconfined[name]


def test_what_stops_a_probe_is_what_the_policy_says(inside: dict[str, str]) -> None:
    for name in ("tcp_out", "udp_out"):
        assert "ENETUNREACH" in inside[name]
    assert "ENOSPC" in inside["fill_tmpfs"] and "EFBIG" in inside["huge_file"] and "EAGAIN" in inside["fork_bomb"]
    assert inside["vsock"] == "denied: EPERM"


def test_control_a_set_user_id_program_works_without_no_new_privileges(
    engine: Engine, hostile: ContainerSpec, facts: dict[str, Any]
) -> None:
    found = without_policy(engine, hostile, facts, "set_user_id_program", user="65532:65532")
    assert found == {"set_user_id_program": "allowed: root"}


def test_nothing_lasts_from_one_container_to_the_next(
    hostile: ContainerSpec, facts: dict[str, Any], inside: dict[str, str], tmp_path: Path
) -> None:
    """The container of ``inside`` has left a mark wherever it could."""
    assert inside["persistence"] == "denied: nothing is left"
    assert probe(hostile, facts, tmp_path / "again.log", "persistence") == {"persistence": "denied: nothing is left"}


def test_control_a_mark_lasts_within_one_container(
    hostile: ContainerSpec, facts: dict[str, Any], tmp_path: Path
) -> None:
    names = "persistence persistence"
    assert probe(hostile, facts, tmp_path / "twice.log", names)["persistence"].startswith("allowed: ")
