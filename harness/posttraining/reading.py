"""Reads clips ahead of the trainee: by threads, or by processes where there are many clips and cores for them.

Decoders let go of Python's lock for half of their time only, so that threads read three times as fast as one at best.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from harness.contracts.errors import WiwError
from harness.contracts.training import TrainingClip
from harness.posttraining.clips import ClipData, Item, Window, read_window
from harness.running.worker_loop import die_with

THREADS = 8
PROCESSES = 16
MANY = 300
"""Clips from which on the start of processes (two seconds) is worth it."""

AHEAD = 2
"""Clips that are read ahead for each thread or process."""

_opened: list[ClipData] = []


def read_ahead(items: Sequence[Item], cores: int = 0) -> Iterator[TrainingClip]:
    """Yield the clips of ``items`` in order; ``cores`` are those that may read (0: all of this machine)."""
    cores = cores or len(os.sched_getaffinity(0))
    data = list({id(item.data): item.data for item in items}.values())
    numbers = {id(each): number for number, each in enumerate(data)}
    several = len(items) >= MANY and cores > 2
    count = max(1, min(PROCESSES if several else THREADS, cores, len(items)))
    pool: Executor
    if several:
        pool = ProcessPoolExecutor(count, get_context("spawn"), _begin, (os.getpid(), data))
    else:
        pool = ThreadPoolExecutor(count)
    waiting: deque[Future[TrainingClip]] = deque()
    try:
        for item in items:
            where = numbers[id(item.data)]
            waiting.append(
                pool.submit(_read, where, item.window) if several else pool.submit(read_window, item.data, item.window)
            )
            if len(waiting) > AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise WiwError("a process that reads clips died.", "There may be too little memory; then try again.") from error
    finally:
        pool.shutdown(wait=not several, cancel_futures=True)


def _begin(parent: int, data: list[ClipData]) -> None:
    """Begin a reading process: Ctrl-C is for the one that started it, and it ends when that one is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent, signal.SIGKILL)
    _opened[:] = data


def _read(number: int, window: Window) -> TrainingClip:
    return read_window(_opened[number], window)
