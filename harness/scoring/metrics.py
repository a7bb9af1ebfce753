"""The metrics of a run, each with its interval over homes.

Rates count every planned episode: an episode that broke, timed out or was never played counts as not solved, so
that a model cannot gain by failing. Lengths, distances and counts are means over the played episodes, because an
episode that broke has none.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence

from harness.contracts.metrics import INDEPENDENT_SUCCESS, OVER_PLANNED, OVER_PLAYED, SUCCESS, MetricSpec
from harness.contracts.results import OK, PLAYED, EpisodeResult, Metric
from harness.scoring.bounds import Bounds
from harness.scoring.intervals import Sample, mean_interval, rate_interval, wilson_interval


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


def metrics_table(results: Sequence[EpisodeResult], specs: Sequence[MetricSpec]) -> Dict[str, Metric]:
    """Return every metric of a run by name: success, then those that ``specs`` declare, in their order.

    ``success_rate`` is the headline; ``success_rate_wilson`` is the same rate with the interval of independent
    episodes, shown so that the cost of shared homes is visible. Metrics that no episode reports are left out.
    """
    success = success_sample(results)
    table = {SUCCESS.name: rate(success), INDEPENDENT_SUCCESS.name: _wilson_metric(success)}
    for spec in specs:
        found = metric_of(results, spec) if spec.pooling in (OVER_PLANNED, OVER_PLAYED) else None
        if found is not None:
            table[spec.name] = found
    return table


def metric_of(results: Sequence[EpisodeResult], spec: MetricSpec) -> Optional[Metric]:
    """Return one metric of a run, pooled over its episodes as ``spec`` says; None where no episode reports it."""
    rows = [r for r in results if r.state in PLAYED and spec.key in r.metrics]
    if not rows:
        return None
    if spec.pooling == OVER_PLANNED:
        return planned_rate(results, spec)
    return mean(Sample.of([_value(r, spec) for r in rows], [r.home for r in rows]), spec.interval)


def planned_rate(results: Sequence[EpisodeResult], spec: MetricSpec) -> Metric:
    """Return a rate over every planned episode; one that was not played to its end, or does not report it, counts 0."""
    return rate(Sample.of([_played_value(r, spec) for r in results], [r.home for r in results]))


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


def _played_value(result: EpisodeResult, spec: MetricSpec) -> float:
    return _value(result, spec) if result.state in PLAYED and spec.key in result.metrics else 0.0


def _value(result: EpisodeResult, spec: MetricSpec) -> float:
    """Return an episode's number; of a damaged one, which lies where none can, the nearest: its report is made too."""
    low, high = spec.interval
    return min(max(float(result.metrics[spec.key]), low), high)


def _wilson_metric(success: Sample) -> Metric:
    low, high = wilson_interval(float(success.values.sum()), len(success))
    return Metric(_mean(success), low, high, len(success))


def _mean(sample: Sample) -> float:
    return float(sample.values.mean()) if len(sample) else float("nan")
