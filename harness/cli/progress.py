"""Progress of a run on stderr: one live line on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from harness.contracts.results import ERROR, FAILED, OK, TIMEOUT
from harness.running.pace import PLAYING
from harness.running.progress import Progress

INTERVAL_S = 5.0
"""How often a line is printed where stderr is no terminal (a log file)."""


class ProgressLine:
    """Called with every `Progress`; shows done, solved, what the run is doing, speed and the time left."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._live = sys.stderr.isatty()
        self._printed_at = 0.0
        self._phase = ""

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            sys.stderr.write("\n")

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._live:
            sys.stderr.write("\r\x1b[2K" + describe(progress))
        elif progress.done == progress.total or progress.phase != self._phase or now - self._printed_at >= INTERVAL_S:
            sys.stderr.write(describe(progress) + "\n")
            self._printed_at = now
        self._phase = progress.phase
        sys.stderr.flush()


def describe(progress: Progress) -> str:
    """Return one line: ``17/24 episodes · 13 solved · 21.4/min · 0:20 left``."""
    counts = progress.counts
    parts = [f"{progress.done}/{progress.total} episodes", f"{counts[OK]} solved", f"{counts[FAILED]} failed"]
    broken = counts[ERROR] + counts[TIMEOUT]
    if broken:
        parts.append(f"{broken} in error")
    if progress.done < progress.total and progress.phase != PLAYING:
        parts.append(progress.phase)
    if progress.episodes_per_minute is not None:
        parts.append(f"{progress.episodes_per_minute:.1f}/min")
    if progress.eta_s is not None:
        parts.append(f"{clock(progress.eta_s)} left")
    return " · ".join(parts)


def clock(seconds: float) -> str:
    """Return seconds as ``h:mm:ss`` or ``m:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
