"""What the scheduler itself takes for a task: workers that are no processes answer at once.

python -m pytest tests/benchmarks/test_scheduler_speed.py -n 0 --benchmark-only
"""

from __future__ import annotations

from typing import Any

from harness.records.identity import EpisodeKey
from harness.running.episode_queue import Task
from harness.running.messages import Ready
from harness.running.scheduler import Limits, Scheduler
from tests.running.test_scheduler import InMemory, Notes

TASKS, HOMES, WORKERS = 2000, 50, 4


def test_tasks_that_take_no_time(benchmark: Any) -> None:
    tasks = [Task(EpisodeKey("t", "easy", f"e{n}", 0), f"home-{n % HOMES}") for n in range(TASKS)]

    def run() -> int:
        book = Notes()
        Scheduler(InMemory(Ready(0)), Limits(WORKERS, 10.0, lambda task: 10.0, 3), book).run(tasks)
        return len(book.kept)

    assert benchmark.pedantic(run, rounds=10, warmup_rounds=1) == TASKS
    if benchmark.stats is not None:
        benchmark.extra_info["tasks_per_s"] = round(TASKS / benchmark.stats["median"])
