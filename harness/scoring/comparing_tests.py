"""Tests of paired runs: is a difference more than luck?

Both runs play the same episodes, so each pair is its own control. Episodes of a home share walls, light and furniture,
and two world models can differ from home to home, so the home is what was sampled: the tests that decide flip whole
homes. With 10 homes and models that interact with them, McNemar's test, which takes episodes as independent, calls luck
a difference far more often than it promises (docs/comparing.md).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.scoring.intervals import Floats

RESAMPLES = 19_999
"""Sign assignments that are drawn where there are too many to list; 14 homes or fewer are listed in full."""

SEED = 20_251_018
"""Seed of those draws: the same runs have the same p-value whoever compares them."""

BATCH = 2_000


@dataclass(frozen=True)
class Outcomes:
    """The paired outcomes of two runs, in numbers of (episode, seed) pairs."""

    both: int
    only_baseline: int
    only_other: int
    neither: int

    @property
    def pairs(self) -> int:
        """Return the number of pairs."""
        return self.both + self.only_baseline + self.only_other + self.neither

    @staticmethod
    def of(baseline: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> Outcomes:
        """Count the outcomes of bool [pairs] of each run."""
        return Outcomes(
            both=int(np.sum(baseline & other)),
            only_baseline=int(np.sum(baseline & ~other)),
            only_other=int(np.sum(~baseline & other)),
            neither=int(np.sum(~baseline & ~other)),
        )


def sign_flip_test(home_sums: npt.NDArray[np.int64]) -> float:
    """Return the exact two-sided p-value of differences in success, homes as clusters: the primary test.

    ``home_sums`` [homes] are the sums over each home's pairs of (other solved - baseline solved). If the two world
    models are alike, exchanging them in any home changes nothing, so every sum is as likely with the other sign; the
    test asks how often such flips give a total at least as far from zero. Sums of successes are whole numbers, so the
    distribution over all 2^homes flips is a convolution and needs neither listing nor drawing.
    """
    steps, counts = np.unique(np.abs(home_sums[home_sums != 0]), return_counts=True)
    chances = np.ones(1)  # of every flipped total from -total to total
    for step, count in zip(steps.tolist(), counts.tolist()):  # homes with equal sums are flipped together
        flips = np.zeros(2 * step * count + 1)
        flips[:: 2 * step] = _coins(count)
        chances = np.convolve(chances, flips)
    total = len(chances) // 2
    seen = abs(int(home_sums.sum()))
    return min(1.0, float(chances[: total - seen + 1].sum() + chances[total + seen :].sum()))


@functools.lru_cache(maxsize=4096)
def _coins(count: int) -> Floats:
    """Return the chances of 0..count heads of so many coins; by squaring, so that no factorial leaves the floats."""
    chances, coin = np.ones(1), np.array([0.5, 0.5])
    for bit in f"{count:b}":
        chances = np.convolve(chances, chances)
        chances = np.convolve(chances, coin) if bit == "1" else chances
    return chances


def permutation_test(home_sums: Floats, resamples: int = RESAMPLES) -> float:
    """Return the two-sided p-value of differences in any number (SPL, metres), homes as clusters.

    The same flips as in `sign_flip_test`, of ``home_sums`` float64 [homes]: all of them where they are at most
    ``resamples``, else as many drawn with a fixed seed (then the observed one counts as drawn too, so that no p-value
    is 0). Homes without a difference cannot change the total and are left out; with one home left, both flips are as
    far from zero.
    """
    sums = home_sums[home_sums != 0.0]
    if len(sums) < 2:
        return 1.0
    from scipy import stats

    result = stats.permutation_test(
        (sums,),
        _total,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=BATCH,
        random_state=np.random.default_rng(SEED),
    )
    return float(result.pvalue)


def mcnemar_test(outcomes: Outcomes) -> float:
    """Return the p-value of the exact McNemar test, which takes pairs as independent; shown beside the primary."""
    from scipy import stats

    pairs = outcomes.only_baseline + outcomes.only_other
    return float(stats.binomtest(outcomes.only_baseline, pairs).pvalue) if pairs else 1.0


def holm(p_values: Sequence[float]) -> Tuple[float, ...]:
    """Return p-values adjusted by Holm's method: compared with .05, all of them together err in at most 5 %.

    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    plain = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(plain, kind="stable")
    scaled = plain[order] * np.arange(len(plain), 0, -1)
    adjusted = np.empty_like(plain)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return tuple(adjusted.tolist())


def _total(sums: Floats, axis: int) -> Floats:
    totals: Floats = np.sum(sums, axis=axis)
    return totals
