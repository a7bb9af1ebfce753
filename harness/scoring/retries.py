"""Which episodes needed more than one attempt: told with every result, because a clean run needs none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from harness.records.journal import JournalRow

RETRIED = "retried"
"""Stamps a result in which an episode was played more than once."""


@dataclass(frozen=True)
class Retries:
    """How many episodes were played more than once, and the most attempts that one of them took (0 without any)."""

    episodes: int
    most: int

    @property
    def stamps(self) -> tuple[str, ...]:
        """Return the stamp of a result with such episodes, none without."""
        return (RETRIED,) if self.episodes else ()


def retries(rows: Sequence[JournalRow]) -> Retries:
    """Return the retries of a run or a measurement."""
    again = [row.attempts for row in rows if row.attempts > 1]
    return Retries(len(again), max(again, default=0))
