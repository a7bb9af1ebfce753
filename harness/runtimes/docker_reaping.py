"""Removal of containers, networks and volumes whose owner is dead.

A keeper process removes a container at once when its harness dies; this is the last line, for when both were killed.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.contracts.errors import ServiceError
from harness.runtimes import docker_keeper, ownership
from harness.runtimes.docker_engine import Engine
from harness.runtimes.docker_labels import OWNER, SCOPE, owner_lives, scope
from harness.runtimes.sockets import PREFIX, reap_stale

SOCKET_ROOT = Path("/dev/shm")
"""Where the socket folders of containers are made: a tmpfs, whose pages count as memory of the container that writes
them. What a stranger's code puts there is bounded by its own memory limit and never reaches the disk."""


def reap_stale_containers(engine: Engine) -> list[str]:
    """Remove containers, networks and volumes of dead owners in our scope, and their socket folders.

    Returns the names of what was removed. Several harnesses may do so at once; what another one has removed is fine.
    """
    removed = []
    api, errors = engine.client.api, engine.errors
    for container in api.containers(all=True, filters={"label": OWNER}):
        if _is_abandoned(container):
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


def _is_abandoned(container: dict[str, Any]) -> bool:
    """Say whether nobody owns a container: its socket folder, which has its name, is locked by its owner.

    Where no lock is to be seen (what was made to read an image, another /dev/shm, another version) the label decides,
    and only in the process namespace that it was written in.
    """
    names = [str(name).strip("/") for name in container.get("Names") or [] if str(name).strip("/").startswith(PREFIX)]
    held = ownership.is_held(SOCKET_ROOT / names[0]) if names else None
    return _stale(container.get("Labels")) if held is None else not held


def _stale(labels: dict[str, str] | None) -> bool:
    found = labels or {}
    return found.get(SCOPE) == scope() and not owner_lives(found.get(OWNER, ""))


def _unless_gone(errors: Any, remove: Any, name: str) -> None:
    with suppress(errors.NotFound):
        remove(name)
