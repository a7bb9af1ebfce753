"""Results in the words of others: Hugging Face's ``.eval_results`` and the schema of Every Eval Ever.

Made of a bundle that holds, or of a run folder that is not damaged; equal input gives equal bytes. What those formats
require and nobody here can know (a dataset on the Hub, who evaluated) is given by whoever exports, never invented.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Union

from harness.auditing.audit import Audited, audit
from harness.contracts.errors import Refusal
from harness.contracts.metrics import LOWER, SUCCESS, MetricSpec
from harness.contracts.results import Metric
from harness.leaderboard.verifying import opened
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity
from harness.scoring.data import checked_run, no_trajectory
from harness.scoring.intervals import CONFIDENCE
from harness.scoring.summary import NO_CONTEXT, Summary, summarise
from tasks.subsets import ALL

EVERY_EVAL_EVER = "0.3.0"
"""The version of the schema that records are written in."""

RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")
LIBRARY = "wiw-bench"
_METHOD = "homes as clusters"


@dataclass(frozen=True, eq=False)
class Exported:
    """What is exported: the world model, its image ("" for a process), the harness's commit, when the latest run began
    (seconds since 1970), and of each run its summary with the metrics that it is scored in."""

    model: str
    image: str
    code: str
    at: float
    runs: tuple[tuple[Summary, tuple[MetricSpec, ...]], ...]


def read_exported(path: Path) -> Exported:
    """Return what a bundle or a run folder gives; Refusal for one that does not hold, or is damaged or partial."""
    if path.is_dir():
        return _exported([audit(RunFolder.open(path))])
    with opened(path) as found:
        if not found.verification.holds or found.verification.manifest is None:
            raise Refusal(f"{path} does not hold: {found.verification.reasons[0]}", "See all: verify BUNDLE.")
        manifest = found.verification.manifest
        return replace(_exported(found.runs), model=manifest.model, image=manifest.image)


def _exported(runs: Sequence[Audited]) -> Exported:
    read = []
    for run in runs:
        name = run.folder.path
        if run.findings.damage:
            raise Refusal(f"{name} is damaged: {run.findings.damage[0]}.", "Play it again.")
        data = replace(checked_run(run.folder, run.rows, run.findings, run.metrics), trajectory=no_trajectory)
        summary = summarise(data, NO_CONTEXT)
        if summary.episodes["pending"]:
            raise Refusal(f"{name} has {summary.episodes['pending']} episodes to play.", "Resume it to its end.")
        planned = run.folder.identity.episodes_subset
        if planned not in ("", ALL):
            raise Refusal(
                f"{name} plans {len(run.folder.identity.episodes)} episodes of its split ({planned}).",
                "Another format has no word for that: play --episodes all.",
            )
        read.append((summary, run.metrics))
    first = runs[0].folder.record
    image = first.identity.wm_image
    return Exported(
        model=first.identity.wm,
        image="" if image is None else image.repo_digest or image.id,
        code=first.provenance.git_commit,
        at=max(run.folder.record.provenance.created_at for run in runs),
        runs=tuple(read),
    )


def hugging_face(exported: Exported, dataset: str, url: str = "") -> str:
    """Return the YAML of ``.eval_results/NAME.yaml`` in a model's repository: an entry a run, success in per cent.

    ``dataset`` is the id of the benchmark's dataset on the Hub, ``url`` where the result can be looked at, "" for none.
    A task of it is called ``TASK-TIER-VIEW-SPLIT``, all fresh homes ``fresh``, with ``-STOP`` where the agent does not
    stop itself.
    """
    import yaml  # type: ignore[import-untyped]

    entries = [_hub_entry(exported, summary, dataset, url) for summary, _ in exported.runs]
    text: str = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=100)
    return text


def _hub_entry(exported: Exported, summary: Summary, dataset: str, url: str) -> dict[str, Any]:
    success = summary.metrics[SUCCESS.name]
    notes = (
        f"95 % interval {_percent(success.low)} to {_percent(success.high)}, {success.n} episodes in {summary.homes} "
        f"homes, split {summary.identity.split}, suite hash {summary.identity.suite_hash[:16]}, "
        f"trajectory root {summary.trajectory_root[:16]}{_stamped(summary)}"
    )
    source = {"source": {"url": url, "name": "WIW-Bench"}} if url else {}
    return {
        "dataset": {"id": dataset, "task_id": _task_id(summary.identity)},
        "value": _percent(success.value),
        "date": datetime.fromtimestamp(exported.at, timezone.utc).date().isoformat(),
        **source,
        "notes": notes,
    }


def _stamped(summary: Summary) -> str:
    return f", stamped {', '.join(summary.stamps)}" if summary.stamps else ""


def _percent(share: float) -> float:
    return round(100.0 * share, 2)


def _task_id(identity: RunIdentity) -> str:
    stop = "" if identity.stop == "self" else f"-{identity.stop}"
    return f"{identity.task}-{identity.tier}-{identity.view}-{identity.split.partition('-')[0]}{stop}"


def every_eval_ever(exported: Exported, organization: str, relationship: str) -> str:
    """Return one record of Every Eval Ever as JSON: every metric of every run with its interval.

    ``organization`` is who evaluated, ``relationship`` (`RELATIONSHIPS`) how that stands to whoever made the model. The
    time at which a record was made is that of its latest run: another export of the same is the same.
    """
    if relationship not in RELATIONSHIPS:
        raise Refusal(f"--relationship {relationship!r} is none.", f"Give one of {', '.join(RELATIONSHIPS)}.")
    at = str(int(exported.at))
    details = {"deployment_type": "self_deployed", "model_availability": "unknown"}
    identity = exported.runs[0][0].identity
    details.update(
        {"manifest_hash": identity.wm_manifest_hash, **({"image": exported.image} if exported.image else {})}
    )
    record = {
        "schema_version": EVERY_EVAL_EVER,
        "evaluation_id": f"{LIBRARY}/{exported.model}/{at}",
        "evaluation_timestamp": at,
        "retrieved_timestamp": at,
        "source_metadata": {
            "source_name": "WIW-Bench",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": relationship,
        },
        "eval_library": {"name": LIBRARY, "version": exported.code or "unknown"},
        "model_info": {"name": exported.model, "id": exported.model, "additional_details": details},
        "evaluation_results": [
            result for summary, specs in exported.runs for result in _evaluations(summary, specs, at)
        ],
    }
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _evaluations(summary: Summary, specs: Sequence[MetricSpec], at: str) -> Iterator[dict[str, Any]]:
    """Yield a result for every metric that says which way is better: the format takes no other."""
    identity = summary.identity
    for spec in (SUCCESS, *specs):
        metric = summary.metrics.get(spec.name)
        if metric is None or not spec.better or not math.isfinite(metric.value):
            continue
        yield {
            "evaluation_name": f"{_task_id(identity)}/{spec.name}",
            "source_data": {
                "dataset_name": identity.suite,
                "source_type": "other",
                "additional_details": _facts(summary),
            },
            "evaluation_timestamp": at,
            "metric_config": _metric_config(spec),
            "score_details": {"score": metric.value, "uncertainty": _uncertainty(metric)},
        }


def _facts(summary: Summary) -> Mapping[str, str]:
    identity = summary.identity
    return {
        "suite_hash": identity.suite_hash,
        "task": identity.task,
        "tier": identity.tier,
        "split": identity.split,
        "stop": identity.stop,
        "view": identity.view,
        "planner": identity.planner,
        "seeds": ",".join(map(str, identity.seeds)),
        "homes": str(summary.homes),
        "technical_failures": str(summary.episodes["error"] + summary.episodes["timeout"]),
        "trajectory_root": summary.trajectory_root,
        "stamps": ",".join(summary.stamps),
    }


def _metric_config(spec: MetricSpec) -> dict[str, Any]:
    low, high = spec.interval
    unit = {"metric_unit": "proportion" if spec.unit == "%" else spec.unit} if spec.unit else {}
    return {
        "evaluation_description": spec.meaning,
        "metric_id": spec.name,
        "metric_name": spec.label,
        **unit,
        "lower_is_better": spec.better == LOWER,
        "score_type": "continuous",
        "min_score": _bound(low),
        "max_score": _bound(high),
    }


def _bound(value: float) -> Union[float, str]:
    """Return a bound as the schema has it: infinity by its name, since JSON has none."""
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def _uncertainty(metric: Metric) -> dict[str, Any]:
    known = math.isfinite(metric.low) and math.isfinite(metric.high)
    interval = {"lower": metric.low, "upper": metric.high, "confidence_level": CONFIDENCE, "method": _METHOD}
    return {**({"confidence_interval": interval} if known else {}), "num_samples": metric.n}
