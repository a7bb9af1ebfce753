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
    """Ask from `PAIRS` new views, each time the same again and another candidate; ``sampling`` models heed the seed.

    Where something seems to be remembered, other views have to confirm it: chance does not do that.
    """
    found = _checked(ask, decisions, sampling, 0)
    seeming = any(pairs is not None and pairs.remembered for pairs in (found.questions, found.views))
    return _checked(ask, decisions, sampling, PAIRS + 1) if seeming else found


def _checked(ask: Asking, decisions: Decisions, sampling: bool, since: int) -> CacheCheck:
    """Return what the decisions from number ``since`` on show."""

    def asked(decision: Decision, digests: bool = False) -> Answer:
        answer = ask(decision, digests)
        if answer.failure:
            raise _Unanswered(answer.error)
        return answer

    every = [decisions(Purpose.CACHE, number) for number in range(since, since + PAIRS + 1)]
    try:
        asked(alone(every.pop(), 0))  # the first single question may compile
        asked_in_turn = [_asked(asked, decision, number) for number, decision in enumerate(every)]
        other = asked(alone(every[0], _known(0), OTHER_SEED), True).digests if sampling else None
    except _Unanswered as error:
        return CacheCheck(failure=str(error))
    first, again, new = ([answers[place] for answers in asked_in_turn] for place in range(3))
    shown = [answer.digests for answer in first]
    return CacheCheck(
        PAIRS,
        paired(again, new),
        paired(new, first),
        same_views=len(set(shown)) < len(shown),
        same_seeds=None if other is None else other == shown[0],
    )


def _known(number: int) -> int:
    """Return which of two candidates is asked again: each equally often, since one may cost more than the other."""
    return number % 2


def _asked(ask: Asking, decision: Decision, number: int) -> tuple[Answer, Answer, Answer]:
    """Return the answers to a question from a new view, to the same again, and to one with another candidate.

    One after the other, so that what else the machine does weighs on all three; the last two in either order.
    """
    known, new = alone(decision, _known(number)), alone(decision, 1 - _known(number))
    first = ask(known, True)
    if number // 2 % 2:
        fresh = ask(new, False)
        return first, ask(known, False), fresh
    again = ask(known, False)
    return first, again, ask(new, False)


def paired(known: Sequence[Answer], new: Sequence[Answer]) -> Paired:
    """Compare the seconds of calls for what was known with those for what was new, pair by pair."""
    times = [(one.called_s, other.called_s) for one, other in zip(known, new, strict=True)]
    return Paired(statistics.median(one / other for one, other in times), chance([one - other for one, other in times]))


def chance(differences: Sequence[float]) -> float:
    """Return how likely differences are so far below zero where their signs are chance: the exact signed-rank test."""
    ordered = sorted(differences, key=abs)
    above = sum(rank for rank, difference in enumerate(ordered, 1) if difference >= 0.0)
    ranks = range(1, len(ordered) + 1)
    sums = [sum(compress(ranks, signs)) for signs in product((False, True), repeat=len(ordered))]
    return sum(each <= above for each in sums) / len(sums)
