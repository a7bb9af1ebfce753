"""Which episode a free worker plays next."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, replace
from typing import Deque, Iterable, Optional

from harness.records.identity import EpisodeKey


@dataclass(frozen=True)
class Task:
    """One episode to play; ``attempt`` counts from 1, over all starts of the run, ``earlier`` of them before this."""

    key: EpisodeKey
    home: str
    attempt: int = 1
    earlier: int = 0

    def again(self) -> Task:
        """Return the next attempt of the same episode."""
        return replace(self, attempt=self.attempt + 1)


class EpisodeQueue:
    """The episodes that nobody plays yet, grouped by home.

    A worker stays in its home while episodes of it are left, since the home is baked and loaded there; then it takes
    a home that no other worker is in; and when only occupied homes are left, it helps there rather than starve. The
    outcome never depends on the order, so this is about time alone.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._homes: OrderedDict[str, Deque[Task]] = OrderedDict()
        self._occupied: Counter[str] = Counter()
        for task in tasks:
            self._homes.setdefault(task.home, deque()).append(task)

    def __len__(self) -> int:
        return sum(len(tasks) for tasks in self._homes.values())

    def take(self, last_home: Optional[str]) -> Optional[Task]:
        """Return the next episode for a worker that was in ``last_home``; None when none is left."""
        if not self._homes:
            return None
        home = last_home if last_home is not None and last_home in self._homes else self._least_occupied()
        tasks = self._homes[home]
        task = tasks.popleft()
        if not tasks:
            del self._homes[home]
        self._occupied[home] += 1
        return task

    def leave(self, task: Task) -> None:
        """Note that the worker of ``task`` plays it no longer."""
        self._occupied[task.home] -= 1

    def put_back(self, task: Task) -> None:
        """Queue an episode for another attempt, before the others of its home."""
        self._homes.setdefault(task.home, deque()).appendleft(task)

    def _least_occupied(self) -> str:
        """Return the home with the fewest workers in it, the first of several."""
        return min(self._homes, key=lambda home: self._occupied[home])
