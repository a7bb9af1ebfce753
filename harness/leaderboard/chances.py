"""How likely playing episodes again finds a cheat, and how likely chance alone looks like one. All of it is exact."""

from __future__ import annotations

import math

P = 0.01
"""Fewer successes in the replay than in the records refute a submission where chance gives so many so rarely."""

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of forged episodes for which a verification says how likely it finds them."""


def caught(total: int, share: float, drawn: int) -> float:
    """Return the probability that at least one forged episode is among ``drawn`` of ``total``, without replacement.

    ``share`` (0..1) of the episodes is forged, rounded up to whole ones.
    """
    forged = min(total, math.ceil(share * total - 1e-9))
    return 1.0 - math.comb(total - forged, drawn) / math.comb(total, drawn)


def by_chance(lost: int, won: int) -> float:
    """Return how likely chance loses at least ``lost`` of ``lost + won`` episodes that ended otherwise when they were
    played again: the exact one-sided sign test of pairs, where each is as likely to be lost as to be won."""
    ended_otherwise = lost + won
    return sum(math.comb(ended_otherwise, count) for count in range(lost, ended_otherwise + 1)) / (1 << ended_otherwise)


def fewest_lost() -> int:
    """Return how many episodes have to be lost, and none won, before `by_chance` is below `P`."""
    return next(lost for lost in range(1, 64) if by_chance(lost, 0) < P)


def power(compared: int, share: float) -> float:
    """Return how likely the test refutes records in which ``share`` of the episodes is a success that is none.

    At best: where no other episode ends otherwise. What a model does differently from time to time makes it smaller.
    """
    few = range(min(fewest_lost(), compared + 1))
    return 1.0 - math.fsum(
        math.comb(compared, count) * share**count * (1.0 - share) ** (compared - count) for count in few
    )
