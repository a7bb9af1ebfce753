"""Compares runs of several world models on the same episodes: who solves more, by how much, and is it more than luck?

One run is the baseline, and each other run is contrasted with it. The primary test is the home-clustered sign-flip
test of success, corrected over all contrasts; everything else is shown beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.contracts.metrics import OVER_PLANNED, MetricSpec, telling_first
from harness.contracts.printing import counted
from harness.contracts.results import OK, PLANNED, PLAYED, EpisodeResult, Metric
from harness.records.identity import EpisodeKey
from harness.scoring.comparing_effect import MARGIN, equivalence_test, success_effect
from harness.scoring.comparing_matching import Terms, check_comparable
from harness.scoring.comparing_power import ALPHA, detectable_difference
from harness.scoring.comparing_tests import Outcomes, holm, mcnemar_test, permutation_test, sign_flip_test
from harness.scoring.data import RunData
from harness.scoring.intervals import Floats, Sample, mean_interval
from harness.scoring.metrics import rate, success_sample

SCHEMA_VERSION = 1

FEWEST_HOMES = 50
"""Homes below which a comparison says so: the checks of docs/comparing.md were made with at least this many."""


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs: ``label`` is unique among them; ``success`` is over the compared pairs."""

    label: str
    run_id: str
    wm: str
    wm_manifest_hash: str
    overrides: Mapping[str, Any]
    stamps: Tuple[str, ...]
    success: Metric


@dataclass(frozen=True)
class NumberContrast:
    """The paired difference (other - baseline) of one number a pair, with its p-value over homes.

    ``name`` is the key of the episodes' number. ``adjusted_p`` is Holm's over all numbers of all contrasts.
    """

    name: str
    baseline: float
    other: float
    difference: Metric
    p: float
    adjusted_p: float


@dataclass(frozen=True)
class Contrast:
    """One run against the baseline.

    ``difference`` is of success rates, other - baseline. ``p`` is the home-clustered sign-flip test and ``adjusted_p``
    Holm's over all contrasts; ``mcnemar_p`` takes pairs as independent. ``equivalence_p`` is that of a difference of at
    least ``margin``, adjusted over all contrasts in ``adjusted_equivalence_p``. ``detectable`` is the smallest true
    difference found with 80 % power. In ``homes_more`` homes the run solved more than the baseline, in ``homes_fewer``
    fewer. ``other`` is an index into the runs.
    """

    other: int
    outcomes: Outcomes
    difference: Metric
    p: float
    adjusted_p: float
    mcnemar_p: float
    equivalence_p: float
    adjusted_equivalence_p: float
    homes_more: int
    homes_fewer: int
    design_effect: float
    discordance: float
    detectable: Optional[float]
    numbers: Tuple[NumberContrast, ...]

    @property
    def verdict(self) -> str:
        """Return ``more``, ``fewer``, ``equivalent`` or ``undecided``: what the adjusted p-values allow to say."""
        if self.adjusted_p <= ALPHA and self.difference.value != 0.0:
            return "more" if self.difference.value > 0.0 else "fewer"
        return "equivalent" if self.adjusted_equivalence_p <= ALPHA else "undecided"


@dataclass(frozen=True)
class Comparison:
    """Everything that comparing runs says; ``baseline`` is an index into ``runs``, ``pairs`` counts (episode, seed).

    ``metrics`` are those that all runs have, in the order in which they are compared.
    """

    runs: Tuple[ComparedRun, ...]
    baseline: int
    pairs: int
    planned: int
    homes: int
    margin: float
    contrasts: Tuple[Contrast, ...]
    notes: Tuple[str, ...]
    metrics: Tuple[MetricSpec, ...]


@dataclass(frozen=True)
class Pairs:
    """The results of every run for the same (episode, seed) keys, in the order of the first run's plan."""

    keys: Tuple[EpisodeKey, ...]
    homes: Tuple[str, ...]
    results: Tuple[Tuple[EpisodeResult, ...], ...]


def compare(runs: Sequence[RunData], baseline: int = 0, terms: Optional[Terms] = None) -> Comparison:
    """Return the comparison of each run with ``runs[baseline]``; Refusal where the runs may not be compared."""
    notes = check_comparable(runs, terms or Terms())
    pairs = pair(runs)
    names, specs = labels(runs), _shared_metrics(runs)
    others = [index for index in range(len(runs)) if index != baseline]
    contrasts = _adjusted([_contrast(pairs, specs, baseline, other) for other in others])
    compared = tuple(
        _compared_run(run, name, results) for run, name, results in zip(runs, names, pairs.results, strict=True)
    )
    homes = len(set(pairs.homes))
    if homes < FEWEST_HOMES:
        few = f"{counted(homes, 'home')} {'is' if homes == 1 else 'are'} few"
        notes = (*notes, f"{few}: intervals and tests are checked for {FEWEST_HOMES} and more.")
    planned = len(runs[0].results)
    return Comparison(compared, baseline, len(pairs.keys), planned, homes, MARGIN, tuple(contrasts), notes, specs)


def pair(runs: Sequence[RunData]) -> Pairs:
    """Return the pairs that every run has played or broken at; Refusal where there is none."""
    by_key = [{row.key: row.result for row in run.rows} for run in runs]
    keys = tuple(row.key for row in runs[0].rows if all(results[row.key].state != PLANNED for results in by_key))
    if not keys:
        raise Refusal("these runs share no played episode.", "Resume them with --resume.")
    return Pairs(
        keys,
        tuple(by_key[0][key].home for key in keys),
        tuple(tuple(results[key] for key in keys) for results in by_key),
    )


def labels(runs: Sequence[RunData]) -> Tuple[str, ...]:
    """Return a unique label for each run: the world model, its overrides where there are some, else its run's end."""
    names = []
    for run in runs:
        overrides = ", ".join(f"{key}={value}" for key, value in run.identity.wm_overrides.items())
        names.append(f"{run.identity.wm} ({overrides})" if overrides else run.identity.wm)
    return tuple(
        name if names.count(name) == 1 else f"{name} [{run.record.run_id.rpartition('-')[2]}]"
        for name, run in zip(names, runs, strict=True)
    )


def as_plain(comparison: Comparison) -> Dict[str, Any]:
    """Return the JSON-ready form of a comparison; numbers that do not exist are None."""
    plain: Dict[str, Any] = {"schema": SCHEMA_VERSION, **without_nan(to_plain(comparison))}
    del plain["metrics"]
    for row, contrast in zip(plain["contrasts"], comparison.contrasts, strict=True):
        row["verdict"] = contrast.verdict
    return plain


def _compared_run(run: RunData, label: str, results: Sequence[EpisodeResult]) -> ComparedRun:
    identity = run.identity
    return ComparedRun(
        label=label,
        run_id=run.record.run_id,
        wm=identity.wm,
        wm_manifest_hash=identity.wm_manifest_hash,
        overrides=dict(identity.wm_overrides),
        stamps=run.stamps,
        success=rate(success_sample(results)),
    )


def _shared_metrics(runs: Sequence[RunData]) -> Tuple[MetricSpec, ...]:
    shared = set.intersection(*({spec.key for spec in run.metrics} for run in runs))
    return telling_first(spec for spec in runs[0].metrics if spec.key in shared)


def _contrast(pairs: Pairs, specs: Sequence[MetricSpec], baseline: int, other: int) -> Contrast:
    """Return one contrast, its p-values not adjusted yet."""
    solved_before = np.array([result.state == OK for result in pairs.results[baseline]])
    solved_after = np.array([result.state == OK for result in pairs.results[other]])
    outcomes = Outcomes.of(solved_before, solved_after)
    differences = Sample.of((solved_after.astype(float) - solved_before.astype(float)).tolist(), pairs.homes)
    effect = success_effect(differences)
    home_sums = np.rint(differences.home_sums(differences.values)).astype(np.int64)
    p = sign_flip_test(home_sums)
    equivalence_p = equivalence_test(effect)
    return Contrast(
        other=other,
        outcomes=outcomes,
        difference=Metric(effect.value, *effect.interval(), len(pairs.keys)),
        p=p,
        adjusted_p=p,
        mcnemar_p=mcnemar_test(outcomes),
        equivalence_p=equivalence_p,
        adjusted_equivalence_p=equivalence_p,
        homes_more=int(np.sum(home_sums > 0)),
        homes_fewer=int(np.sum(home_sums < 0)),
        design_effect=effect.design_effect,
        discordance=(outcomes.only_baseline + outcomes.only_other) / outcomes.pairs,
        detectable=detectable_difference(effect),
        numbers=_numbers(pairs, specs, baseline, other),
    )


def _numbers(pairs: Pairs, specs: Sequence[MetricSpec], baseline: int, other: int) -> Tuple[NumberContrast, ...]:
    """Return the contrast of each number: over all pairs where an episode that broke has one (0), else over the pairs
    that both runs played to their end."""
    before, after = pairs.results[baseline], pairs.results[other]
    found = []
    for spec in (spec for spec in specs if spec.compared):
        over_all, key = spec.pooling == OVER_PLANNED, spec.key
        kept = [i for i in range(len(before)) if over_all or (_has(before[i], key) and _has(after[i], key))]
        if not kept or not all(any(_has(result, key) for result in results) for results in (before, after)):
            continue
        homes = [pairs.homes[i] for i in kept]
        found.append(_number(spec, _values(before, kept, key), _values(after, kept, key), homes))
    return tuple(found)


def _number(spec: MetricSpec, before: Floats, after: Floats, homes: Sequence[str]) -> NumberContrast:
    sample = Sample.of((after - before).tolist(), homes)
    low, high = mean_interval(sample, spec.interval_of_difference)
    p = permutation_test(sample.home_sums(sample.values))
    difference = Metric(float(sample.values.mean()), low, high, len(sample))
    return NumberContrast(spec.key, float(before.mean()), float(after.mean()), difference, p, p)


def _has(result: EpisodeResult, name: str) -> bool:
    return result.state in PLAYED and name in result.metrics


def _values(results: Sequence[EpisodeResult], kept: Sequence[int], name: str) -> Floats:
    return np.array([results[i].metrics[name] if _has(results[i], name) else 0.0 for i in kept])


def _adjusted(contrasts: Sequence[Contrast]) -> List[Contrast]:
    """Return the contrasts with Holm's p-values: success over contrasts, numbers over contrasts and numbers."""
    ps = holm([contrast.p for contrast in contrasts])
    equivalence_ps = holm([contrast.equivalence_p for contrast in contrasts])
    number_ps = iter(holm([number.p for contrast in contrasts for number in contrast.numbers]))
    return [
        replace(
            contrast,
            adjusted_p=p,
            adjusted_equivalence_p=equivalence_p,
            numbers=tuple(replace(number, adjusted_p=next(number_ps)) for number in contrast.numbers),
        )
        for contrast, p, equivalence_p in zip(contrasts, ps, equivalence_ps, strict=True)
    ]


def without_nan(value: Any) -> Any:
    """Return plain data with None for every number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
