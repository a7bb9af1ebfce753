"""How far a run is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Optional, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.results import ERROR, FAILED, OK, PLANNED, TIMEOUT, EpisodeResult
from harness.records.damage import Damage
from harness.running.throughput_estimate import Preparing

COMPLETE_CODE = 0
BROKEN_CODE = 1
USAGE_CODE = 2
PARTIAL_CODE = 3


@dataclass(frozen=True)
class Progress:
    """One moment of a run: ``counts`` by state over the whole plan, and the speed since this start or resume.

    ``phase`` is one of `harness.running.throughput_estimate`, or says which service starts and what that does; then
    ``phase_s`` are the seconds since it began to, else None. ``preparing`` says how far homes are prepared, None where
    they are not. Speed and ``eta_s`` are None until the pace is known. ``last`` is the episode committed just now, None
    where another event is told.
    """

    counts: Mapping[str, int]
    total: int
    elapsed_s: float
    phase: str
    episodes_per_minute: Optional[float]
    eta_s: Optional[float]
    last: Optional[EpisodeResult]
    phase_s: Optional[float] = None
    preparing: Optional[Preparing] = None

    @property
    def done(self) -> int:
        """Return how many episodes have a committed row."""
        return self.total - self.counts[PLANNED]


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: counts by state, the trajectory root, whether it was interrupted, and what somebody else changed
    in its folder while it was played.

    ``stopped`` says why a run stopped itself, "" where it did not.
    """

    path: Path
    counts: Mapping[str, int]
    trajectory_root: str
    interrupted: bool
    elapsed_s: float
    damage: Tuple[Damage, ...] = ()
    stopped: str = ""

    @property
    def exit_code(self) -> int:
        """Return the exit code of a command that ends with this outcome."""
        return BROKEN_CODE if self.damage else exit_code(self.counts)


def exit_code(counts: Mapping[str, int]) -> int:
    """Return 0 when every episode was played (solved or not), 3 when any is planned, in error or timed out."""
    if set(counts) - {PLANNED, OK, FAILED, ERROR, TIMEOUT}:
        raise ValueError(f"unknown states in {dict(counts)}")
    return PARTIAL_CODE if any(counts.get(state, 0) for state in (PLANNED, ERROR, TIMEOUT)) else COMPLETE_CODE


def exit_code_of(error: Exception) -> int:
    """Return 2 for what the user can fix by asking otherwise, 1 for everything else."""
    return USAGE_CODE if isinstance(error, Refusal) else BROKEN_CODE
