"""Starts a service, as a process or in a container: the spec says which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.runtimes.exits import unheard
from harness.runtimes.service import Service
from harness.runtimes.specs import ServiceLimits, ServiceSpec


def start_service(
    spec: ServiceSpec, limits: ServiceLimits, log_path: Path, told: Callable[[str], None] = unheard
) -> Service:
    """Start ``spec`` and return it when it is ready; with a ``container`` in Docker, otherwise as a process.

    ``told`` gets what the service says of a long start. The Docker SDK is imported only for a container.
    """
    if spec.container is None:
        from harness.runtimes.process import start_process

        return start_process(spec, limits, log_path, told)
    from harness.runtimes.docker_service import start_container

    return start_container(spec, limits, log_path, told)
