"""Does the subset `mini` keep the order of world models that the whole test split finds?

Nothing is played again: an episode's outcome depends on no other, so the 96 are taken out of the whole runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from scipy import stats

from harness.contracts.errors import Refusal
from harness.contracts.results import Metric
from harness.science.commands import command_of
from harness.science.found import SPLIT, Found, Missing
from harness.science.paired import size, success_by_episode
from harness.scoring.data import RunData
from harness.scoring.intervals import Floats
from harness.scoring.metrics import rate, success_sample
from harness.scoring.references import row_name
from tasks.subsets import mini
from tasks.suite import Suite

RESAMPLES = 1_000
SEED = 20_251_124
FEWEST = 3
DIGITS = 12
"""Rates are rounded before they are ranked: equal counts must tie, in whatever order they were summed."""


@dataclass(frozen=True)
class MiniLine:
    """The success of one world model on the subset and on the whole split; ``n`` counts rows, seeds included."""

    name: str
    mini: Metric
    mini_homes: int
    full: Metric
    homes: int
    command: str


@dataclass(frozen=True)
class Agreement:
    """Rank correlations over the world models of a tier, with percentile bootstrap intervals over homes.

    ``*_rest`` compare the subset with the episodes that are not in it: the subset is a part of the whole, so that
    agreement with the whole is partly agreement with itself. ``n`` of each is the number of world models.
    """

    kendall: Metric
    spearman: Metric
    kendall_rest: Metric
    spearman_rest: Metric


@dataclass(frozen=True)
class MiniTable:
    """One tier: its lines by falling success, and the agreement where there are enough world models."""

    tier: str
    lines: Tuple[MiniLine, ...]
    agreement: Optional[Agreement]


def mini_tables(found: Found, missing: List[Missing], resamples: int = RESAMPLES) -> Tuple[MiniTable, ...]:
    """Return the table of each tier that has runs with self-stop; a tier without any, or without a subset, is told."""
    tables = []
    for tier in found.suite.tiers:
        runs = found.of_tier(tier)
        if not runs:
            missing.append(Missing(f"{tier}: no run to take mini from", ""))
            continue
        try:
            chosen = frozenset(episode.id for episode in mini(found.suite.episodes(tier, SPLIT)))
        except Refusal as refusal:
            missing.append(Missing(f"{tier}: {refusal.what}", ""))
            continue
        lines = sorted(
            (_line(run, chosen, found.suite) for run in runs), key=lambda line: (-line.full.value, line.name)
        )
        agreement = agree(runs, chosen, resamples) if len(runs) >= FEWEST else None
        if agreement is None:
            missing.append(Missing(f"{tier}: {len(runs)} world models, too few to rank", ""))
        tables.append(MiniTable(tier, tuple(lines), agreement))
    return tuple(tables)


def agree(runs: Sequence[RunData], chosen: frozenset[str], resamples: int = RESAMPLES) -> Agreement:
    """Return how alike the subset ``chosen`` and the whole rank the runs, which share their episodes."""
    of_mini, of_rest = _by_home(runs, chosen, inside=True), _by_home(runs, chosen, inside=False)
    homes = of_mini.episodes.shape[0]
    counts = np.random.default_rng(SEED).multinomial(homes, np.full(homes, 1.0 / homes), size=resamples)
    draws = counts.astype(np.float64)
    whole = _Totals(of_mini.solved + of_rest.solved, of_mini.episodes + of_rest.episodes)

    def metric(correlation: Callable[[Floats, Floats], float], other: _Totals) -> Metric:
        every_home = np.ones(homes)
        value = correlation(of_mini.rates(every_home), other.rates(every_home))
        drawn = [correlation(of_mini.rates(weights), other.rates(weights)) for weights in draws]
        low, high = np.nanquantile(drawn, (0.025, 0.975)) if np.any(np.isfinite(drawn)) else (np.nan, np.nan)
        return Metric(value, float(low), float(high), len(runs))

    return Agreement(
        kendall=metric(_kendall, whole),
        spearman=metric(_spearman, whole),
        kendall_rest=metric(_kendall, of_rest),
        spearman_rest=metric(_spearman, of_rest),
    )


@dataclass(frozen=True)
class _Totals:
    """Solved episodes by run and home [runs, homes], and how many episodes there were [homes]."""

    solved: Floats
    episodes: Floats

    def rates(self, weights: Floats) -> Floats:
        """Return the success rate of each run with homes counted ``weights`` times, rounded so that ties are ties."""
        episodes = float(np.sum(self.episodes * weights))
        solved = np.sum(self.solved * weights, axis=1)
        rates: Floats = np.round(solved / episodes, DIGITS) if episodes else np.zeros_like(solved)
        return rates


def _by_home(runs: Sequence[RunData], chosen: frozenset[str], inside: bool) -> _Totals:
    """Return the totals over the episodes in ``chosen``, or over all others."""
    home_of: Dict[str, str] = {result.episode: result.home for result in runs[0].results}
    names = [name for name in home_of if (name in chosen) == inside]
    homes = {home: index for index, home in enumerate(sorted(set(home_of.values())))}
    index = [homes[home_of[name]] for name in names]
    solved = []
    for run in runs:
        success = success_by_episode(run.results)
        solved.append(np.bincount(index, weights=[success[name] for name in names], minlength=len(homes)))
    episodes = np.bincount(index, minlength=len(homes)).astype(np.float64)
    return _Totals(np.array(solved, dtype=np.float64), episodes)


def _line(run: RunData, chosen: frozenset[str], suite: Suite) -> MiniLine:
    subset = [result for result in run.results if result.episode in chosen]
    return MiniLine(
        name=row_name(run),
        mini=rate(success_sample(subset)),
        mini_homes=len({result.home for result in subset}),
        full=rate(success_sample(run.results)),
        homes=size(run)[1],
        command=command_of(run.identity, suite),
    )


def _kendall(first: Floats, second: Floats) -> float:
    """Return Kendall's tau-b, NaN where one side ranks nothing."""
    return float(stats.kendalltau(first, second).statistic)


def _spearman(first: Floats, second: Floats) -> float:
    """Return Spearman's rho, NaN where one side ranks nothing."""
    if np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)
