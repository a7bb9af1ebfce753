"""Opens a run or a measurement for reading: its rows as planned, and everything that is wrong with them.

Whoever shows, compares or tabulates a number opens folders here. A folder that contradicts itself is still read, so
that its rows can be named, but it is DAMAGED.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from harness.auditing.identity_checks import check_bank, check_identity
from harness.auditing.metric_checks import check_bounds, check_specs, keys_of_later
from harness.contracts.errors import Refusal
from harness.contracts.judgements import Judge
from harness.contracts.metrics import MetricSpec
from harness.records.banks import BANK_HASH
from harness.records.damage import Damage, Findings, read_damage
from harness.records.folder import RunFolder
from harness.records.journal import JournalRow
from harness.records.row_checks import check_chain, check_plan, check_rows, planned_only
from tasks.registry import load_task


@dataclass(frozen=True)
class Audited:
    """A folder, one row for each planned episode and seed, what was found, and the metrics that it is scored in."""

    folder: RunFolder
    rows: Tuple[JournalRow, ...]
    findings: Findings
    metrics: Tuple[MetricSpec, ...]


def audit(folder: RunFolder, already: Tuple[Damage, ...] = (), with_files: bool = True) -> Audited:
    """Read a run folder, or the rows of a measurement, and check all that can be checked here.

    ``already`` is what the process that played it found. ``with_files`` False reads an archive, which keeps the
    journal and nothing of the episodes: what only their files show is unchecked then, and said to be. Raises
    CorruptJournal where there is no journal to read.
    """
    rows, plan_digest = folder.account()
    about = _about(folder)
    metrics, differences = check_specs(folder.record, about.metrics)
    kept = planned_only(folder, rows)
    damage = (*already, *read_damage(folder.path), *check_plan(folder, rows, plan_digest))
    unchecked = () if with_files else ("states and metrics are the journal's: no trajectory is kept to work them out",)
    later = keys_of_later(folder.record, about.metrics, kept)
    damage = (*damage, *check_rows(folder, kept, about.judge, with_files, later))
    damage += tuple(each for each in check_chain(folder) if each.where not in {known.where for known in damage})
    named = {each.where for each in damage}
    damage += tuple(each for each in check_bounds(kept, metrics) if each.where not in named)
    return Audited(folder, kept, about.findings + differences + Findings(damage, unchecked), metrics)


@dataclass(frozen=True)
class _About:
    """What is known here of a folder's kind: how rows are judged and what they are measured in, both None where nothing
    here knows; and what is wrong with ``run.json``."""

    judge: Optional[Judge]
    metrics: Optional[Tuple[MetricSpec, ...]]
    findings: Findings


def _about(folder: RunFolder) -> _About:
    identity = folder.identity
    if BANK_HASH in identity.specs:
        from harness.banking.judging import bank_judge
        from harness.banking.measures import METRICS

        judge, findings = bank_judge(identity)
        return _About(judge, METRICS, check_bank(identity) + findings)
    findings = check_identity(identity)
    try:
        task = load_task(identity.task)
    except Refusal as refusal:
        unknown = Findings((), (f"metrics were not worked out again: {refusal.what}",))
        return _About(None, None, findings + unknown)
    return _About(task.judge_of(identity.proposer), task.metrics, findings)


def sound(folder: RunFolder) -> Tuple[JournalRow, ...]:
    """Return the rows of a folder without damage; raise RecordError, which names it, for one with damage."""
    found = audit(folder)
    found.findings.raise_damage(folder.path)
    return found.rows
