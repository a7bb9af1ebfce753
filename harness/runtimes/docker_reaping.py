"""Labels that say whose a container is, and the removal of those whose owner is dead.

Everything that the harness makes in an engine carries its labels. The owner is a process: its id, its start time and
the machine's boot id, because ids are used again. A keeper process removes a container at once when its harness dies;
this is the last line, for when both were killed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.contracts.errors import ServiceError
from harness.runtimes import docker_keeper
from harness.runtimes.docker_engine import Engine
from harness.runtimes.sockets import process_start_time, reap_stale

OWNER = "wiw.owner"
RUN = "wiw.run"
SERVICE = "wiw.service"
SCOPE = "wiw.scope"

SOCKET_ROOT = Path("/dev/shm")
"""Where the socket folders of containers are made: a tmpfs, whose pages count as memory of the container that writes
them. What a stranger's code puts there is bounded by its own memory limit and never reaches the disk."""


def owner_labels(run: str, service: str) -> dict[str, str]:
    """Return the labels of something made now by this process; ``run`` says for which run, ``service`` for what."""
    pid = os.getpid()
    owner = f"{pid}-{process_start_time(pid)}-{_boot_id()}"
    return {OWNER: owner, RUN: run, SERVICE: service, SCOPE: scope()}


@lru_cache(maxsize=1)
def scope() -> str:
    """Return who can judge whether a process of ours lives: this user, in this process namespace.

    Process ids of another namespace mean nothing here, and another user's may be hidden: what carries another scope
    is left alone.
    """
    return f"{os.geteuid()}-{Path('/proc/self/ns/pid').stat().st_ino}"


def owner_lives(owner: str) -> bool:
    """Say whether the process of an owner label lives; a label that cannot be read counts as living."""
    pid, _, rest = owner.partition("-")
    start, _, boot = rest.partition("-")
    if not (pid.isdigit() and start.isdigit() and boot):
        return True
    return boot == _boot_id() and process_start_time(int(pid)) == int(start)


def reap_stale_containers(engine: Engine) -> list[str]:
    """Remove containers, networks and volumes of dead owners in our scope, and their socket folders.

    Returns the names of what was removed. Several harnesses may do so at once; what another one has removed is fine.
    """
    removed = []
    api, errors = engine.client.api, engine.errors
    for container in api.containers(all=True, filters={"label": OWNER}):
        if _stale(container.get("Labels")):
            name = str(container["Id"])
            if not docker_keeper.remove_container(str(engine.socket), name):
                raise ServiceError(
                    f"the engine does not remove the stale container {name[:12]}.", f"Try: docker rm -f -v {name[:12]}"
                )
            removed.append(name)
    for network in api.networks(filters={"label": OWNER}):
        if _stale(network.get("Labels")):
            _unless_gone(errors, api.remove_network, network["Id"])
            removed.append(network["Id"])
    for volume in api.volumes(filters={"label": OWNER}).get("Volumes") or []:
        if _stale(volume.get("Labels")):
            _unless_gone(errors, api.remove_volume, volume["Name"])
            removed.append(volume["Name"])
    reap_stale(SOCKET_ROOT)
    return removed


def _stale(labels: dict[str, str] | None) -> bool:
    found = labels or {}
    return found.get(SCOPE) == scope() and not owner_lives(found.get(OWNER, ""))


def _unless_gone(errors: Any, remove: Any, name: str) -> None:
    with suppress(errors.NotFound):
        remove(name)


@lru_cache(maxsize=1)
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
