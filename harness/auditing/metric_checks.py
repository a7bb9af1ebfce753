"""Compares the metrics that ``run.json`` describes with those that the task declares here.

What is declared here decides how a number is pooled and called; the folder only says which of them its run was begun
with. So a metric that a task gets later makes no older run damaged, and a stranger's words describe nothing but a task
that is not here.
"""

from __future__ import annotations

from typing import FrozenSet, Mapping, Optional, Sequence, Tuple

from harness.contracts.metrics import MetricSpec
from harness.contracts.results import PLAYED
from harness.records.damage import Damage, Findings
from harness.records.identity import RunRecord
from harness.records.journal import JournalRow

Specs = Tuple[MetricSpec, ...]

_ROUNDING = 1e-6
"""How far libraries of pictures may be beyond the end of their scale."""


def check_specs(record: RunRecord, declared: Optional[Specs]) -> Tuple[Specs, Findings]:
    """Return what a run is scored in, and in a sentence what of its ``run.json`` is not followed.

    ``declared`` are the metrics of its task, None where that is not here. A folder from before they were written down
    has them all.
    """
    recorded = record.metrics
    if declared is None or not recorded:
        return declared or recorded, Findings()
    names = {spec.name for spec in recorded}
    kept = tuple(spec for spec in declared if spec.name in names)
    known = {spec.name: spec for spec in kept}
    unknown = [spec.name for spec in recorded if spec.name not in known]
    different = [spec.name for spec in recorded if spec.name in known and spec != known[spec.name]]
    told = [f"its run.json has metrics that the task has not here, which are not shown: {', '.join(unknown)}"]
    told += [f"its run.json describes metrics otherwise than the task here, which is followed: {', '.join(different)}"]
    return kept, Findings((), tuple(text for text, names in zip(told, (unknown, different), strict=True) if names))


def check_bounds(rows: Sequence[JournalRow], specs: Specs) -> Tuple[Damage, ...]:
    """Return the played rows with a number that lies where none of its metric can, the first of each."""
    found = []
    for row in rows:
        wrong = [spec for spec in specs if row.result.state in PLAYED and not _within(row.result.metrics, spec)]
        for spec in wrong[:1]:
            low, high = spec.interval
            what = f"{spec.key} is {row.result.metrics[spec.key]:g}, which lies outside {low:g} to {high:g}"
            found.append(Damage(row.key.folder_name, what))
    return tuple(found)


def _within(numbers: Mapping[str, float], spec: MetricSpec) -> bool:
    low, high = spec.interval
    return spec.key not in numbers or low - _ROUNDING <= numbers[spec.key] <= high + _ROUNDING


def keys_of_later(record: RunRecord, declared: Optional[Specs], rows: Sequence[JournalRow]) -> FrozenSet[str]:
    """Return the numbers that a row may lack: those of metrics which the task has here and the run was begun without.

    Of a folder from before ``run.json`` held them, those are the metrics that none of its rows has.
    """
    if record.metrics:
        begun_with = {spec.name for spec in record.metrics}
        return frozenset(spec.key for spec in declared or () if spec.name not in begun_with)
    return frozenset(spec.key for spec in declared or ()).difference(*(row.result.metrics for row in rows))
