"""What a service may spend. Money that may have been spent counts as spent."""

from __future__ import annotations

import threading

from harness.contracts.errors import Refusal

ROUNDING_USD = 1e-9


class Budget:
    """A cap on the cost of all tasks that a service begins, for as long as it lives.

    A task is paid for before it is begun, and gets its money back only where Runway has said that it did not begin.
    """

    def __init__(self, cap_usd: float) -> None:
        self.cap_usd = cap_usd
        self.spent_usd = 0.0
        self._lock = threading.Lock()

    def pay(self, cost_usd: float) -> None:
        """Take the cost of a task from the budget; Refusal, and nothing taken, where that would exceed the cap."""
        with self._lock:
            if self.spent_usd + cost_usd > self.cap_usd + ROUNDING_USD:
                raise Refusal(
                    f"a rollout of {cost_usd:.2f} USD would exceed max_cost_usd {self.cap_usd:.2f}: this service has "
                    f"spent {self.spent_usd:.2f}.",
                    "Nothing was asked. Raise it: --set max_cost_usd=AMOUNT, or play fewer episodes.",
                )
            self.spent_usd += cost_usd

    def refund(self, cost_usd: float) -> None:
        """Give back the cost of a task that did not begin."""
        with self._lock:
            self.spent_usd = max(self.spent_usd - cost_usd, 0.0)
