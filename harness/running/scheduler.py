"""Hands tasks to workers and survives their deaths; what is kept of the work is a book's.

A run and a collection of training data are played by the same scheduler. It knows workers through an `Executor`
alone, so that they can be processes of this machine or something else.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Dict, Optional

from harness.contracts.errors import MachineError, Refusal, SpecMismatch, WiwError
from harness.records.errors import DiskFull, RecordError
from harness.running.episode_queue import EpisodeQueue, Task
from harness.running.executors import Executor, Worker
from harness.running.messages import Abort, Again, Message, Play, Ready, StartFailed, Starting

_TICK_S = 0.2
_WAITING_S = 1.0
"""How often a book is told that time passes, where nothing else happens."""

_FINISH_S = 15.0
_TERMINATE_S = 5.0
_MAX_FAILED_STARTS = 3
_ABORTS = {kind.__name__: kind for kind in (Refusal, SpecMismatch, RecordError, DiskFull, MachineError)}


class Book:
    """Keeps what comes of tasks, and tells somebody how it goes. Any error that it raises ends the work.

    ``stopped`` says why the work should stop before its end, "" while it should not.
    """

    stopped: str = ""

    def starting(self, message: Starting) -> None:
        """Note that a worker starts a service."""

    def cold(self, worker: int) -> None:
        """Note that a worker has just started, or starts its services anew: its next task takes longer."""

    def ready(self) -> None:
        """Note that a worker is ready for its first task."""

    def began(self, worker: int) -> None:
        """Note that a worker was given a task."""

    def ended(self, worker: int) -> None:
        """Note that a worker has done its task; `keep` follows when it has the next."""

    def keep(self, task: Task, answer: Message) -> None:
        """Keep what a worker answered."""
        raise NotImplementedError

    def lost(self, task: Task, error: str, late: bool) -> None:
        """Note a task that is given up, after several attempts or because it was ``late``."""
        raise NotImplementedError

    def waiting(self) -> None:
        """Say how it goes, since nothing happened for a while."""

    def stopping(self) -> None:
        """Say that workers are being stopped."""


@dataclass(frozen=True)
class Limits:
    """How many workers there are, the seconds until one must be ready and those of a task, and how often a task is
    started when its worker or a service dies under it."""

    workers: int
    start_s: float
    task_s: Callable[[Task], float]
    attempts: int


class _Member:
    """A worker with the task that it does, where it was last, and until when it has to answer."""

    def __init__(self, worker: Worker, start_s: float) -> None:
        self.worker = worker
        self.ready = False
        self.task: Optional[Task] = None
        self.home: Optional[str] = None
        self.deadline: Optional[float] = time.monotonic() + start_s

    def give(self, task: Task, seconds: float) -> None:
        self.task, self.home, self.deadline = task, task.home, time.monotonic() + seconds
        self.worker.send(Play(task.key.episode, task.key.seed, task.attempt))

    def idle(self) -> Optional[Task]:
        """Note that the worker does nothing (any more); return what it did."""
        task, self.task, self.deadline = self.task, None, None
        return task

    def overdue(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline


class Scheduler:
    """Does every task with a number of workers.

    One thread and one loop: it waits for workers to speak, and it alone talks to the book. Whatever ends the loop, no
    worker outlives it, and each task is either kept or still to be done.
    """

    def __init__(self, executor: Executor, limits: Limits, book: Book) -> None:
        self._executor = executor
        self._limits = limits
        self._book = book
        self._members: Dict[int, _Member] = {}
        self._failed_starts = 0
        self._told = time.monotonic()
        self._stopping = self._at_once = False

    def run(self, tasks: Sequence[Task]) -> bool:
        """Work until nothing is left; return False when a signal, or the book, ended it.

        Raises WiwError when the work cannot go on; it can be resumed after any of these.
        """
        self._queue = EpisodeQueue(tasks)
        with self._stop_on_signals():
            try:
                self._loop()
            except BaseException:
                self._stopping = True
                raise
            finally:
                self._end_workers()
        return not (self._stopping or self._book.stopped)

    def _loop(self) -> None:
        while not (self._stopping or self._book.stopped) and (len(self._queue) or self._busy()):
            self._fill()
            for worker, messages in self._executor.wait(_TICK_S):
                self._listen(self._members[worker.number], messages)
            for member in [member for member in self._members.values() if member.overdue()]:
                self._overdue(member)
            if time.monotonic() - self._told >= _WAITING_S:
                self._told = time.monotonic()
                self._book.waiting()

    def _busy(self) -> int:
        return sum(member.task is not None for member in self._members.values())

    def _fill(self) -> None:
        """Give free workers what was queued again, and start workers while more tasks wait than workers start."""
        for member in self._members.values():
            self._assign(member)
        for number in range(self._limits.workers):
            starting = sum(not member.ready for member in self._members.values())
            if number not in self._members and len(self._queue) > starting:
                self._members[number] = _Member(self._executor.start(number), self._limits.start_s)

    def _assign(self, member: _Member) -> None:
        """Give a free worker its next task, if any is left."""
        if member.ready and member.task is None:
            task = self._queue.take(member.home)
            if task is not None:
                member.give(task, self._limits.task_s(task))
                self._book.began(member.worker.number)

    def _listen(self, member: _Member, messages: Optional[Sequence[Message]]) -> None:
        if messages is None:
            self._lost(member)
            return
        for message in messages:
            self._told = time.monotonic()
            self._take(member, message)

    def _take(self, member: _Member, message: Message) -> None:
        """Act on one message of a worker, and give it more to do."""
        number = member.worker.number
        if isinstance(message, Abort):
            raise _ABORTS.get(message.kind, WiwError)(message.what, message.next_step)
        if isinstance(message, Starting):
            if not member.ready:
                member.deadline = time.monotonic() + self._limits.start_s
            self._book.starting(message)
        elif isinstance(message, StartFailed):
            self._drop(member)
            self._start_failed(message.error)
        elif isinstance(message, Ready):
            member.ready = True
            member.idle()
            self._failed_starts = 0
            self._book.cold(number)
            self._assign(member)
            self._book.ready()
        else:
            task = member.idle()
            if task is None:
                raise WiwError(f"worker {number} answered without being asked: {message}.", f"See {member.worker.log}.")
            self._book.cold(number) if isinstance(message, Again) else self._book.ended(number)
            # The worker goes on while its answer is being kept.
            self._queue.leave(task)
            self._assign(member)
            if isinstance(message, Again):
                self._try_again(task, message.error)
            else:
                self._book.keep(task, message)

    def _lost(self, member: _Member) -> None:
        """Mourn a dead worker: its task is done again, and `_fill` replaces it."""
        task, worker = member.idle(), member.worker
        why = f"worker {worker.number} died with {self._drop(member)}; see {worker.log}"
        if task is not None:
            self._queue.leave(task)
            self._try_again(task, why)
        elif not member.ready:
            self._start_failed(f"{why}:\n{worker.log_tail()}")

    def _overdue(self, member: _Member) -> None:
        """Kill a worker whose deadline has passed; its task is late, for doing it again would hang again."""
        task, log = member.idle(), member.worker.log
        self._drop(member)
        if task is None:
            self._start_failed(f"a worker was not ready after {self._limits.start_s:g} s; see {log}")
            return
        self._queue.leave(task)
        seconds = self._limits.task_s(task)
        self._book.lost(task, f"not finished after {seconds:g} s; the worker was killed (log: {log})", late=True)

    def _drop(self, member: _Member) -> str:
        del self._members[member.worker.number]
        return self._executor.drop(member.worker)

    def _start_failed(self, why: str) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise WiwError(f"{self._failed_starts} workers in a row did not start. The last one: {why}")

    def _try_again(self, task: Task, error: str) -> None:
        attempts = task.attempt - task.earlier
        if attempts < self._limits.attempts:
            self._queue.put_back(task.again())
        else:
            self._book.lost(task, f"given up after {attempts} attempts: {error}", late=False)

    def _end_workers(self) -> None:
        """Let every worker close what it holds, then make sure that it is gone.

        If the work is being stopped, no task is waited for; after a second signal nothing is.
        """
        stopping = self._stopping or bool(self._book.stopped)
        members = list(self._members.values())
        if stopping and members:
            self._book.stopping()
        for member in members:
            member.worker.terminate() if stopping else member.worker.finish()
        give_up = time.monotonic() + (_TERMINATE_S if stopping else _FINISH_S)
        for member in members:
            while not (member.worker.exits_within(_TICK_S) or self._at_once or time.monotonic() > give_up):
                pass
            self._drop(member)

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
