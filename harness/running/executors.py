"""Where workers run, as the scheduler knows it: it starts, hears and ends them through this alone.

`harness.running.local_processes` has them as processes of this machine, `harness.running.ray_workers` as processes of
the nodes of a Ray cluster. The scheduler, the queue and what is kept of the work are the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Protocol, Sequence, Tuple

from harness.running.messages import Message, Play


class Worker(Protocol):
    """One worker: it does one order at a time and answers each."""

    @property
    def number(self) -> int:
        """The worker's place among the workers, which its successor has as well."""

    @property
    def log(self) -> Path:
        """Where the worker's output is."""

    def send(self, order: Play) -> None:
        """Give an order; a worker that died meanwhile shows itself in `Executor.wait`."""

    def finish(self) -> None:
        """Say that there is no more to do; the worker closes what it holds and exits."""

    def terminate(self) -> None:
        """Ask the worker to stop in the middle of what it does and to close what it holds."""

    def exits_within(self, seconds: float) -> bool:
        """Wait for the worker to exit, at most ``seconds``; say whether it has."""

    def log_tail(self) -> str:
        """Return the last lines of the worker's log."""


class Executor(Protocol):
    """Starts workers and hears them. No worker may outlive the process that made the executor."""

    def start(self, number: int) -> Worker:
        """Start the worker of this number; it says `Ready` when it is."""

    def wait(self, seconds: float) -> Sequence[Tuple[Worker, Optional[List[Message]]]]:
        """Return what workers said, after at most ``seconds``; None for one that is dead or talks nonsense."""

    def drop(self, worker: Worker) -> str:
        """Kill a worker with all that it started and remove what it left; return how it ended, in words."""
