"""What a check found: a state, the value that was measured, its limit, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from harness.contracts.errors import WiwError

PASSED, FAILED, SKIPPED, REPORTED = "passed", "failed", "skipped", "reported"
"""``reported`` is a measurement without a limit; ``skipped`` says why nothing could be measured."""


@dataclass(frozen=True)
class Outcome:
    """What one check found. ``measured`` and ``limit`` are texts for people; ``note`` explains, ``next_step`` helps."""

    state: str
    measured: str = ""
    limit: str = ""
    note: str = ""
    next_step: str = ""
    error: str = ""
    """The error that ended the check, "" where it came to a verdict."""


@dataclass(frozen=True)
class CheckResult:
    """One line of the report: a check's name, its outcome, and how long it took."""

    name: str
    outcome: Outcome
    seconds: float


@dataclass(frozen=True)
class Report:
    """All results of one model. ``source`` is what was checked: a folder or an image. ``log`` is its service's output.

    ``stopped`` says why not every check was run, "" where all were.
    """

    model: str
    source: str
    manifest_hash: str
    results: tuple[CheckResult, ...]
    log: Path
    stopped: str = ""

    @property
    def conforms(self) -> bool:
        """Say whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(result.name for result in self.results if result.outcome.state == FAILED)


class Fault(WiwError):
    """The plugin did what it must not do: ends a check as failed."""


def verdict(fine: bool, measured: str, limit: str, note: str = "", next_step: str = "") -> Outcome:
    """Return a passed or failed outcome; note and next step belong to failures."""
    if fine:
        return Outcome(PASSED, measured, limit)
    return Outcome(FAILED, measured, limit, note, next_step)


def worst(values: Sequence[float]) -> float:
    """Return the largest value, 0 for none."""
    return max(values, default=0.0)
