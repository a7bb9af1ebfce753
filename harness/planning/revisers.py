"""Revisers: how one end, or staying, is chosen once the ends are imagined."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Sequence, Tuple

from harness.planning.evidence import IMAGINED, NOTHING, TRUTH
from harness.planning.seeding import EpisodeSeeds

STAY = -1
"""The choice of not moving any more: the agent stops itself."""
TIE = 1e-9
"""Rounded scores closer than this to the best are equal to it."""


@dataclass(frozen=True)
class Stay:
    """Staying: whether the agent may choose it, and the rounded score of the place where it stands (0: none)."""

    allowed: bool
    score: float = 0.0


class Reviser(Protocol):
    """Chooses among the ends of a decision. ``evidence`` says what their scores are made of (`planning.evidence`)."""

    evidence: str

    def choose(self, ends: int, scores: Sequence[float], stay: Stay, decision: int, seeds: EpisodeSeeds) -> int:
        """Return the index of an end, or STAY; ``scores`` has a rounded one an end, none where nothing is evidence."""


class Similarity:
    """Takes the end with the best score; stays when staying scores at least as well.

    Ties are broken uniformly by seed. A fixed order would be a hidden policy, and a model that imagines the same view
    everywhere would follow it.

    ``stop_within_m`` is for scores that are minus a distance in metres. Behind an obstacle the present place can score
    best of all that are in reach while the score itself says that there are metres to go: the agent then neither stops
    nor takes an end that scores as this place does, for that is this place, seen again before what blocks the way.
    """

    evidence = IMAGINED

    def __init__(self, stop_within_m: float = math.inf) -> None:
        self._stops_from = -stop_within_m

    def choose(self, ends: int, scores: Sequence[float], stay: Stay, decision: int, seeds: EpisodeSeeds) -> int:
        """Return the index of the best end, or STAY."""
        best = max(scores)
        if stay.score >= best - TIE and stay.score < self._stops_from:
            best = max((score for score in scores if score < stay.score - TIE), default=best)
        elif stay.allowed and stay.score >= best:
            return STAY
        tied = [index for index, score in enumerate(scores) if abs(score - best) <= TIE]
        return tied[int(seeds.generator(decision, "tie").integers(len(tied)))]


class Oracle(Similarity):
    """Takes the end that truly leaves least to do: the bound of every choice among the same candidates."""

    evidence = TRUTH


class Uniform:
    """Draws one of the ends by seed, staying among them where it is a choice: the reference that imagines nothing."""

    evidence = NOTHING

    def choose(self, ends: int, scores: Sequence[float], stay: Stay, decision: int, seeds: EpisodeSeeds) -> int:
        """Return the index of a random end, or STAY."""
        choices: Tuple[int, ...] = tuple(range(ends)) + ((STAY,) if stay.allowed else ())
        return choices[int(seeds.generator(decision, "uniform").integers(len(choices)))]
