"""Workers share homes where they can and never starve."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.records.identity import EpisodeKey
from harness.running.episode_queue import EpisodeQueue, Task


def tasks(homes: str) -> list[Task]:
    return [Task(EpisodeKey("t", "easy", f"e{i}", 0), home) for i, home in enumerate(homes)]


def test_a_worker_stays_in_its_home_and_others_go_elsewhere() -> None:
    queue = EpisodeQueue(tasks("aabbab"))
    first, second = queue.take(None), queue.take(None)
    assert first is not None
    assert second is not None
    assert (first.home, second.home) == ("a", "b")
    queue.leave(first)
    third = queue.take("a")
    assert third is not None
    assert third.home == "a"


def test_a_worker_helps_in_an_occupied_home_rather_than_starve() -> None:
    queue = EpisodeQueue(tasks("aaa"))
    taken = [queue.take(None) for _ in range(3)]
    assert [task.key.episode for task in taken if task] == ["e0", "e1", "e2"]
    assert queue.take("a") is None


def test_an_episode_put_back_comes_first_in_its_home() -> None:
    queue = EpisodeQueue(tasks("aa"))
    task = queue.take(None)
    assert task is not None
    queue.leave(task)
    queue.put_back(Task(task.key, task.home, 2))
    again = queue.take("a")
    assert again == Task(task.key, "a", 2)
    assert len(queue) == 1


@given(st.text("abcd", max_size=12), st.lists(st.integers(0, 2), min_size=20))
def test_every_episode_is_handed_out_once(homes: str, workers: list[int]) -> None:
    queue = EpisodeQueue(tasks(homes))
    last: dict[int, Task] = {}
    seen: list[Task] = []
    for worker in workers:
        if worker in last:
            queue.leave(last.pop(worker))
        task = queue.take(seen[-1].home if seen else None)
        if task is not None:
            last[worker] = task
            seen.append(task)
    assert sorted(task.key.episode for task in seen) == sorted(f"e{i}" for i in range(len(homes)))
