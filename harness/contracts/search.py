"""How much an agent searches in a decision, and what that costs it: what a run may change without another suite.

All of it changes what is played and no suite's hash, so it is part of a run's identity and stamps its results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Mapping, Optional, Tuple

from harness.contracts.from_plain import from_plain

SEARCH = "search"
"""Where a run's specs keep it; runs without limits have no such entry."""

MAX_SECONDS = 86400.0
LEAST_STEP_S = 1e-3
_DIGITS = 9
"""Decimals of seconds through seconds: 1.1 s are 11 steps of 0.1 s, not 12."""


@dataclass(frozen=True)
class Search:
    """The limits of a run; None: the tier's own search.

    Only ``candidates`` (at least 1) of the tier's candidates are imagined and can be chosen, drawn anew in every
    decision. ``wm_share`` (0 to 1) is the share of decisions in which the world model is asked; in the others the agent
    chooses as the reference `none` does. ``decision_seconds`` is what a decision that asks the world model is declared
    to take, while the world goes on by one step in ``step_seconds``; both are given or neither. ValueError for numbers
    out of range.
    """

    candidates: Optional[int] = None
    wm_share: Optional[float] = None
    decision_seconds: Optional[float] = None
    step_seconds: Optional[float] = None

    def __post_init__(self) -> None:
        if self.candidates is not None and self.candidates < 1:
            raise ValueError(f"{self.candidates} candidates a decision are fewer than 1")
        if self.wm_share is not None and not 0.0 <= self.wm_share <= 1.0:
            raise ValueError(f"the share {self.wm_share:g} of decisions is not in 0..1")
        if (self.decision_seconds is None) != (self.step_seconds is None):
            raise ValueError("seconds of a decision and seconds of a step are given together")
        if self.decision_seconds is not None and not 0.0 <= self.decision_seconds <= MAX_SECONDS:
            raise ValueError(f"{self.decision_seconds:g} seconds a decision are not in 0..{MAX_SECONDS:g}")
        if self.step_seconds is not None and not LEAST_STEP_S <= self.step_seconds <= MAX_SECONDS:
            raise ValueError(f"{self.step_seconds:g} seconds a step are not in {LEAST_STEP_S:g}..{MAX_SECONDS:g}")

    @property
    def given(self) -> Mapping[str, Any]:
        """Return what is given, by name."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}

    @property
    def steps_a_decision(self) -> int:
        """Return how many steps pass while a decision is made that asks the world model."""
        if self.decision_seconds is None or self.step_seconds is None:
            return 0
        return math.ceil(round(self.decision_seconds / self.step_seconds, _DIGITS))

    @property
    def stamps(self) -> Tuple[str, ...]:
        """Return what a reader of the results must not overlook, such as ``candidates-4``."""
        return tuple(f"{name.replace('_', '-')}-{value:g}" for name, value in self.given.items())

    @property
    def words(self) -> Tuple[str, ...]:
        """Return the words of the command line that give it."""
        return tuple(
            word for name, value in self.given.items() for word in (f"--{name.replace('_', '-')}", f"{value:g}")
        )


WHOLE = Search()
"""The tier's own search: every candidate of every decision."""


def search_of(specs: Mapping[str, Any]) -> Search:
    """Return the search that the specs of a run hold; ValueError where they hold none that is understood."""
    return from_plain(Search, specs.get(SEARCH, {}))
