"""Revisers: how one end, or staying, is chosen once the ends are imagined."""

from __future__ import annotations

from typing import Optional, Protocol, Sequence, Tuple

from harness.planning.evidence import HOMING, IMAGINED, NOTHING, PRESENT, TRUTH
from harness.planning.seeding import EpisodeSeeds

STAY = -1
"""The choice of not moving any more: the agent stops itself."""
TIE = 1e-9
"""Rounded scores closer than this to the best are equal to it."""


class Reviser(Protocol):
    """Chooses among the ends of a decision. ``evidence`` says what their scores are made of (`planning.evidence`)."""

    evidence: str

    def choose(
        self, ends: int, scores: Sequence[float], stay_score: Optional[float], decision: int, seeds: EpisodeSeeds
    ) -> int:
        """Return the index of an end, or STAY.

        ``scores`` holds a rounded score an end (nothing where nothing is evidence); ``stay_score`` is None where
        staying is not a choice.
        """


class Similarity:
    """Takes the end with the best score; stays when staying scores at least as well.

    Ties are broken uniformly by seed. A fixed order would be a hidden policy, and a model that imagines the same view
    everywhere would follow it.
    """

    evidence = IMAGINED

    def choose(
        self, ends: int, scores: Sequence[float], stay_score: Optional[float], decision: int, seeds: EpisodeSeeds
    ) -> int:
        """Return the index of the best end, or STAY."""
        best = max(scores)
        if stay_score is not None and stay_score >= best:
            return STAY
        tied = [index for index, score in enumerate(scores) if score >= best - TIE]
        return tied[int(seeds.generator(decision, "tie").integers(len(tied)))]


class Look(Similarity):
    """Takes the end in whose direction the present view looks most like the goal."""

    evidence = PRESENT


class Homing(Similarity):
    """Takes the end nearest to where classical image homing believes the goal to be."""

    evidence = HOMING


class Oracle(Similarity):
    """Takes the end that is truly nearest to the goal: the bound of every choice among the same candidates."""

    evidence = TRUTH


class Uniform:
    """Draws one of the ends by seed, staying among them where it is a choice: the reference that imagines nothing."""

    evidence = NOTHING

    def choose(
        self, ends: int, scores: Sequence[float], stay_score: Optional[float], decision: int, seeds: EpisodeSeeds
    ) -> int:
        """Return the index of a random end, or STAY."""
        choices: Tuple[int, ...] = tuple(range(ends)) + ((STAY,) if stay_score is not None else ())
        return choices[int(seeds.generator(decision, "uniform").integers(len(choices)))]
