"""Notices that a run fails in the same way again and again, so that it stops instead of failing to its end."""

from __future__ import annotations

from harness.contracts.failures import BROKEN, in_one_line, kind_of
from harness.contracts.results import TIMEOUT, EpisodeResult


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
