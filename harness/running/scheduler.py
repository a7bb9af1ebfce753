"""The scheduler: hands episodes to workers, commits what they answer, and survives their deaths."""

from __future__ import annotations

import selectors
import signal
import threading
import time
from contextlib import contextmanager
from types import FrameType
from typing import Callable, Dict, Iterator, List, Mapping, Optional

from harness.contracts.errors import MachineError, Refusal, SpecMismatch, WiwError
from harness.contracts.results import ERROR, PLANNED, TIMEOUT, EpisodeResult
from harness.records.errors import DiskFull, RecordError
from harness.records.folder import RunFolder
from harness.records.journal import Journal, JournalRow
from harness.running.account import Account
from harness.running.episode_queue import EpisodeQueue, Task
from harness.running.failure_streak import FailureStreak
from harness.running.messages import Abort, Again, Finished, Message, Ready, StartFailed, Starting
from harness.running.plan import RunPlan
from harness.running.progress import Progress, ProgressCallback
from harness.running.throughput_estimate import PLAYING, STOPPING, Pace
from harness.running.worker_process import WorkerProcess

_TICK_S = 0.2
_STARTING_S = 1.0
"""How often the time that something has been waited for is told, where nothing else happens."""

_FINISH_S = 15.0
_TERMINATE_S = 5.0
_MAX_FAILED_STARTS = 3
_ABORTS = {kind.__name__: kind for kind in (Refusal, SpecMismatch, RecordError, DiskFull, MachineError)}


class Scheduler:
    """Plays every planned row of a journal on the plan's number of workers.

    One thread and one loop: it waits for workers to speak, and it alone writes the journal. Whatever ends the loop,
    no worker outlives it, and each row is either committed or still planned.
    """

    def __init__(
        self, folder: RunFolder, plan: RunPlan, journal: Journal, lock_descriptor: int, on_progress: ProgressCallback
    ) -> None:
        rows = journal.rows()
        self.account = Account(rows)
        self._positions = {row.key: row.position for row in rows}
        self._folder = folder
        self._plan = plan
        self._journal = journal
        self._lock_descriptor = lock_descriptor
        self._on_progress = on_progress
        self._counts = journal.counts()
        self._total = sum(self._counts.values())
        self._began = time.monotonic()
        self._reported = self._began
        self._pace = Pace(plan.workers)
        self._workers: Dict[int, WorkerProcess] = {}
        self._failed_starts = 0
        self._stopping = self._at_once = False
        self._streak = FailureStreak(plan.max_failures)
        self.stopped = ""
        """Why the run was stopped before its end, "" where it was not."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many rows are in each state."""
        return dict(self._counts)

    def run(self, reorder: Callable[[List[Task]], None] = lambda tasks: None) -> bool:
        """Play until nothing is planned; return False when a signal, or failures that repeat (`stopped`), ended it.

        ``reorder`` may change the order of the tasks in place (a test's proof that order does not matter). Raises
        WiwError when the run cannot go on; it can be resumed after any of these.
        """
        tasks = [
            Task(row.key, row.result.home, row.attempts + 1, row.attempts)
            for row in self._journal.rows()
            if row.result.state == PLANNED
        ]
        reorder(tasks)
        self._queue = EpisodeQueue(tasks)
        self._pace.homes(len({task.home for task in tasks}))
        self._report(None)
        with self._stop_on_signals():
            try:
                self._loop()
            except BaseException:
                self._stopping = True
                raise
            finally:
                self._end_workers()
        return not (self._stopping or self.stopped)

    def _loop(self) -> None:
        with selectors.DefaultSelector() as selector:
            while not (self._stopping or self.stopped) and (len(self._queue) or self._busy()):
                self._fill(selector)
                for event, _ in selector.select(_TICK_S):
                    self._listen(event.data, selector)
                for worker in [worker for worker in self._workers.values() if worker.overdue()]:
                    self._overdue(worker, selector)
                if self._pace.phase != PLAYING and time.monotonic() - self._reported >= _STARTING_S:
                    self._report(None)

    def _busy(self) -> int:
        return sum(worker.task is not None for worker in self._workers.values())

    def _fill(self, selector: selectors.BaseSelector) -> None:
        """Give free workers what was queued again, and start workers while more episodes wait than workers start."""
        for worker in self._workers.values():
            self._assign(worker)
        for number in range(self._plan.workers):
            starting = sum(not worker.ready for worker in self._workers.values())
            if number not in self._workers and len(self._queue) > starting:
                worker = WorkerProcess(self._folder, self._plan, number, self._lock_descriptor)
                self._workers[number] = worker
                selector.register(worker, selectors.EVENT_READ, worker)

    def _assign(self, worker: WorkerProcess) -> None:
        """Give a free worker its next episode, if any is left."""
        if worker.ready and worker.task is None:
            task = self._queue.take(worker.home)
            if task is not None:
                worker.play(task, self._plan.deadlines.episode_s)
                self._pace.began(worker.number)

    def _listen(self, worker: WorkerProcess, selector: selectors.BaseSelector) -> None:
        messages = worker.read()
        if messages is None:
            self._lost(worker, selector)
            return
        for message in messages:
            self._take(worker, message, selector)

    def _take(self, worker: WorkerProcess, message: Message, selector: selectors.BaseSelector) -> None:
        """Act on one message of a worker, and give it more to do."""
        if isinstance(message, Abort):
            raise _ABORTS.get(message.kind, WiwError)(message.what, message.next_step)
        if isinstance(message, Starting):
            self._pace.starting(message.service, message.doing)
            worker.wait_longer(self._plan.worker_start_s())
            self._report(None)
        elif isinstance(message, StartFailed):
            self._drop(worker, selector)
            self._start_failed(message.error)
        elif isinstance(message, Ready):
            worker.ready = True
            worker.idle()
            self._failed_starts = 0
            self._pace.cold(worker.number)
            self._assign(worker)
            self._report(None)
        else:
            task = worker.idle()
            if task is None:
                raise WiwError(f"worker {worker.number} answered without being asked: {message}.", f"See {worker.log}.")
            self._pace.ended(worker.number) if isinstance(message, Finished) else self._pace.cold(worker.number)
            # The worker plays on while its row is being committed.
            self._queue.leave(task)
            self._assign(worker)
            if isinstance(message, Finished):
                self._pace.prepared(task.home)
                self._commit(task, message.result, message.record_digest)
            elif isinstance(message, Again):
                self._try_again(task, message.error)

    def _lost(self, worker: WorkerProcess, selector: selectors.BaseSelector) -> None:
        """Mourn a dead worker: its episode is played again, and `_fill` replaces it."""
        task, ready = worker.idle(), worker.ready
        status = self._drop(worker, selector)
        why = f"worker {worker.number} died with {_status(status)}; see {worker.log}"
        if task is not None:
            self._queue.leave(task)
            self._try_again(task, why)
        elif not ready:
            self._start_failed(f"{why}:\n{worker.log_tail()}")

    def _overdue(self, worker: WorkerProcess, selector: selectors.BaseSelector) -> None:
        """Kill a worker whose deadline has passed; its episode times out, for playing it again would hang again."""
        task = worker.idle()
        self._drop(worker, selector)
        if task is None:
            self._start_failed(f"a worker was not ready after {self._plan.worker_start_s():g} s; see {worker.log}")
            return
        self._queue.leave(task)
        error = f"not finished after {self._plan.deadlines.episode_s:g} s; the worker was killed (log: {worker.log})"
        self._commit(task, EpisodeResult(task.key.episode, task.home, task.key.seed, TIMEOUT, {}, "", error))

    def _drop(self, worker: WorkerProcess, selector: selectors.BaseSelector) -> int:
        selector.unregister(worker)
        del self._workers[worker.number]
        return worker.kill()

    def _start_failed(self, why: str) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise WiwError(f"{self._failed_starts} workers in a row did not start. The last one: {why}")

    def _try_again(self, task: Task, error: str) -> None:
        attempts = task.attempt - task.earlier
        if attempts < self._plan.max_attempts:
            self._queue.put_back(task.again())
            return
        error = f"given up after {attempts} attempts: {error}"
        self._commit(task, EpisodeResult(task.key.episode, task.home, task.key.seed, ERROR, {}, "", error))

    def _commit(self, task: Task, result: EpisodeResult, record_digest: str = "") -> None:
        self._journal.commit(task.key, result, task.attempt, record_digest)
        self.account.commit(JournalRow(task.key, self._positions[task.key], task.attempt, result, None, record_digest))
        self._counts[PLANNED] -= 1
        self._counts[result.state] += 1
        self._report(result)
        why = self._streak.note(result)
        if why and self._counts[PLANNED] and not self.stopped:
            self.stopped = why

    def _report(self, last: Optional[EpisodeResult]) -> None:
        elapsed = time.monotonic() - self._began
        pace, eta = self._pace, self._pace.eta_s(self._counts[PLANNED])
        speed = pace.episodes_per_minute
        progress = Progress(
            dict(self._counts), self._total, elapsed, pace.phase, speed, eta, last, pace.phase_s, pace.preparing
        )
        self._reported = time.monotonic()
        self._on_progress(progress)

    def _report_stopping(self) -> None:
        elapsed = time.monotonic() - self._began
        self._on_progress(Progress(dict(self._counts), self._total, elapsed, STOPPING, None, None, None))

    def _end_workers(self) -> None:
        """Let every worker close its services, then make sure that it is gone.

        If the run is being stopped, no episode is waited for; after a second signal not even services are.
        """
        stopping = self._stopping or bool(self.stopped)
        if stopping and self._workers:
            self._report_stopping()
        for worker in self._workers.values():
            worker.terminate() if stopping else worker.finish()
        give_up = time.monotonic() + (_TERMINATE_S if stopping else _FINISH_S)
        for worker in self._workers.values():
            while not (worker.exits_within(_TICK_S) or self._at_once or time.monotonic() > give_up):
                pass
            worker.kill()
        self._workers.clear()

    @contextmanager
    def _stop_on_signals(self) -> Iterator[None]:
        """Note SIGINT and SIGTERM, and a second one of them, instead of dying of them; only the main thread can
        (Python's rule)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note_signal(self, number: int, frame: Optional[FrameType]) -> None:
        self._at_once = self._stopping
        self._stopping = True


def _status(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
