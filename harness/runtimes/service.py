"""What every running service offers, whatever runs it, and how one is started: as a process or in a container."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

from harness.contracts.errors import DeadlineExceeded, ServiceError
from harness.runtimes.exits import unheard
from harness.runtimes.specs import ServiceLimits, ServiceSpec


class Service(Protocol):
    """A started service: the socket that clients connect to, and its end.

    A context manager that stops it. ``death`` returns the error that explains why it ended by itself, or None.
    ``write_stack`` makes it write the Python stack of each of its threads to its log, and says whether it did.
    """

    @property
    def name(self) -> str: ...

    @property
    def socket(self) -> Path: ...

    def alive(self) -> bool: ...

    def log_tail(self, lines: int = 20) -> str: ...

    def death(self, wait_s: float = 0.5) -> ServiceError | None: ...

    def write_stack(self) -> bool: ...

    def stop(self) -> None: ...

    def __enter__(self) -> Service: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def with_stack(late: DeadlineExceeded, service: Service) -> DeadlineExceeded:
    """Return the error of a call that ``service`` did not answer in time, after it has written where it is.

    Before anybody stops it: a service that hangs says nothing of itself.
    """
    from harness.wire.errors import SEE_LOG

    if not service.write_stack():
        return late
    step = f"Its log has the stack of each of its threads at that time.{late.next_step.removeprefix(SEE_LOG)}"
    return type(late)(late.what, step)


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
