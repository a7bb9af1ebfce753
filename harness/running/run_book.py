"""What a run keeps of its episodes: rows in the journal, counts, its pace, and when failures repeat."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.errors import Refusal, WiwError
from harness.contracts.failures import BROKEN, in_one_line, kind_of
from harness.contracts.results import ERROR, PLANNED, PLAYED, TIMEOUT, EpisodeResult
from harness.records.damage import Damage
from harness.records.episode_files import read_episode
from harness.records.errors import RecordError
from harness.records.folder import JOURNAL, RECORD, RunFolder
from harness.records.identity import EpisodeKey
from harness.records.journal import Journal, JournalRow
from harness.running.episode_queue import Task
from harness.running.messages import Finished, Message, Starting
from harness.running.plan import RunPlan
from harness.running.progress import PLAYING, STOPPING, Pace, Progress, ProgressCallback
from harness.running.scheduler import Book


class RunBook(Book):
    """The `Book` of a run: it alone writes the journal while the run is played."""

    def __init__(self, plan: RunPlan, journal: Journal, on_progress: ProgressCallback) -> None:
        rows = journal.rows()
        self.account = Account(rows)
        self._rows = rows
        self._positions = {row.key: row.position for row in rows}
        self._journal = journal
        self._on_progress = on_progress
        self._counts = journal.counts()
        self._total = sum(self._counts.values())
        self._began = time.monotonic()
        self._pace = Pace(plan.workers)
        self._streak = FailureStreak(plan.max_failures * plan.sharers)

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


class Account:
    """The rows of a run as its scheduler knows them: those that it found, and those that it committed since."""

    def __init__(self, rows: Sequence[JournalRow]) -> None:
        self._rows: Dict[EpisodeKey, JournalRow] = {row.key: row for row in rows}
        self._committed: List[EpisodeKey] = []

    @property
    def rows(self) -> Tuple[JournalRow, ...]:
        """Return the rows as they are now, in the order of the plan."""
        return tuple(self._rows.values())

    def commit(self, row: JournalRow) -> None:
        """Note a row as it is written into the journal."""
        self._rows[row.key] = _as_kept(row)
        self._committed.append(row.key)

    def compare(self, folder: RunFolder) -> Tuple[Damage, ...]:
        """Return every row of the journal and every episode's record that is no longer what was committed.

        Call it when no service of the run lives any more.
        """
        return (*_record_damage(folder), *self._journal_damage(folder), *self._file_damage(folder))

    def _journal_damage(self, folder: RunFolder) -> Tuple[Damage, ...]:
        try:
            found, plan_digest = folder.account()
        except (Refusal, RecordError) as error:
            return (Damage(JOURNAL, f"it cannot be read any more: {error.what.rstrip('.')}"),)
        rows = {row.key: row for row in found}
        damage = [
            Damage(key.folder_name, "the journal was changed by somebody else while the run was played")
            for key in dict.fromkeys((*self._rows, *rows))
            if not _same(self._rows.get(key), rows.get(key))
        ]
        if len(found) != len(rows) or plan_digest != folder.plan_digest:
            damage.append(Damage(JOURNAL, "it was changed by somebody else while the run was played"))
        return tuple(damage)

    def _file_damage(self, folder: RunFolder) -> Tuple[Damage, ...]:
        """Compare the records of episodes committed since the start; earlier ones are compared with the journal."""
        damage = []
        for key in self._committed:
            row = self._rows[key]
            if row.result.state not in PLAYED:
                continue
            try:
                kept = read_episode(folder.episode_folder(key)).record_digest
            except (OSError, RecordError) as error:
                reason = error.what.rstrip(".") if isinstance(error, RecordError) else str(error)
                damage.append(Damage(key.folder_name, f"its files were changed while the run was played: {reason}"))
                continue
            if kept != row.record_digest:
                what = "its files were changed by somebody else while the run was played"
                damage.append(Damage(key.folder_name, what))
        return tuple(damage)


def _as_kept(row: JournalRow) -> JournalRow:
    """Return a row with its numbers as JSON keeps them."""
    return replace(row, result=replace(row.result, metrics=dict(row.result.metrics), timings=dict(row.result.timings)))


def _same(known: Optional[JournalRow], found: Optional[JournalRow]) -> bool:
    """Say whether a row is what it was; when it was committed, the journal alone knows of those committed since."""
    if known is None or found is None or known.committed_at is not None:
        return known == found
    return known == replace(found, committed_at=None)


def _record_damage(folder: RunFolder) -> Tuple[Damage, ...]:
    try:
        same = RunFolder.open(folder.path).record == folder.record
    except (Refusal, RecordError) as error:
        return (Damage(RECORD, f"it cannot be read any more: {error.what.rstrip('.')}"),)
    return () if same else (Damage(RECORD, "it was changed by somebody else while the run was played"),)
