"""The sandbox: what every container may and may not do, as the arguments that it is created with.

One policy for all. An image that a stranger submitted runs under the same rules as our own, so that no list of
trusted images can be wrong; the two differ only in their mounts, of which a plugin has none but the socket folder.
Each line below has its reason beside it. `docs/security.md` has a test for each row.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from typing import Any

from harness.contracts.errors import Refusal
from harness.runtimes import seccomp
from harness.runtimes.service import ENVIRONMENT, GIB, ContainerLimits, ContainerSpec

SOCKET_TARGET = "/run/wiw"
"""Where a container sees its socket folder."""

NOBODY = 65532
"""The user and group of an environment that writes to a folder of the host, which is then its own."""

FIRST_USER = 0x7000_0000
USERS = 2**24
"""Where the harness is root, every other container gets a user and group of its own from these, which no system hands
out: the kernel counts watches, pipes, message queues and pending signals by user, so that two containers of one user
could use up each other's."""

READ_ONLY_PATHS = ("/proc",)
"""Its files would let a container lower its `OOM_SCORE` again. The SDK has no word for it."""

OPEN_FILES = 4096
OOM_SCORE = 500
MIN_MEMORY = 64 * 1024**2
MIN_SHARED_MEMORY = 1024**2

_VARIABLES = {
    "HOME": "/tmp",  # caches of libraries go where writing is possible
    "TMPDIR": "/tmp",
    "USER": "wiw",  # the user id has no entry in the image's /etc/passwd, and some libraries ask for the name
    "LOGNAME": "wiw",
    "PYTHONUNBUFFERED": "1",  # what was said before a crash reaches the log
    "PYTHONFAULTHANDLER": "1",  # a native crash leaves the Python stack in the log
    "PYTHONDONTWRITEBYTECODE": "1",  # the root is read-only
}


def container_user(spec: ContainerSpec, taken: Collection[int] = ()) -> tuple[int, int]:
    """Return the user and group id that a container runs as; ``taken`` are the ids of the others.

    The harness must be able to remove whatever a container leaves in the socket folder. Root can remove anything, so
    each container gets an id of its own, but for those that write to one folder of the host; any other user can
    remove only what is its own.
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if any(mount.writable for mount in spec.mounts):
        return NOBODY, NOBODY
    while (user := FIRST_USER + secrets.randbelow(USERS)) in taken:
        pass
    return user, user


def creation_arguments(
    spec: ContainerSpec, kind: str, user: tuple[int, int], variables: dict[str, str]
) -> dict[str, Any]:
    """Return the arguments of the SDK's ``create_container`` for a service of ``kind``, without those of its host.

    ``user`` are user and group id; ``variables`` are added to the environment.
    """
    return {
        "image": spec.image_id,  # an id, never a tag that may move
        "user": f"{user[0]}:{user[1]}",  # never root, whatever the image says
        "environment": {**_VARIABLES, **gpu_variables(spec.gpu_uuid, kind), **variables},
        "hostname": "wiw",  # nothing about the host
        "healthcheck": {"test": ["NONE"]},  # the harness asks itself; the image's own check would run code beside it
        "stdin_open": False,
    }


def host_arguments(spec: ContainerSpec, kind: str, socket_folder: str, cores: int) -> dict[str, Any]:
    """Return the arguments of the SDK's ``create_host_config``: what the container may do on its host.

    ``socket_folder`` is the host folder mounted at `SOCKET_TARGET`; ``cores`` is the number of the engine's CPUs, above
    which it refuses a limit. Pure: the engine is not asked.
    """
    check_limits(spec.limits)
    return {
        **_confinement(),
        **_allowance(spec.limits, cores),
        "mounts": _mounts(spec, socket_folder),
        "device_requests": _device_requests(spec.gpu_uuid, kind),
    }


def check_limits(limits: ContainerLimits) -> None:
    """Raise Refusal for limits under which nothing runs, with the field's name; the engine's own words are obscure."""
    least = {
        "memory_bytes": MIN_MEMORY,
        "cpus": 0.01,
        "pids": 8,
        "tmpfs_bytes": 1,
        "shm_bytes": MIN_SHARED_MEMORY,
        "file_bytes": 1,
    }
    for name, floor in least.items():
        value = getattr(limits, name)
        if value < floor:
            raise Refusal(f"the container limit {name} is {value}.", f"Use at least {floor}.")


def describe_limits(limits: ContainerLimits) -> str:
    """Return the limits in words, for messages."""
    return (
        f"memory {limits.memory_bytes / GIB:.3g} GiB, {limits.cpus:g} CPUs, {limits.pids} processes and threads, "
        f"/tmp {limits.tmpfs_bytes / GIB:.3g} GiB, /dev/shm {limits.shm_bytes / GIB:.3g} GiB, "
        f"files up to {limits.file_bytes / GIB:.3g} GiB"
    )


def _confinement() -> dict[str, Any]:
    return {
        "network_mode": "none",  # no network of any kind: the socket folder is the only way in or out
        "read_only": True,  # the image cannot be changed, and nothing can be left on the host's disk
        "cap_drop": ["ALL"],  # no capability, though the user is not root already
        # A set-user-id program gives nothing; and only harmless system calls, the same on every engine.
        "security_opt": ["no-new-privileges:true", seccomp.security_option()],
        "privileged": False,
        "ipc_mode": "private",  # no shared memory or semaphores of others
        "pid_mode": None,  # its own processes alone
        "devices": [],  # none but its GPU, by device request
        "init": True,  # reaps what the service leaves, and passes SIGTERM on
        # The harness reads the output as it comes and keeps a limited part: the engine stores nothing on disk.
        "log_config": {"type": "none"},
        "oom_score_adj": OOM_SCORE,  # when the host runs out of memory, a container goes before the harness
        "restart_policy": {"Name": "no"},  # the harness decides; a container that comes back would be nobody's
    }


def _allowance(limits: ContainerLimits, cores: int) -> dict[str, Any]:
    return {
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,  # the same number: no swap beside it
        "nano_cpus": int(min(limits.cpus, cores) * 1e9),
        "pids_limit": limits.pids,  # a fork bomb ends here
        "shm_size": limits.shm_bytes,
        # Files here may be executed: torch and Triton load what they compile, and code that already runs as it likes
        # in this container gains nothing by it. They count as memory of the container.
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,exec,size={limits.tmpfs_bytes},mode=1777"},
        "ulimits": [
            {"name": "fsize", "soft": limits.file_bytes, "hard": limits.file_bytes},  # no huge file anywhere
            {"name": "nofile", "soft": OPEN_FILES, "hard": OPEN_FILES},
            {"name": "core", "soft": 0, "hard": 0},  # a crash writes no core file
        ],
    }


def _mounts(spec: ContainerSpec, socket_folder: str) -> list[dict[str, Any]]:
    """Return the socket folder, and after it the folders that an environment needs."""
    mounts = [{"Type": "bind", "Source": socket_folder, "Target": SOCKET_TARGET, "ReadOnly": False}]
    for mount in spec.mounts:
        entry = {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": not mount.writable}
        mounts.append(entry)
    return mounts


def gpu_variables(gpu_uuid: str, kind: str) -> dict[str, str]:
    """Return the variables that NVIDIA's runtime obeys: this GPU, or none at all.

    Where that runtime is the engine's default, an image that says ``NVIDIA_VISIBLE_DEVICES=all`` would otherwise get
    every GPU of the machine without having been given one.
    """
    return {
        "NVIDIA_VISIBLE_DEVICES": gpu_uuid or "void",
        "NVIDIA_DRIVER_CAPABILITIES": ",".join(_driver_capabilities(kind)),
    }


def _device_requests(gpu_uuid: str, kind: str) -> list[dict[str, Any]]:
    if not gpu_uuid:
        return []
    return [{"device_ids": [gpu_uuid], "capabilities": [["gpu", *_driver_capabilities(kind)]]}]


def _driver_capabilities(kind: str) -> list[str]:
    """Return the parts of the driver that a service needs: a simulator draws, so it needs EGL as well."""
    return ["compute", "utility", "graphics"] if kind == ENVIRONMENT else ["compute", "utility"]
