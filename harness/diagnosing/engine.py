"""The Docker engine: reachable, with a sane storage driver, limits that hold, and the NVIDIA runtime."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal
from harness.diagnosing.findings import OK, SKIPPED, WARNING, Finding
from harness.runtimes.docker_engine import Engine as Engine
from harness.runtimes.docker_engine import check_reachable, connect, local_socket
from harness.runtimes.images.declared import declared_images
from harness.runtimes.images.lock import LOCK_FILE, NEVER_BUILT, OUTDATED, ImageState, image_state, read_lock

GOOD_DRIVERS = ("overlay2", "overlayfs", "btrfs", "zfs", "stargz")
"""Storage drivers that share layers between containers; ``overlayfs`` is containerd's name of overlay2."""

MIN_DISK_GB = 20.0
"""Room for the image of one simulator with its build."""

PING_S = 5.0
"""An engine that hangs takes calls; every later one would wait for the client's own long timeout."""

PROBE_MEMORY = 64 * 1024**2
MEMORY_FILES = {"1": "/sys/fs/cgroup/memory/memory.limit_in_bytes", "2": "/sys/fs/cgroup/memory.max"}
"""Where a container reads its own memory limit, by version of cgroups."""

OWN_IMAGES = "wiw-bench/"
NVIDIA_STEPS = (
    "sudo apt install nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker && "
    "sudo systemctl restart docker"
)


def reach_engine() -> tuple[list[Engine], list[Finding]]:
    """Return the engine (or none) and what is found of it; without one only ``--runtime docker`` is lost."""
    name, lost = "docker engine", "--runtime docker cannot run"
    try:
        path = local_socket(os.environ.get("DOCKER_HOST", ""))
        check_reachable(path)
        if not _answers(path):
            step = "sudo systemctl restart docker (containers of other programs stop with it)"
            return [], [Finding(name, WARNING, f"{path} takes calls and says nothing for {PING_S:g} s", lost, step)]
        engine = connect()
    except Refusal as error:
        return [], [Finding(name, WARNING, error.what, lost, error.next_step)]
    return [engine], [Finding(name, OK, f"version {engine.version} at {engine.socket}, {engine.architecture}")]


def examine_engine(engine: Engine, gpus: int) -> Iterator[Finding]:
    """Yield the findings of a reachable engine on a machine with ``gpus`` GPUs."""
    info = engine.client.info()
    yield check_storage(info)
    yield check_docker_disk(Path(str(info.get("DockerRootDir") or "/var/lib/docker")))
    yield check_limits_offered(info)
    yield check_limits_hold(engine, str(info.get("CgroupVersion", "1")))
    yield check_nvidia_runtime(info, gpus)


def check_storage(info: Mapping[str, Any]) -> Finding:
    """The storage driver must share layers: vfs copies the whole image for every container."""
    driver = str(info.get("Driver", ""))
    if driver in GOOD_DRIVERS:
        return Finding("storage driver", OK, driver)
    step = 'Put {"storage-driver": "overlay2"} into /etc/docker/daemon.json, then: sudo systemctl restart docker'
    meaning = "every container copies its image: slow starts and a full disk"
    return Finding("storage driver", WARNING, driver or "unknown", meaning, step)


def check_docker_disk(folder: Path) -> Finding:
    """The folder of images must have room for a simulator's image."""
    if not folder.exists():
        return Finding("docker disk", SKIPPED, f"{folder} is not visible here")
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{folder}: {free:.0f} GB free"
    if free < MIN_DISK_GB:
        step = f"Free {MIN_DISK_GB:g} GB there, e.g. docker image prune, or move data-root in /etc/docker/daemon.json."
        return Finding("docker disk", WARNING, found, "the image of a simulator does not fit", step)
    return Finding("docker disk", OK, found)


def check_limits_offered(info: Mapping[str, Any]) -> Finding:
    """The kernel must offer the limits that the sandbox of plugins relies on."""
    wanted = {"MemoryLimit": "memory", "PidsLimit": "processes", "CpuCfsQuota": "CPU"}
    missing = [word for key, word in wanted.items() if not info.get(key)]
    version = info.get("CgroupVersion", "1")
    if missing:
        step = "Boot the kernel with cgroup_enable=memory, or with systemd.unified_cgroup_hierarchy=1 (cgroup 2)."
        found = f"cgroup {version} without limits of {', '.join(missing)}"
        return Finding("container limits", WARNING, found, "a plugin could use up the machine", step)
    return Finding("container limits", OK, f"cgroup {version}: memory, processes, CPU")


def check_limits_hold(engine: Engine, cgroup: str) -> Finding:
    """A container with a memory limit must see that limit: some engines take the option and do nothing."""
    name = "limits hold"
    image = _own_image(engine)
    if image is None:
        step = "python benchmark.py images build embedded"
        return Finding(name, SKIPPED, "no image of the project is here to try it with", "", step)
    file = MEMORY_FILES["2" if cgroup == "2" else "1"]
    try:
        output = engine.client.containers.run(
            image,
            command=[file],
            entrypoint=["cat"],
            remove=True,
            network_mode="none",
            read_only=True,
            mem_limit=PROBE_MEMORY,
            labels=_labels(),
        )
    except engine.errors.DockerException as error:
        step = "Look at: sudo journalctl -u docker -n 50"
        return Finding(name, WARNING, f"a container of {image} did not run: {error}", "no container runs here", step)
    limit = output.decode(errors="replace").strip()
    if limit == str(PROBE_MEMORY):
        return Finding(name, OK, f"a container limited to {PROBE_MEMORY >> 20} MiB sees that limit")
    step = (
        "Boot with systemd.unified_cgroup_hierarchy=1, and run dockerd with its own cgroups (not nested without them)."
    )
    found = f"asked for {PROBE_MEMORY} bytes, the container sees {limit or 'nothing'}"
    return Finding(name, WARNING, found, "a plugin could use up the machine's memory", step)


def check_nvidia_runtime(info: Mapping[str, Any], gpus: int) -> Finding:
    """With a GPU in the machine, the engine must be able to hand it to a container."""
    name = "nvidia runtime"
    if "nvidia" in (info.get("Runtimes") or {}):
        return Finding(name, OK, "registered")
    if not gpus:
        return Finding(name, SKIPPED, "no NVIDIA GPU")
    return Finding(name, WARNING, f"not registered, {gpus} GPU(s) here", "containers get no GPU", NVIDIA_STEPS)


def check_images(engine: Engine, lock_file: Path = Path(LOCK_FILE)) -> Iterator[Finding]:
    """Yield whether each declared image is here, built from this checkout, and the one that ``lock_file`` names."""
    lock = read_lock(lock_file) if lock_file.exists() else {}
    for image in declared_images():
        yield _image_finding(image_state(engine, image, lock), image.title, lock_file)


def _image_finding(image: ImageState, title: str, lock_file: Path) -> Finding:
    name = f"image: {image.name}"
    build = f"python benchmark.py images build {image.name}"
    lock = "python benchmark.py images lock"
    found = f"{image.reference} is {image.id[:19]}"
    if not image.id:
        state = SKIPPED if image.state == NEVER_BUILT else WARNING
        return Finding(name, state, f"no {image.reference}", f"without it: {title} in Docker; {image.note}", build)
    if image.state == OUTDATED:
        return Finding(name, WARNING, found, "it was built from other sources than this checkout's", build)
    if image.locked == "differs":
        meaning = f"it is not the image that {lock_file.name} names: results may differ from those of the lock"
        return Finding(name, WARNING, found, meaning, f"{build}; if the new one is meant: {lock}")
    if image.locked == "no":
        return Finding(name, WARNING, f"{found}, not in {lock_file}", "nothing says what it consists of", lock)
    return Finding(name, OK, f"{found}, as locked")


def _answers(path: Path) -> bool:
    """Say whether the engine answers anything at all to a ping."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PING_S)
        try:
            connection.connect(str(path))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return bool(connection.recv(1))
        except OSError:
            return False


def _own_image(engine: Engine) -> str | None:
    tags = sorted(tag for image in engine.client.images.list() for tag in image.tags if tag.startswith(OWN_IMAGES))
    return tags[0] if tags else None


def _labels() -> dict[str, str]:
    from harness.runtimes.docker_engine import owner_labels

    return owner_labels("", "doctor")
