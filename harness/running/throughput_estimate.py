"""How fast a run is: what an episode costs once its worker is warm."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Callable, Deque, Dict, Optional, Set

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
