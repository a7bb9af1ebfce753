"""Progress of a run on stderr: one live line on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from harness.cli.console import note
from harness.cli.failures import with_log
from harness.cli.live import SEPARATOR, clear_live, show_live
from harness.contracts.failures import BROKEN, in_one_line, kind_of
from harness.contracts.printing import one_line
from harness.contracts.results import ERROR, FAILED, OK, TIMEOUT, EpisodeResult
from harness.running.progress import Progress
from harness.running.throughput_estimate import PLAYING

READING_S = 1.0
"""Weights are read in silence for this long, and their line is then renewed as often."""

INTERVAL_S = 5.0
"""How often a line is printed where stderr is no terminal (a log file)."""


class ProgressLine:
    """Called with every `Progress`; shows done, solved, what the run is doing, speed and the time left.

    ``text`` makes the line; default: `describe`. With the ``folder`` of the run, the first failure of each kind is
    told when it happens.
    """

    def __init__(self, total: int, text: Callable[[Progress], str] | None = None, folder: Path | None = None) -> None:
        self._folder = folder
        self._told: set[str] = set()
        self.total = total
        self._text = text or describe
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
        self._tell_failure(progress.last)
        text = one_line(self._text(progress))
        phase = progress.phase.partition(":")[0]  # a line a phase, not one a count
        if self._live:
            show_live(text)
        elif progress.done == progress.total or phase != self._phase or now - self._printed_at >= INTERVAL_S:
            sys.stderr.write(text + "\n")
            self._printed_at = now
            sys.stderr.flush()
        self._phase = phase

    def _tell_failure(self, last: EpisodeResult | None) -> None:
        if self._folder is None or last is None or last.state not in BROKEN or kind_of(last.error) in self._told:
            return
        self._told.add(kind_of(last.error))
        if self._live:
            clear_live()
        note(f"{last.state} in {last.episode}: {with_log(in_one_line(last.error), self._folder)}")


class ReadingLine:
    """Called with the bytes of weights that were read and those in all; silent where it takes no time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = sys.stderr.isatty()
        self._clock = clock
        self._began = clock()
        self._printed_at = self._began
        self._done = 0

    def __call__(self, done: int, total: int) -> None:
        now = self._clock()
        if done < self._done:  # they are read a second time
            self._began = self._printed_at = now
        self._done = done
        shown = self._printed_at > self._began
        finished = done == total
        if now - self._printed_at < (READING_S if self._live or not shown else INTERVAL_S) and not (finished and shown):
            return
        left = (now - self._began) * (total - done) / max(done, 1)
        text = f"reading the weights: {done / 1e9:.1f} of {total / 1e9:.1f} GB · {clock(left)} left"
        if self._live:
            show_live(text, "\n" * finished)
        else:
            note(text)
        self._printed_at = now


def describe(progress: Progress) -> str:
    """Return one line: ``17/24 episodes · 13 solved · 21.4/min · 0:20 left``."""
    counts = progress.counts
    return _line(progress, "episodes", [f"{counts[OK]} solved", f"{counts[FAILED]} failed"])


def describe_states(progress: Progress) -> str:
    """Return one line of a measurement on a decision bank: ``17/200 states · 88.0/min · 2:05 left``."""
    return _line(progress, "states", [])


def _phase(progress: Progress) -> str:
    """Return what a run does before it plays at its pace, with its time and, of homes, a count."""
    if progress.phase_s is not None:
        return f"{progress.phase} {clock(progress.phase_s)}"
    known = progress.preparing
    return preparing(progress.phase, known.homes, known.planned_homes, known.seconds) if known else progress.phase


def preparing(doing: str, done: int, planned: int, seconds: float) -> str:
    """Return what is done before the pace is known: ``compiling and preparing homes, 1 of 7 0:12``."""
    return f"{doing}, {done} of {planned} {clock(seconds)}"


def _line(progress: Progress, things: str, outcomes: list[str]) -> str:
    counts = progress.counts
    parts = [f"{progress.done}/{progress.total} {things}", *outcomes]
    broken = counts[ERROR] + counts[TIMEOUT]
    if broken:
        parts.append(f"{broken} in error")
    if progress.done < progress.total and progress.phase != PLAYING:
        parts.append(_phase(progress))
    if progress.episodes_per_minute is not None:
        parts.append(f"{progress.episodes_per_minute:.1f}/min")
    if progress.eta_s is not None:
        parts.append(f"{clock(progress.eta_s)} left")
    return SEPARATOR.join(parts)


def clock(seconds: float) -> str:
    """Return seconds as ``h:mm:ss`` or ``m:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
