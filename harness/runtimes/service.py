"""What every running service offers, whatever runs it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol

from harness.contracts.errors import ServiceError


class Service(Protocol):
    """A started service: the socket that clients connect to, and its end.

    A context manager that stops it. ``death`` returns the error that explains why it ended by itself, or None.
    """

    @property
    def name(self) -> str: ...

    @property
    def socket(self) -> Path: ...

    def alive(self) -> bool: ...

    def log_tail(self, lines: int = 20) -> str: ...

    def death(self, wait_s: float = 0.5) -> ServiceError | None: ...

    def stop(self) -> None: ...

    def __enter__(self) -> Service: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
