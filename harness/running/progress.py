"""How a run is going, how fast it is, how it ended, and what exit code that is."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Deque, Dict, Mapping, Optional, Set, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.results import ERROR, FAILED, OK, PLANNED, TIMEOUT, EpisodeResult
from harness.records.damage import Damage

STARTING = "starting services"
PREPARING = "compiling and preparing homes"
PLAYING = "playing"
STOPPING = "stopping services; Ctrl-C again kills them"

RECENT = 30
"""Episodes whose mean is the present pace: enough for a mixture of new and known homes."""


@dataclass(frozen=True)
class Preparing:
    """How long homes have been prepared, in how many of them something was played, and in how many it will be."""

    seconds: float
    homes: int
    planned_homes: int


class Pace:
    """The time that episodes take, from when a worker is told to play until it has.

    A worker's first episode is left out: it waits for code to be compiled or loaded and for its home, so that it can
    take a hundred times as long as those after it, and an estimate made of it would be wrong by as much. Homes that
    are built later count, since more of them will come. ``clock`` gives seconds.
    """

    def __init__(self, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._clock = clock
        self._began: Dict[int, float] = {}
        self._warm: Set[int] = set()
        self._seconds: Deque[float] = deque(maxlen=RECENT)
        self._ready = False
        self._starting = STARTING
        self._since = clock()
        self._services_since: Dict[str, float] = {}
        self._homes: Set[str] = set()
        self._planned_homes = 0

    def starting(self, service: str, doing: str = "") -> None:
        """Note that a worker starts ``service``, which says what it is ``doing`` (""): nothing.

        Of several services that start at once the latest is told; its time counts from when it was first told of. Once
        a worker is ready, homes are prepared whatever others start, and the time is that of the preparation.
        """
        if self._ready:
            return
        self._since = self._services_since.setdefault(service, self._clock())
        self._starting = f"starting {service}: {doing}" if doing else f"starting {service}"

    def homes(self, count: int) -> None:
        """Note in how many homes there is something to play."""
        self._planned_homes = count

    def prepared(self, home: str) -> None:
        """Note that ``home`` has been played in."""
        self._homes.add(home)

    def cold(self, worker: int) -> None:
        """Note that ``worker`` has just started, or starts its services anew: its next episode is a first one."""
        if not self._ready:
            self._since = self._clock()
        self._ready = True
        self._warm.discard(worker)

    def began(self, worker: int) -> None:
        """Note that ``worker`` was told to play."""
        self._began[worker] = self._clock()

    def ended(self, worker: int) -> None:
        """Note that ``worker`` has played what it was told to."""
        if worker in self._warm:
            self._seconds.append(self._clock() - self._began[worker])
        self._warm.add(worker)

    @property
    def phase(self) -> str:
        """Return what the run is doing: `PLAYING` as soon as an episode was played by a warm worker."""
        if self._seconds:
            return PLAYING
        return PREPARING if self._ready else self._starting

    @property
    def phase_s(self) -> Optional[float]:
        """Return for how many seconds a service has been starting, None where the run does something else."""
        return None if self._seconds or self._ready else self._clock() - self._since

    @property
    def preparing(self) -> Optional[Preparing]:
        """Return how far the preparation is, None where the run does something else."""
        if self._seconds or not self._ready:
            return None
        return Preparing(self._clock() - self._since, len(self._homes), self._planned_homes)

    @property
    def episodes_per_minute(self) -> Optional[float]:
        """Return the speed of all workers together, None before it is known."""
        seconds = sum(self._seconds)
        return 60.0 * self._workers * len(self._seconds) / seconds if seconds > 0.0 else None

    def eta_s(self, planned: int) -> Optional[float]:
        """Return the seconds that ``planned`` episodes will take, None before the pace is known.

        Fewer episodes than workers take as long as one.
        """
        if not planned:
            return 0.0
        if not self._seconds:
            return None
        return sum(self._seconds) / len(self._seconds) * max(1.0, planned / self._workers)


COMPLETE_CODE = 0
BROKEN_CODE = 1
USAGE_CODE = 2
PARTIAL_CODE = 3


@dataclass(frozen=True)
class Progress:
    """One moment of a run: ``counts`` by state over the whole plan, and the speed since this start or resume.

    ``phase`` is one of `harness.running.progress`, or says which service starts and what that does; then
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
