"""The summary of a run: the contents of ``results.json`` but for its episode rows.

One place builds it, so that the report, the exports and the command line can never disagree about a number.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Dict, Mapping, Optional, Tuple

from harness.contracts.failures import Failures, distinct
from harness.contracts.metrics import SUCCESS
from harness.contracts.results import PLAYED, Metric
from harness.contracts.search import SEARCH
from harness.records.damage import Findings
from harness.records.identity import POLICY, ImageRecord, RunIdentity
from harness.records.proposals import ProposalCounts
from harness.records.roots import trajectory_root
from harness.scoring.data import ReferencePoint, RunData
from harness.scoring.dose_curves import DoseCurve, Equivalent, equivalents
from harness.scoring.gap import Gap, gap_rows, gaps
from harness.scoring.metrics import metrics_table, state_counts, timings_table
from harness.scoring.references import CEILING, ReferenceRow, reference_table
from harness.scoring.retries import Retries, retries
from harness.scoring.verdict import PARTIAL, Verdict, judge

SCHEMA_VERSION = 1

IDENTITY = (
    "suite",
    "suite_hash",
    "task",
    "tier",
    "split",
    "stop",
    "view",
    "wm",
    "wm_manifest_hash",
    "wm_digests",
    "wm_overrides",
    "planner",
)
"""What ``results.json`` copies from ``run.json`` to say which run its numbers belong to."""

FACTS = ("height", "width", "frames", "steps", "guidance", "fps", "dtype", "weights", "settings")
"""What ``results.json`` says of how a world model was run; the manifest's hash covers the rest."""


@dataclass(frozen=True)
class Context:
    """What a summary needs beyond the run itself: reference runs, frozen references, the suite's baseline, and how
    often this world model was run on the test split here (``test_runs``). ``curves`` are the suite's dose curves,
    ``splits`` the numbers of episodes of the tier's splits, and ``folder`` is the run's folder as a command names it
    ("": its id). ``references`` are the world models of the tier's references."""

    reference_runs: Mapping[str, RunData]
    frozen_references: Mapping[str, ReferencePoint]
    baseline: str
    test_runs: int
    curves: Tuple[DoseCurve, ...] = ()
    splits: Mapping[str, int] = field(default_factory=dict)
    folder: str = ""
    references: Tuple[str, ...] = ()


NO_CONTEXT = Context({}, {}, "", 0)
"""A run on its own: no references, nothing counted."""


@dataclass(frozen=True)
class Summary:
    """Everything that a run says, typed; `as_results` turns it into the plain data of ``results.json``."""

    run_id: str
    identity: RunIdentity
    episodes: Mapping[str, int]
    homes: int
    metrics: Mapping[str, Metric]
    gap: Mapping[str, Gap]
    references: Tuple[ReferenceRow, ...]
    baseline: str
    timings: Mapping[str, Mapping[str, float]]
    trajectory_root: str
    test_runs: int
    equivalents: Tuple[Equivalent, ...]
    findings: Findings
    stamps: Tuple[str, ...]
    retries: Retries
    failures: Tuple[Failures, ...]
    verdict: Verdict
    notes: Tuple[str, ...] = ()
    proposals: Optional[ProposalCounts] = None

    @property
    def played(self) -> int:
        """Return how many episodes were played to their end."""
        return self.episodes["ok"] + self.episodes["failed"]

    @property
    def partial(self) -> bool:
        """Say whether any planned episode was not played to its end."""
        return self.played < self.episodes["planned"]


def summarise(run: RunData, context: Context = NO_CONTEXT) -> Summary:
    """Return the summary of a run; reads every trajectory once."""
    metrics = metrics_table(run.results, run.metrics)
    references = reference_table(run, context.reference_runs, context.frozen_references, context.baseline)
    worth = equivalents(metrics[SUCCESS.name], _curves(run, context))
    folder = context.folder or run.record.run_id
    return Summary(
        run_id=run.record.run_id,
        identity=run.identity,
        episodes=state_counts(run.results),
        homes=len({r.home for r in run.results}),
        metrics=metrics,
        gap=gaps(gap_rows(run), run.metrics),
        references=references,
        baseline=context.baseline,
        timings=timings_table(run.results),
        trajectory_root=trajectory_root(run.rows),
        test_runs=context.test_runs,
        equivalents=worth,
        stamps=run.stamps,
        retries=retries(run.rows),
        failures=distinct(run.results),
        verdict=_verdict(run, judge(run, references, context.baseline, worth, context.splits, folder), context),
        findings=run.findings,
        notes=run.notes,
        proposals=run.proposals,
    )


def _verdict(run: RunData, verdict: Verdict, context: Context) -> Verdict:
    """Return a verdict without the command that would tell more of one of the suite's own references: the suite knows.

    How a partial run is continued is said of all.
    """
    is_reference = run.identity.wm in context.references and not run.identity.wm_overrides
    return replace(verdict, next_step="") if is_reference and verdict.kind != PARTIAL else verdict


def _curves(run: RunData, context: Context) -> Tuple[DoseCurve, ...]:
    """Return the dose curves that a run's success may be read on: none of a partial run, nor of the ceiling itself."""
    played = all(result.state in PLAYED for result in run.results) and not run.findings.damage
    is_ceiling = run.identity.wm == CEILING and not run.identity.wm_overrides
    if not played or is_ceiling or not run.results:
        return ()
    return tuple(curve for curve in context.curves if curve.fits(run.identity))


def as_results(summary: Summary) -> Dict[str, Any]:
    """Return the plain, JSON-ready form of a summary: the schema of ``results.json``, without episode rows.

    Numbers that do not exist (the interval of a single value) are None: JSON has no NaN.
    """
    plain: Dict[str, Any] = {"schema": SCHEMA_VERSION, "run_id": summary.run_id}
    plain.update({key: getattr(summary.identity, key) for key in IDENTITY})
    search = summary.identity.search.given
    plain.update(
        {
            "stamps": list(summary.stamps),
            "retries": asdict(summary.retries),
            "failures": [asdict(failures) for failures in summary.failures],
            "wm_facts": {name: summary.identity.wm_manifest.get(name) for name in FACTS},
            "wm_image": _image_plain(summary.identity.wm_image),
            "seeds": list(summary.identity.seeds),
            **({SEARCH: dict(search)} if search else {}),
            **({} if summary.identity.batch_wait_ms is None else {"batch_wait_ms": summary.identity.batch_wait_ms}),
            **_proposer_plain(summary),
            "partial": summary.partial,
            **findings_plain(summary.findings),
            "verdict": asdict(summary.verdict),
            "episodes": dict(summary.episodes),
            "episodes_subset": summary.identity.episodes_subset,
            "homes": summary.homes,
            "metrics": {name: metric_plain(m) for name, m in summary.metrics.items()},
            "gap": {name: _gap_plain(g) for name, g in summary.gap.items()},
            "trajectory_root": summary.trajectory_root,
            "baseline": summary.baseline or None,
            "references": [_reference_plain(row) for row in summary.references],
            "timings": {phase: dict(seconds) for phase, seconds in summary.timings.items()},
            "test_runs": summary.test_runs,
            "notes": list(summary.notes),
            "error_equivalents": [asdict(equivalent) for equivalent in summary.equivalents],
        }
    )
    return plain


def _proposer_plain(summary: Summary) -> Dict[str, Any]:
    """Return what ``results.json`` says of the policy that proposed; nothing where none did."""
    if summary.proposals is None:
        return {}
    policy = dict(summary.identity.specs[POLICY])
    told = {name: policy.get(name) for name in ("name", "manifest_hash", "overrides", "digests")}
    return {"proposer": {**told, **asdict(summary.proposals)}}


def findings_plain(findings: Findings) -> Dict[str, Any]:
    """Return what ``results.json`` says of a record that was looked at: its damage, and what was not checked."""
    return {
        "damaged": bool(findings.damage),
        "damage": [asdict(damage) for damage in findings.damage],
        "unchecked": list(findings.unchecked),
    }


def metric_plain(metric: Optional[Metric]) -> Optional[Dict[str, Any]]:
    """Return a metric as a dict with None for NaN, or None for no metric."""
    if metric is None:
        return None
    return {"value": _number(metric.value), "low": _number(metric.low), "high": _number(metric.high), "n": metric.n}


def _image_plain(image: Optional[ImageRecord]) -> Optional[Dict[str, str]]:
    """Return the image that a submitted world model ran from; an empty ``repo_digest`` is a mere tag."""
    return None if image is None else asdict(image)


def _number(value: float) -> Optional[float]:
    return float(value) if math.isfinite(value) else None


def _gap_plain(gap: Gap) -> Dict[str, Any]:
    return {
        "all": metric_plain(gap.all),
        "solved": metric_plain(gap.solved),
        "failed": metric_plain(gap.failed),
        "correlation_with_success": metric_plain(gap.correlation),
        "by_step": [
            {
                "step": point.step,
                "all": metric_plain(point.all),
                "solved": metric_plain(point.solved),
                "failed": metric_plain(point.failed),
            }
            for point in gap.by_step
        ],
    }


def _reference_plain(row: ReferenceRow) -> Dict[str, Any]:
    return {
        "name": row.name,
        "success": metric_plain(row.success),
        "gain": metric_plain(row.gain),
        "source": row.source,
        "this_run": row.is_this_run,
    }
