"""The metrics of a run, each with its interval over homes.

Rates count every planned episode: an episode that broke, timed out or was never played counts as not solved, so
that a model cannot gain by failing. Lengths, distances and counts are means over the played episodes, because an
episode that broke has none.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence

from harness.contracts.results import OK, PLAYED, EpisodeResult, Metric
from harness.scoring.bounds import Bounds, bounds_of
from harness.scoring.intervals import Sample, mean_interval, rate_interval, wilson_interval

OVER_PLANNED = {"spl": "spl", "spl_m": "spl_m", "reached_rate": "reached"}
"""Metrics in [0, 1] over every planned episode, and the per-episode number that each averages."""

OVER_PLAYED = ("path_m", "actions", "decisions", "rollouts", "collisions", "final_distance_m")
"""Metrics averaged over played episodes."""


def success_sample(results: Sequence[EpisodeResult]) -> Sample:
    """Return 1 for each solved and 0 for each other planned episode."""
    return Sample.of([float(r.state == OK) for r in results], [r.home for r in results])


def rate(sample: Sample) -> Metric:
    """Return the mean of values in [0, 1] with its interval; NaN when the sample is empty."""
    low, high = rate_interval(sample)
    return Metric(_mean(sample), low, high, len(sample))


def mean(sample: Sample, bounds: Bounds) -> Metric:
    """Return the mean of values between ``bounds`` with its interval; NaN where there is nothing to average."""
    low, high = mean_interval(sample, bounds)
    return Metric(_mean(sample), low, high, len(sample))


def metrics_table(results: Sequence[EpisodeResult]) -> Dict[str, Metric]:
    """Return every metric of a run by name.

    ``success_rate`` is the headline; ``success_rate_wilson`` is the same rate with the interval of independent
    episodes, shown so that the cost of shared homes is visible. Metrics that no episode reports are left out.
    """
    success = success_sample(results)
    table = {"success_rate": rate(success), "success_rate_wilson": _wilson_metric(success)}
    homes = [r.home for r in results]
    for name, key in OVER_PLANNED.items():
        if any(key in r.metrics for r in results):
            table[name] = rate(Sample.of([_played_value(r, key) for r in results], homes))
    for name in OVER_PLAYED:
        rows = [r for r in results if r.state in PLAYED and name in r.metrics]
        if rows:
            table[name] = mean(Sample.of([r.metrics[name] for r in rows], [r.home for r in rows]), bounds_of(name))
    return table


def state_counts(results: Sequence[EpisodeResult]) -> Dict[str, int]:
    """Return how many episodes were planned, and how many are ``ok``, ``failed``, ``error``, ``timeout``, ``pending``.

    ``planned`` is the denominator of the rates; ``pending`` are those that nobody has played yet.
    """
    counts = {"planned": len(results), "ok": 0, "failed": 0, "error": 0, "timeout": 0, "pending": 0}
    for result in results:
        counts["pending" if result.state == "planned" else result.state] += 1
    return counts


def timings_table(results: Sequence[EpisodeResult]) -> Dict[str, Mapping[str, float]]:
    """Return seconds by phase: total over the run and mean of the episodes that report the phase."""
    by_phase: Dict[str, List[float]] = {}
    for result in results:
        for phase, seconds in result.timings.items():
            by_phase.setdefault(phase, []).append(seconds)
    return {
        phase: {"total_s": sum(values), "mean_s": sum(values) / len(values)}
        for phase, values in sorted(by_phase.items())
    }


def _played_value(result: EpisodeResult, key: str) -> float:
    return float(result.metrics.get(key, 0.0)) if result.state in PLAYED else 0.0


def _wilson_metric(success: Sample) -> Metric:
    low, high = wilson_interval(float(success.values.sum()), len(success))
    return Metric(_mean(success), low, high, len(success))


def _mean(sample: Sample) -> float:
    return float(sample.values.mean()) if len(sample) else float("nan")
