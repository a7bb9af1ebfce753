"""How much an agent searches in a decision: what a run may limit of it without another suite.

Both limits change what is played and no suite's hash, so they are part of a run's identity and stamp its results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

from harness.contracts.from_plain import from_plain

SEARCH = "search"
"""Where a run's specs keep it; runs without limits have no such entry."""


@dataclass(frozen=True)
class Search:
    """The limits of a run; None: the tier's own search.

    Only ``candidates`` (at least 1) of the tier's candidates are imagined and can be chosen, drawn anew in every
    decision. ``wm_share`` (0 to 1) is the share of decisions in which the world model is asked; in the others the agent
    chooses as the reference `none` does. ValueError for numbers out of range.
    """

    candidates: Optional[int] = None
    wm_share: Optional[float] = None

    def __post_init__(self) -> None:
        if self.candidates is not None and self.candidates < 1:
            raise ValueError(f"{self.candidates} candidates a decision are fewer than 1")
        if self.wm_share is not None and not 0.0 <= self.wm_share <= 1.0:
            raise ValueError(f"the share {self.wm_share:g} of decisions is not in 0..1")

    @property
    def given(self) -> Mapping[str, Any]:
        """Return the limits that are given, by name."""
        limits = {"candidates": self.candidates, "wm_share": self.wm_share}
        return {name: value for name, value in limits.items() if value is not None}

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
