"""What one choice in one state is worth, in plain numbers.

The truth is how far from solved the episode is after each end, which whoever chose was never told.
"""

from __future__ import annotations

from typing import Dict, Optional

from harness.contracts.metrics import (
    CORRELATION,
    HIGHER,
    LOWER,
    NOT_NEGATIVE,
    OVER_PLANNED,
    PERCENT,
    SHARE,
    Column,
    MetricSpec,
)
from harness.planning.agent import Choice
from harness.planning.bank_states import KnownDistances, regret_m
from harness.planning.revisers import STAY

METRICS = (
    MetricSpec(
        "regret_m", "regret", "has to move", "m", 3, LOWER, bounds=NOT_NEGATIVE,
        table=Column("regret", 3, paired=True),
    ),
    MetricSpec(
        "self_regret_m", "regret, may stay", "where staying is a choice", "m", 3, LOWER, bounds=NOT_NEGATIVE,
        table=Column("regret, may stay", 3, paired=True),
    ),
    MetricSpec(
        "chance_m", "regret, chance", "a uniform choice among the ends", "m", 3, bounds=NOT_NEGATIVE, compared=False,
    ),
    MetricSpec(
        "top_1", "top-1", "of the choices are a truly best end", PERCENT, 1, HIGHER, OVER_PLANNED, SHARE,
        table=Column("top-1", 1),
    ),
    MetricSpec(
        "rank_correlation", "order", "Spearman's rho of scores and nearness, over the ends of a state",
        "", 2, HIGHER, bounds=CORRELATION, partial=True, table=Column("order", 2),
    ),
)  # fmt: skip
"""The measures of a bank, the headline first: those that have a direction are what world models are compared in."""

TRUTH_TIE_M = 1e-6
"""Ends whose true distances differ by less are equally good: far below a step, far above rounding."""


def measures(state: KnownDistances, forced: Choice, free: Choice) -> Dict[str, float]:
    """Return the measures of a state by name.

    ``forced`` had to move, ``free`` could stay. ``regret_m`` and ``self_regret_m`` are theirs in the unit of the
    distance, metres in navigation, ``chance_m`` that of a uniform choice among the ends; ``top_1`` is 1 where
    ``forced`` is a truly best end. ``rank_correlation`` is left out where there is nothing to rank.
    """
    best = min(state.end_distances_m)
    found = {
        "regret_m": regret_m(state, forced),
        "self_regret_m": regret_m(state, free),
        "chance_m": sum(state.end_distances_m) / len(state.ends) - best,
        "top_1": float(is_best(state, forced)),
        "stayed": float(free.index == STAY),
        "ends": float(len(state.ends)),
        "rollouts": float(forced.rollouts),
    }
    ranked = rank_correlation(state, forced)
    return found if ranked is None else {**found, "rank_correlation": ranked}


def is_best(state: KnownDistances, choice: Choice) -> bool:
    """Say whether ``choice``, which moves, leads as near to solved as any end does."""
    return state.end_distances_m[choice.index] <= min(state.end_distances_m) + TRUTH_TIE_M


def rank_correlation(state: KnownDistances, choice: Choice) -> Optional[float]:
    """Return Spearman's rho between the scores of the ends and minus their true distances.

    None where nothing was scored, or where all ends are truly alike. Scores that are all equal give 0: they tell no
    end from another, and leaving such states out would flatter whoever has many of them.
    """
    from scipy import stats

    if not choice.scores or max(state.end_distances_m) - min(state.end_distances_m) <= TRUTH_TIE_M:
        return None
    if max(choice.scores) == min(choice.scores):
        return 0.0
    nearness = [-distance for distance in state.end_distances_m]
    return float(stats.spearmanr(choice.scores, nearness).statistic)
