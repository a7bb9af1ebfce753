"""What a run may spend. Money that may have been spent counts as spent."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TextIO

from harness.contracts.errors import Refusal
from harness.contracts.manifests import SPENDING

ROUNDING_USD = 1e-9


class Budget:
    """A cap on the cost of all tasks that a run begins: on all its workers, and when it is resumed.

    What was spent is kept in the run's own file, one amount a line, which is locked for each change; outside of a run
    (`plugin check`) in a file that ends with the service. A task is paid for before it is begun, and gets its money
    back only where Runway has said that it did not begin.
    """

    def __init__(self, cap_usd: float) -> None:
        self.cap_usd = cap_usd
        named = os.environ.get(SPENDING, "")
        self._own = None if named else NamedTemporaryFile(prefix="wiw-spent-")  # noqa: SIM115 (lives as long as this)
        self._file = Path(named or (self._own.name if self._own else ""))

    @property
    def spent_usd(self) -> float:
        """Return what the run has spent so far."""
        with self._opened() as file:
            return self._sum(file)

    def pay(self, cost_usd: float) -> None:
        """Take the cost of a task from the budget; Refusal, and nothing taken, where that would exceed the cap."""
        with self._opened() as file:
            spent = self._sum(file)
            if spent + cost_usd > self.cap_usd + ROUNDING_USD:
                raise Refusal(
                    f"a rollout of {cost_usd:.2f} USD would exceed max_cost_usd {self.cap_usd:.2f}: this run has "
                    f"spent {spent:.2f}.",
                    "Nothing was asked. Begin a run with a higher one, --set max_cost_usd=AMOUNT, or with fewer "
                    "episodes.",
                )
            file.write(f"{cost_usd}\n")

    def refund(self, cost_usd: float) -> None:
        """Give back the cost of a task that did not begin."""
        with self._opened() as file:
            file.write(f"{-cost_usd}\n")

    @contextmanager
    def _opened(self) -> Iterator[TextIO]:
        """Give the file, locked until what was written has reached it; Refusal where it cannot be used."""
        try:
            with self._file.open("a+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
        except OSError as error:
            raise Refusal(
                f"what was spent cannot be kept in {self._file}: {error.strerror}.", "Nothing was asked."
            ) from error

    def _sum(self, file: TextIO) -> float:
        file.seek(0)
        try:
            return sum(float(line) for line in file)
        except ValueError as error:
            raise Refusal(
                f"{self._file} does not say what was spent: {error}.", "Nothing was asked. Give one amount a line."
            ) from error
