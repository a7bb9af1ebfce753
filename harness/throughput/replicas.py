"""What is done with all replicas of a model at once: each of them in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Optional, TypeVar

Done = TypeVar("Done")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0: nobody knows)."""


def together(works: Sequence[Callable[[], Done]]) -> list[Done]:
    """Do each in a thread of its own; return what they gave, in their order, or raise the first error that comes.

    Nobody waits for the others then, nor where the caller is interrupted: they end when what they wait for does.
    """
    ended: SimpleQueue[Optional[BaseException]] = SimpleQueue()
    found: dict[int, Done] = {}

    def do(place: int) -> None:
        try:
            found[place] = works[place]()
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    for place in range(len(works)):
        threading.Thread(target=do, args=(place,), name=f"replica {place}", daemon=True).start()
    for _ in works:
        error = ended.get()
        if error is not None:
            raise error
    return [found[place] for place in range(len(works))]


class Tally:
    """Tells how much is done of something, from any thread."""

    def __init__(self, progress: Progress, doing: str, total: int) -> None:
        self._progress = progress
        self._doing = doing
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        progress(doing, 0, total)

    def one_more(self) -> None:
        """Tell that one more is done."""
        with self._lock:
            self._done += 1
            self._progress(self._doing, self._done, self._total)
