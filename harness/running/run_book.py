"""What a run keeps of its episodes: rows in the journal, counts, its pace, and when failures repeat."""

from __future__ import annotations

import time
from typing import List, Mapping, Optional

from harness.contracts.errors import WiwError
from harness.contracts.failures import BROKEN, in_one_line, kind_of
from harness.contracts.results import ERROR, PLANNED, TIMEOUT, EpisodeResult
from harness.records.journal import Journal, JournalRow
from harness.running.account import Account
from harness.running.episode_queue import Task
from harness.running.messages import Finished, Message, Starting
from harness.running.plan import RunPlan
from harness.running.progress import Progress, ProgressCallback
from harness.running.throughput_estimate import PLAYING, STOPPING, Pace


class RunBook:
    """The `Book` of a run: it alone writes the journal while the run is played."""

    def __init__(self, plan: RunPlan, journal: Journal, on_progress: ProgressCallback) -> None:
        rows = journal.rows()
        self.account = Account(rows)
        self.stopped = ""
        self._rows = rows
        self._positions = {row.key: row.position for row in rows}
        self._journal = journal
        self._on_progress = on_progress
        self._counts = journal.counts()
        self._total = sum(self._counts.values())
        self._began = time.monotonic()
        self._pace = Pace(plan.workers)
        self._streak = FailureStreak(plan.max_failures)

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many rows are in each state."""
        return dict(self._counts)

    def tasks(self) -> List[Task]:
        """Return what is planned and not played, in the order of the plan."""
        found = [
            Task(row.key, row.result.home, row.attempts + 1, row.attempts)
            for row in self._rows
            if row.result.state == PLANNED
        ]
        self._pace.homes(len({task.home for task in found}))
        self._report()
        return found

    def starting(self, message: Starting) -> None:
        """Note that a service starts, which can take minutes."""
        self._pace.starting(message.service, message.doing)
        self._report()

    def cold(self, worker: int) -> None:
        """Leave the worker's next episode out of the pace."""
        self._pace.cold(worker)

    def ready(self) -> None:
        """Report that a worker is ready."""
        self._report()

    def began(self, worker: int) -> None:
        """Note when an episode began."""
        self._pace.began(worker)

    def ended(self, worker: int) -> None:
        """Note how long an episode took."""
        self._pace.ended(worker)

    def keep(self, task: Task, answer: Message) -> None:
        """Commit the result of an episode."""
        if not isinstance(answer, Finished):
            raise WiwError(f"a worker answered {answer} about {task.key.folder_name}.")
        self._pace.prepared(task.home)
        self._commit(task, answer.result, answer.record_digest)

    def lost(self, task: Task, error: str, late: bool) -> None:
        """Commit an episode that was given up as an error, or as a timeout where it was ``late``."""
        state = TIMEOUT if late else ERROR
        self._commit(task, EpisodeResult(task.key.episode, task.home, task.key.seed, state, {}, "", error))

    def waiting(self) -> None:
        """Report the time that has been waited, until the pace says how it goes."""
        if self._pace.phase != PLAYING:
            self._report()

    def stopping(self) -> None:
        """Report that services are being stopped."""
        elapsed = time.monotonic() - self._began
        self._on_progress(Progress(dict(self._counts), self._total, elapsed, STOPPING, None, None, None))

    def _commit(self, task: Task, result: EpisodeResult, record_digest: str = "") -> None:
        self._journal.commit(task.key, result, task.attempt, record_digest)
        self.account.commit(JournalRow(task.key, self._positions[task.key], task.attempt, result, None, record_digest))
        self._counts[PLANNED] -= 1
        self._counts[result.state] += 1
        self._report(result)
        why = self._streak.note(result)
        if why and self._counts[PLANNED] and not self.stopped:
            self.stopped = why

    def _report(self, last: Optional[EpisodeResult] = None) -> None:
        pace, elapsed = self._pace, time.monotonic() - self._began
        now = dict(self._counts), self._total, elapsed, pace.phase
        ahead = pace.episodes_per_minute, pace.eta_s(self._counts[PLANNED])
        self._on_progress(Progress(*now, *ahead, last, pace.phase_s, pace.preparing))


class FailureStreak:
    """Counts equal failures in a row, in the order in which episodes end; ``most`` of them are enough, 0 never are.

    Timeouts are equal to each other, whatever was late.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kind = ""
        self._length = 0

    def note(self, result: EpisodeResult) -> str:
        """Take the next result; return why the run should stop, "" while it should not."""
        if result.state not in BROKEN:
            self._length = 0
            return ""
        kind = TIMEOUT if result.state == TIMEOUT else kind_of(result.error)
        self._length = self._length + 1 if kind == self._kind else 1
        self._kind = kind
        if not 0 < self._most <= self._length:
            return ""
        many = f"{self._length} equal failures in a row" if self._length > 1 else "a failure"
        return f"{many}, the last: {in_one_line(result.error)}"
