"""The scheduler knows workers through an executor alone: one that is no process needs nothing else."""

from __future__ import annotations

import ast
from collections import deque
from pathlib import Path
from typing import Deque, Dict, List, Optional, Sequence, Tuple

import pytest

import harness.running.scheduler as scheduler_module
from harness.contracts.errors import WiwError
from harness.records.identity import EpisodeKey
from harness.running.episode_queue import Task
from harness.running.executors import Worker
from harness.running.messages import Again, Message, Play, Ready, StartFailed, Written
from harness.running.scheduler import Book, Limits, Scheduler

Said = Tuple[Worker, Optional[List[Message]]]


class Memory:
    """A worker and its executor in one: it answers an order at once, as ``script`` says of the episode."""

    log = Path("nowhere")

    def __init__(self, number: int, said: Deque[Said], script: Dict[str, List[Optional[Message]]]) -> None:
        self.number, self._said, self._script = number, said, script

    def send(self, order: Play) -> None:
        answers = self._script.get(order.episode)
        answer = answers.pop(0) if answers else Written(1)
        self._said.append((self, None if answer is None else [answer]))

    def finish(self) -> None: ...
    def terminate(self) -> None: ...
    def exits_within(self, seconds: float) -> bool:
        return True

    def log_tail(self) -> str:
        return "its last words"


class InMemory:
    """An executor without any process."""

    def __init__(self, first: Message, **script: List[Optional[Message]]) -> None:
        self._first, self._script = first, script
        self._said: Deque[Said] = deque()
        self.started: List[int] = []
        self.dropped: List[int] = []

    def start(self, number: int) -> Worker:
        worker = Memory(number, self._said, self._script)
        self.started.append(number)
        self._said.append((worker, [self._first]))
        return worker

    def wait(self, seconds: float) -> Sequence[Said]:
        return [self._said.popleft()] if self._said else []

    def drop(self, worker: Worker) -> str:
        self.dropped.append(worker.number)
        return "exit status 0"


class Notes(Book):
    """A book that writes everything down; ``enough`` answers are enough."""

    def __init__(self, enough: int = 0) -> None:
        self.stopped, self._enough = "", enough
        self.kept: List[str] = []
        self.given_up: List[Tuple[str, str]] = []

    def keep(self, task: Task, answer: Message) -> None:
        self.kept.append(task.key.episode)
        self.stopped = "enough" if len(self.kept) == self._enough else ""

    def lost(self, task: Task, error: str, late: bool) -> None:
        self.given_up.append((task.key.episode, error))


def tasks(names: str) -> List[Task]:
    return [Task(EpisodeKey("t", "", name, 0), name) for name in names]


def play(executor: InMemory, book: Notes, names: str, workers: int = 2) -> bool:
    return Scheduler(executor, Limits(workers, 5.0, lambda task: 5.0, 2), book).run(tasks(names))


def test_every_task_is_kept_once_and_no_worker_is_left() -> None:
    executor, book = InMemory(Ready(1)), Notes()
    assert play(executor, book, "abcde", workers=3)
    assert sorted(book.kept) == list("abcde") and executor.dropped == executor.started


def test_a_task_is_tried_again_after_a_failure_or_a_death_and_then_given_up() -> None:
    executor, book = (
        InMemory(Ready(1), a=[Again("once")], b=[None], c=[Again("x"), Again("y")], d=[None, None]),
        Notes(),
    )
    assert play(executor, book, "abcd", workers=1)
    assert sorted(book.kept) == ["a", "b"]
    assert [(name, error.partition(":")[0]) for name, error in book.given_up] == [
        ("c", "given up after 2 attempts"), ("d", "given up after 2 attempts"),
    ]  # fmt: skip
    assert "worker 0 died with exit status 0" in book.given_up[1][1]


def test_a_book_ends_the_work() -> None:
    executor, book = InMemory(Ready(1)), Notes(enough=2)
    assert not play(executor, book, "abcdef", workers=1)
    assert len(book.kept) == 2 and executor.dropped == [0]


def test_workers_that_do_not_start_end_it_with_the_reason() -> None:
    executor = InMemory(StartFailed("no display"))
    with pytest.raises(WiwError, match=r"3 workers in a row did not start.*no display"):
        play(executor, Notes(), "abcdef")
    assert len(executor.dropped) == len(executor.started)


def test_no_kind_of_executor_is_imported() -> None:
    tree = ast.parse(Path(scheduler_module.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "harness.running.executors" in modules and "harness.running.local_processes" not in modules
