"""Progress of a run, played here or followed with `watch`, and of reading its weights."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from harness.cli.console import note
from harness.cli.failures import with_log
from harness.cli.live import INTERVAL_S, SEPARATOR, LiveBar, clock
from harness.contracts.failures import BROKEN, in_one_line, kind_of
from harness.contracts.results import ERROR, FAILED, OK, STATES, TIMEOUT, EpisodeResult
from harness.records.folder import RunFolder
from harness.records.lock import is_held
from harness.records.resuming import recorded_words, resume_command
from harness.running.progress import PLAYING, Progress, exit_code

READING_S = 1.0
"""Weights are read in silence for this long, and their line is then renewed as often."""


class ProgressLine(LiveBar):
    """Called with every `Progress`; shows done, solved, what the run is doing, speed and the time left.

    ``text`` makes the line; default: `describe`. With the ``folder`` of the run, the first failure of each kind is
    told when it happens.
    """

    def __init__(self, text: Callable[[Progress], str] | None = None, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._told: set[str] = set()
        self._text = text or describe

    def __call__(self, progress: Progress) -> None:
        self._tell_failure(progress.last)
        phase = progress.phase.partition(":")[0]  # a line a phase, not one a count
        self.show(self._text(progress), progress.done, progress.total, phase, progress.done == progress.total)

    def _tell_failure(self, last: EpisodeResult | None) -> None:
        if self._folder is None or last is None or last.state not in BROKEN or kind_of(last.error) in self._told:
            return
        self._told.add(kind_of(last.error))
        self.say(f"{last.state} in {last.episode}: {with_log(in_one_line(last.error), self._folder)}")


class ReadingLine(LiveBar):
    """Called with the bytes of weights that were read and those in all; silent where it takes no time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._began = self._shown_at = clock()
        self._done = 0

    def __call__(self, done: int, total: int) -> None:
        now = self._clock()
        if done < self._done:  # they are read a second time
            self._began = self._shown_at = now
        self._done = done
        shown, finished = self._shown_at > self._began, done == total
        if now - self._shown_at < (READING_S if self.live or not shown else INTERVAL_S) and not (finished and shown):
            return
        left = (now - self._began) * (total - done) / max(done, 1)
        text = f"reading the weights: {done / 1e9:.1f} of {total / 1e9:.1f} GB · {clock(left)} left"
        self.show(text, done, total, force=True)
        self._shown_at = now
        if finished:
            self.close()


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


PERIOD_S = 1.0
PATIENCE_S = 3.0
"""How long a run may be played by nobody: from its folder to its start, or from a kill to a resume, takes a moment."""


def watch(run: Path, once: bool) -> int:
    """Show a run's progress until every episode is committed or nobody plays it; return the exit code of the run."""
    folder = RunFolder.open(run)
    planned = set(folder.identity.keys())
    started = free_since = time.monotonic()
    first: int | None = None
    with ProgressLine() as line:
        while True:
            results = [row.result for row in folder.rows() if row.key in planned]
            found = Counter(result.state for result in results)
            counts = {state: found.get(state, 0) for state in STATES}
            total = sum(counts.values())
            done = total - counts["planned"]
            first = done if first is None else first
            elapsed = time.monotonic() - started
            rate = (done - first) / elapsed if done > first and elapsed > 0 else None
            eta = (total - done) / rate if rate else None
            line(Progress(counts, total, elapsed, PLAYING, rate and rate * 60.0, eta, None))
            if once or done == total:
                return exit_code(counts)
            if is_held(folder.path):
                free_since = time.monotonic()
            elif time.monotonic() - free_since > PATIENCE_S:
                break
            time.sleep(PERIOD_S)
    note(
        f"nobody plays {run} any more: {done} of {total} episodes are committed. Continue with  "
        f"{resume_command(run, recorded_words(folder.record), results)}"
    )
    return exit_code(counts)
