"""Starts a service, as a process or in a container: the spec says which."""

from __future__ import annotations

from pathlib import Path

from harness.runtimes.service import Service
from harness.runtimes.specs import ServiceLimits, ServiceSpec


def start_service(spec: ServiceSpec, limits: ServiceLimits, log_path: Path) -> Service:
    """Start ``spec`` and return it when it is ready; with a ``container`` in Docker, otherwise as a process.

    The Docker SDK is imported only for a container.
    """
    if spec.container is None:
        from harness.runtimes.process import start_process

        return start_process(spec, limits, log_path)
    from harness.runtimes.docker_service import start_container

    return start_container(spec, limits, log_path)
