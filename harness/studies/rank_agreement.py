"""Do two ways to measure world models rank them alike? Rank correlations with a percentile bootstrap over homes.

So of the subset `mini` and the whole test split. Nothing is played again for it: an episode's outcome depends on no
other, so the 96 are taken out of the whole runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.errors import Refusal
from harness.contracts.results import Metric
from harness.scoring.data import RunData
from harness.scoring.intervals import Floats
from harness.scoring.metrics import rate, success_sample
from harness.scoring.rank_correlations import kendall, spearman
from harness.scoring.references import row_name
from harness.studies.paired_differences import size, success_by_episode
from harness.studies.run_selection import SPLIT, Found, Missing, command_of
from tasks.subsets import mini
from tasks.suite import Suite

RESAMPLES = 1_000
SEED = 20_251_124
FEWEST = 3
"""Fewer world models than this are not ranked."""

DIGITS = 12
"""Means are rounded before they are ranked: equal counts must tie, in whatever order they were summed."""

Correlation = Callable[[Floats, Floats], float]


@dataclass(frozen=True)
class Totals:
    """Sums of some number by world model and home [models, homes], and how many numbers each home gave [homes]."""

    sums: Floats
    counts: Floats

    def means(self, weights: Floats) -> Floats:
        """Return the mean of each world model with homes counted ``weights`` times, rounded so that ties are ties."""
        count = float(np.sum(self.counts * weights))
        sums = np.sum(self.sums * weights, axis=1)
        means: Floats = np.round(sums / count, DIGITS) if count else np.zeros_like(sums)
        return means


def drawn_homes(homes: int, resamples: int, seed: int = SEED) -> Floats:
    """Return how often each home is drawn in each bootstrap sample, float64 [resamples, homes]."""
    counts = np.random.default_rng(seed).multinomial(homes, np.full(homes, 1.0 / homes), size=resamples)
    return counts.astype(np.float64)


def agreement(
    correlation: Correlation, first: Totals, second: Totals, first_drawn: Floats, second_drawn: Floats
) -> Metric:
    """Return a rank correlation over world models with its interval; ``n`` is their number.

    ``*_drawn`` are bootstrap samples of each side's homes: the same ones where both are measured in the same homes.
    """
    value = correlation(first.means(np.ones(len(first.counts))), second.means(np.ones(len(second.counts))))
    drawn = [correlation(first.means(a), second.means(b)) for a, b in zip(first_drawn, second_drawn, strict=True)]
    low, high = np.nanquantile(drawn, (0.025, 0.975)) if np.any(np.isfinite(drawn)) else (np.nan, np.nan)
    return Metric(value, float(low), float(high), len(first.sums))


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
    """Return the table of each tier that has runs for it; a tier without any, or without a subset, is told."""
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
        found_alike = agree(runs, chosen, resamples) if len(runs) >= FEWEST else None
        if found_alike is None:
            missing.append(Missing(f"{tier}: {len(runs)} world models, too few to rank", ""))
        tables.append(MiniTable(tier, tuple(lines), found_alike))
    return tuple(tables)


def agree(runs: Sequence[RunData], chosen: frozenset[str], resamples: int = RESAMPLES) -> Agreement:
    """Return how alike the subset ``chosen`` and the whole rank the runs, which share their episodes."""
    of_mini, of_rest = _by_home(runs, chosen, inside=True), _by_home(runs, chosen, inside=False)
    drawn = drawn_homes(len(of_mini.counts), resamples)
    whole = Totals(of_mini.sums + of_rest.sums, of_mini.counts + of_rest.counts)

    def metric(correlation: Correlation, other: Totals) -> Metric:
        return agreement(correlation, of_mini, other, drawn, drawn)

    return Agreement(
        kendall=metric(kendall, whole),
        spearman=metric(spearman, whole),
        kendall_rest=metric(kendall, of_rest),
        spearman_rest=metric(spearman, of_rest),
    )


def _by_home(runs: Sequence[RunData], chosen: frozenset[str], inside: bool) -> Totals:
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
    return Totals(np.array(solved, dtype=np.float64), episodes)


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
