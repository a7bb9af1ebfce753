"""Memory and processor time of a running service, of all processes that it started."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from harness.contracts.errors import ServiceError
from harness.runtimes.service import Service

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_GROUP, _USER, _SYSTEM, _RESIDENT = 2, 11, 12, 21
"""Fields of /proc/PID/stat after the command's closing bracket: process group, ticks in user mode and in the kernel,
resident pages."""

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def memory_bytes(service: Service) -> int:
    """Return the resident bytes of a service and of everything it started; of a container those that are anonymous."""
    container = getattr(service, "container_name", "")
    if container:
        return _container_bytes(str(container))
    # shared pages count in each of the processes
    return sum(int(fields[_RESIDENT]) * PAGE_BYTES for _, fields in _group(service))


def peak_bytes(service: Service) -> int:
    """Return the most resident bytes that each living process of a service had, in all; ServiceError in a container."""
    total = 0
    for pid, _ in _group(service):
        try:
            found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
        except OSError:
            continue  # it ended meanwhile
        total += int(found.group(1)) * 1024 if found else 0
    return total


def cpu_seconds(service: Service) -> float:
    """Return the processor seconds that the living processes of a service have used; ServiceError in a container."""
    return sum(int(fields[_USER]) + int(fields[_SYSTEM]) for _, fields in _group(service)) / TICKS_PER_S


def _group(service: Service) -> Iterator[tuple[int, list[str]]]:
    """Yield id and fields of each process of a service's group."""
    group = getattr(service, "pid", 0)
    if not group:
        raise ServiceError(f"service {service.name!r} has no process here to measure.")
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[_GROUP]) == group:
            yield int(stat.parent.name), fields


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
