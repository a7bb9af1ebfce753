"""What a measurement on a decision bank says: each measure with its interval over homes, and paired differences.

A state in which the world model failed keeps its place where a rate is counted, as a failed episode does in a run:
its choice counts as wrong. Means of metres and correlations are over the states that were answered.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Mapping, Optional

from harness.contracts.errors import Refusal
from harness.contracts.failures import distinct
from harness.contracts.manifests import ENVIRONMENT
from harness.contracts.metrics import OVER_PLANNED, MetricSpec
from harness.contracts.results import PLAYED, EpisodeResult, Metric
from harness.records.banks import BANK_HASH
from harness.records.roots import trajectory_root
from harness.scoring.comparing_tests import permutation_test
from harness.scoring.data import RunData
from harness.scoring.intervals import Sample, mean_interval
from harness.scoring.metrics import metric_of, planned_rate, state_counts, timings_table
from harness.scoring.references import row_name
from harness.scoring.retries import retries
from harness.scoring.summary import findings_plain

WORLD_MODEL_ROLE, FURTHER_VIEW_ROLE = "world model", "further view"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Difference:
    """One measure of a measurement minus another's on the same states, with its t interval over homes.

    ``p`` is the two-sided sign-flip test of whole homes.
    """

    value: Metric
    homes: int
    p: float


def measure_table(run: RunData) -> Dict[str, Optional[Metric]]:
    """Return every measure by name; None where no state has it (a reference that scores nothing ranks nothing)."""
    return {
        spec.name: planned_rate(run.results, spec) if spec.pooling == OVER_PLANNED else metric_of(run.results, spec)
        for spec in run.metrics
    }


def differences(run: RunData, other: RunData) -> Dict[str, Optional[Difference]]:
    """Return each measure of ``run`` minus that of ``other``, over the states in which both have it; None without any.

    Refusal where the two were not asked in the same states with the same loop.
    """
    check_same_states(run, other)
    found: Dict[str, Optional[Difference]] = {}
    for spec in (spec for spec in run.metrics if spec.compared):
        first, second = _by_state(run, spec.key), _by_state(other, spec.key)
        shared = [result for result in run.results if result.episode in first and result.episode in second]
        found[spec.name] = _difference(spec, shared, first, second) if shared else None
    return found


def check_same_states(run: RunData, other: RunData) -> None:
    """Raise Refusal unless two measurements were asked in the same states of the same tier."""
    for what, first, second in (
        ("states", run.identity.specs.get(BANK_HASH), other.identity.specs.get(BANK_HASH)),
        ("suite hash", run.identity.suite_hash, other.identity.suite_hash),
    ):
        if first != second:
            raise Refusal(
                f"{row_name(run)} was measured on the {what} {str(first)[:12]}, {row_name(other)} on "
                f"{str(second)[:12]}.",
                "Measure both on the same tier and version of the bank.",
            )


def as_results(run: RunData, measured: Mapping[str, Optional[Metric]]) -> Dict[str, Any]:
    """Return the JSON-ready ``results.json`` of a measurement, without its rows; what does not exist is None."""
    identity = run.identity
    counts = state_counts(run.results)
    answered = counts["ok"] + counts["failed"]
    states = {
        "planned": counts["planned"],
        "answered": answered,
        "error": counts["error"] + counts["timeout"],
        "pending": counts["pending"],
    }
    return {
        "schema": SCHEMA_VERSION,
        "kind": "bank",
        "suite": identity.suite,
        "suite_hash": identity.suite_hash,
        "bank_hash": identity.specs.get(BANK_HASH),
        "task": identity.task,
        "tier": identity.tier,
        "split": identity.split,
        "view": identity.view,
        "wm": identity.wm,
        "wm_manifest_hash": identity.wm_manifest_hash,
        "wm_digests": dict(identity.wm_digests),
        "wm_overrides": dict(identity.wm_overrides),
        "stamps": list(run.stamps),
        "retries": asdict(retries(run.rows)),
        "failures": [asdict(failures) for failures in distinct(run.results)],
        "planner": identity.planner,
        "seed": identity.seeds[0],
        "simulator": simulator_role(run),
        "states": states,
        "partial": answered < counts["planned"],
        **findings_plain(run.findings),
        "homes": len({result.home for result in run.results}),
        "measures": {name: None if metric is None else _plain(metric) for name, metric in sorted(measured.items())},
        "trajectory_root": trajectory_root(run.rows),
        "timings": {phase: dict(seconds) for phase, seconds in timings_table(run.results).items()},
    }


def simulator_role(run: RunData) -> Optional[str]:
    """Return what a simulator was started for: ``world model``, ``further view``; None where none was."""
    if run.record.execution.get("environment") is None:
        return None
    return WORLD_MODEL_ROLE if run.identity.wm_manifest.get("kind") == ENVIRONMENT else FURTHER_VIEW_ROLE


def differences_as_plain(found: Mapping[str, Optional[Difference]]) -> Dict[str, Any]:
    """Return differences in the form that ``results.json`` holds them."""
    return {name: None if d is None else {**_plain(d.value), "homes": d.homes, "p": d.p} for name, d in found.items()}


def _difference(
    spec: MetricSpec, rows: List[EpisodeResult], first: Mapping[str, float], second: Mapping[str, float]
) -> Difference:
    sample = Sample.of([first[row.episode] - second[row.episode] for row in rows], [row.home for row in rows])
    value = Metric(float(sample.values.mean()), *mean_interval(sample, spec.interval_of_difference), len(sample))
    return Difference(value, sample.homes, permutation_test(sample.home_sums(sample.values)))


def _by_state(run: RunData, key: str) -> Dict[str, float]:
    answered = [result for result in run.results if result.state in PLAYED and key in result.metrics]
    return {result.episode: float(result.metrics[key]) for result in answered}


def _plain(metric: Metric) -> Dict[str, Any]:
    """Return a metric with None for an end of an interval that does not exist."""
    numbers = {"value": metric.value, "low": metric.low, "high": metric.high}
    return {**{name: value if value == value else None for name, value in numbers.items()}, "n": metric.n}
