"""Whether answers are computed anew: a model that keeps them is fast only at what it was asked before.

A measurement never asks the same twice, so kept answers gain nothing in it; they would in the eyes of whoever repeats
it. And a model that answers new questions with old frames is fast because it does not answer.

A model may remember views: an agent sees them again as earlier views, and all candidates of a decision begin in one.
So a question is compared with another one *from the same view*, and what a known view saves is reported apart.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress, product
from typing import Optional

from harness.throughput.asking import Answer
from harness.throughput.decisions import Decision, Decisions, Purpose, alone

PAIRS = 8
"""Questions that are asked again, each beside a new one. With fewer than 7 no result would be below `P`."""

P = 0.01
FASTER = 0.9
"""Something is answered from memory where it takes less than `FASTER` of the time of what is new in the median, and
that is not by chance (one-sided signed-rank test of the pairs at `P`)."""

OTHER_SEED = 2**63 + 11


@dataclass(frozen=True)
class Paired:
    """Seconds of what was known over those of what was new, the median of pairs, and the probability of chance."""

    ratio: float
    p: float

    @property
    def remembered(self) -> bool:
        """Say whether what was known is faster."""
        return self.p < P and self.ratio < FASTER


@dataclass(frozen=True)
class CacheCheck:
    """What was found by asking again; ``failure`` says why nothing was, "" where something was.

    ``questions`` compares repeated questions with new ones from the same views, ``views`` new questions from known
    views with the first ones from them. ``same_views`` says that two views had the same frames, ``same_seeds`` that two
    seeds had, None for a model that declares no sampling steps.
    """

    pairs: int = 0
    questions: Optional[Paired] = None
    views: Optional[Paired] = None
    same_views: bool = False
    same_seeds: Optional[bool] = None
    failure: str = ""


Asking = Callable[[Decision, bool], Answer]


class _Unanswered(Exception):
    pass


def check_caching(ask: Asking, decisions: Decisions, sampling: bool) -> CacheCheck:
    """Ask from `PAIRS` views, then the same again beside another candidate; ``sampling`` models must heed the seed."""

    def asked(decision: Decision, digests: bool = False) -> Answer:
        answer = ask(decision, digests)
        if answer.failure:
            raise _Unanswered(answer.error)
        return answer

    every = [decisions(Purpose.CACHE, number) for number in range(PAIRS + 1)]
    try:
        asked(alone(every.pop(), 0))  # the first single question may compile
        first = [asked(alone(decision, _known(number)), True) for number, decision in enumerate(every)]
        pairs = [_pair(asked, decision, number) for number, decision in enumerate(every)]
        other = asked(alone(every[0], _known(0), OTHER_SEED), True).digests if sampling else None
    except _Unanswered as error:
        return CacheCheck(failure=str(error))
    fresh = [new for _, new in pairs]
    shown = [answer.digests for answer in first]
    return CacheCheck(
        PAIRS,
        paired([again for again, _ in pairs], fresh),
        paired(fresh, [answer.called_s for answer in first]),
        same_views=len(set(shown)) < len(shown),
        same_seeds=None if other is None else other == shown[0],
    )


def _known(number: int) -> int:
    """Return which of two candidates is asked again: each equally often, since one may cost more than the other."""
    return number % 2


def _pair(asked: Callable[[Decision], Answer], decision: Decision, number: int) -> tuple[float, float]:
    """Return the seconds of the call of a known question and of one with another candidate, asked in either order."""
    known, new = alone(decision, _known(number)), alone(decision, 1 - _known(number))
    if number // 2 % 2:
        fresh = asked(new).called_s
        return asked(known).called_s, fresh
    again = asked(known).called_s
    return again, asked(new).called_s


def paired(known: Sequence[float], new: Sequence[float]) -> Paired:
    """Compare seconds of what was known with those of what was new, pair by pair."""
    differences = [one - other for one, other in zip(known, new, strict=True)]
    return Paired(statistics.median(one / other for one, other in zip(known, new, strict=True)), chance(differences))


def chance(differences: Sequence[float]) -> float:
    """Return how likely differences are so far below zero where their signs are chance: the exact signed-rank test."""
    ordered = sorted(differences, key=abs)
    above = sum(rank for rank, difference in enumerate(ordered, 1) if difference >= 0.0)
    ranks = range(1, len(ordered) + 1)
    sums = [sum(compress(ranks, signs)) for signs in product((False, True), repeat=len(ordered))]
    return sum(each <= above for each in sums) / len(sums)
