"""How much memory a service holds: its whole process group, or its container."""

from __future__ import annotations

import os
from pathlib import Path

from harness.contracts.errors import ServiceError
from harness.runtimes.service import Service

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_GROUP, _RESIDENT = 2, 21
"""Fields of /proc/PID/stat after the command's closing bracket: process group, resident pages."""


def memory_bytes(service: Service) -> int:
    """Return the resident bytes of a service and of everything it started."""
    container = getattr(service, "container_name", "")
    if container:
        return _container_bytes(str(container))
    pid = getattr(service, "pid", 0)
    if not pid:
        raise ServiceError(f"service {service.name!r} has neither a process nor a container to measure.")
    return _group_bytes(int(pid))


def _group_bytes(group: int) -> int:
    """Return the resident bytes of all processes of a group; shared pages count in each of them."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[_GROUP]) == group:
            total += int(fields[_RESIDENT]) * PAGE_BYTES
    return total


def _container_bytes(name: str) -> int:
    """Return the anonymous memory of a container: what it read from files can be given back at any time."""
    from harness.runtimes.docker_engine import connect

    engine = connect()
    try:
        stats = engine.client.api.stats(name, stream=False, one_shot=True)["memory_stats"].get("stats", {})
    finally:
        engine.client.close()
    anonymous = stats.get("rss", stats.get("anon"))
    if anonymous is None:
        raise ServiceError(f"the engine says nothing of the memory of container {name}.")
    return int(anonymous)
