"""Compares a journal with the plan and with the files of its episodes: nothing that can be worked out is believed.

A journal is a file that anybody can edit, and so are the files beside it. Each says something of the other, and the
trajectory says what both may claim.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.judgements import Judge
from harness.contracts.results import OK, PLANNED, PLAYED
from harness.records.damage import Damage
from harness.records.episode_files import EpisodeRecord, read_episode
from harness.records.errors import RecordError
from harness.records.folder import JOURNAL, LAST_TIME, RECORD, RunFolder
from harness.records.journal import JournalRow, lost_plan

_TOLERANCE = 1e-9
"""Sums of floats differ in their last bits between versions of Python, and so does Spearman's rho of libraries."""

_CLOCKS_S = 86400.0
"""How far apart the clocks of machines that play one run may be: a wrong zone, a battery that is empty."""


def check_plan(folder: RunFolder, rows: Sequence[JournalRow], plan_digest: str) -> Tuple[Damage, ...]:
    """Return where the journal's keys, homes and order are not those that ``run.json`` plans, each row by name."""
    found: List[Damage] = []
    if plan_digest not in ("", folder.plan_digest):
        what = f"it belongs to another plan ({plan_digest[:12]}) than {RECORD} ({folder.plan_digest[:12]})"
        found.append(Damage(JOURNAL, what))
    elif lost_plan(plan_digest, rows):
        found.append(Damage(JOURNAL, "it does not say which plan it belongs to, and journals with such rows do"))
    planned = {row.key: row for row in folder.planned_rows()}
    counted = Counter(row.key for row in rows)
    found += [Damage(_name(row), f"the journal has this row {counted[row.key]} times")
              for row in planned.values() if counted[row.key] > 1]  # fmt: skip
    found += [Damage(_name(row), "the journal lacks this planned row") for row in planned.values()
              if not counted[row.key]]  # fmt: skip
    for row in rows:
        plan = planned.get(row.key)
        if plan is None:
            found.append(Damage(_name(row), f"no plan has this row ({row.key.task}/{row.key.tier})"))
        elif (row.position, row.result.home) != (plan.position, plan.result.home):
            what = f"the journal has it at {row.position} in {row.result.home!r}"
            found.append(Damage(_name(row), f"{what}, the plan at {plan.position} in {plan.result.home!r}"))
    return tuple(found)


def check_chain(folder: RunFolder) -> Tuple[Damage, ...]:
    """Return the journal's rows that are not what a run wrote."""
    return tuple(Damage(where or JOURNAL, what) for where, what in folder.journal_breaks())


def planned_only(folder: RunFolder, rows: Sequence[JournalRow]) -> Tuple[JournalRow, ...]:
    """Return one row for each planned episode and seed, in the plan's order: no row counts that nobody planned."""
    by_key: Dict[object, JournalRow] = {}
    for row in rows:
        by_key.setdefault(row.key, row)
    return tuple(by_key.get(plan.key, plan) for plan in folder.planned_rows())


def check_rows(
    folder: RunFolder,
    rows: Sequence[JournalRow],
    judge: Optional[Judge],
    with_files: bool = True,
    later: FrozenSet[str] = frozenset(),
) -> Tuple[Damage, ...]:
    """Return what each row claims against its own columns, its episode's files, and ``judge``'s arithmetic.

    Without a ``judge`` (a task that is not known here) metrics are compared with the files alone; without the files
    (an archive of records) only the columns are. ``later`` are metrics that a row may lack: the task got them later.
    """
    found: List[Damage] = []
    for row in rows:
        problems = _columns(row) or _times(row, folder.record.provenance.created_at)
        if row.result.state in PLAYED and with_files and not problems:
            problems = _played(folder, row, judge, later)
        found += [Damage(_name(row), problem) for problem in problems[:1]]
    return tuple(found)


def _name(row: JournalRow) -> str:
    return row.key.folder_name


def _columns(row: JournalRow) -> List[str]:
    """Return what a row of its state may not hold."""
    result = row.result
    if result.state in PLAYED:
        if row.committed_at is None or row.attempts < 1 or result.error:
            return [f"its state is {result.state}, but it was never committed, or holds an error"]
        return []
    if result.trajectory_digest or row.record_digest or result.metrics or row.imported:
        return [f"its state is {result.state}, but it holds the numbers of a played episode"]
    if result.state == PLANNED:
        return ["it is planned, but was committed"] if row.committed_at is not None or row.attempts else []
    if row.committed_at is None or row.attempts < 1 or not result.error:
        return [f"its state is {result.state}, but it has no error, no attempt, or was never committed"]
    return []


def _times(row: JournalRow, created_at: float) -> List[str]:
    """Return which of a row's times cannot be: of a commit before the run was made, or longer than the run was."""
    earliest, at = created_at - _CLOCKS_S, row.committed_at
    if at is not None and not earliest <= at < LAST_TIME:
        return [f"it was committed at {at:.0f}, but the run was made at {created_at:.0f} (seconds since 1970)"]
    longest = (created_at if at is None else at) - earliest
    return [f"{phase} took {_short(seconds)} s, which no episode of this run can have taken"
            for phase, seconds in sorted(row.result.timings.items()) if not 0 <= seconds <= longest]  # fmt: skip


def _played(folder: RunFolder, row: JournalRow, judge: Optional[Judge], later: FrozenSet[str]) -> List[str]:
    path = folder.episode_folder(row.key)
    if not path.exists():
        return [f"its files are gone ({path.name}/trajectory.json): nothing shows that it is {row.result.state}"]
    try:
        record = read_episode(path)
    except RecordError as error:
        return [error.what.rstrip(".")]
    return _against_file(folder.plan_digest, row, record) or _against_trajectory(folder, row, record, judge, later)


def _against_file(plan_digest: str, row: JournalRow, record: EpisodeRecord) -> List[str]:
    """Return where the row and the episode's file differ; timings are completed after the file is written."""
    if record.key != row.key:
        return [f"its file is that of {record.key.folder_name}"]
    if record.plan_digest not in ("", plan_digest):
        return [f"its file is that of another run (plan {record.plan_digest[:12]}, here {plan_digest[:12]})"]
    claimed, kept = row.result, record.result
    pairs = [
        ("state", claimed.state, kept.state),
        ("home", claimed.home, kept.home),
        ("attempts", row.attempts, record.attempts),
        ("trajectory digest", claimed.trajectory_digest, kept.trajectory_digest),
        ("record digest", row.record_digest, record.record_digest),
        *((name, claimed.metrics.get(name), kept.metrics.get(name)) for name in {*claimed.metrics, *kept.metrics}),
    ]
    return [f"{what} is {_short(first)} in the journal, {_short(second)} in its file"
            for what, first, second in pairs if first != second]  # fmt: skip


def _against_trajectory(
    folder: RunFolder, row: JournalRow, record: EpisodeRecord, judge: Optional[Judge], later: FrozenSet[str]
) -> List[str]:
    """Return what the trajectory itself contradicts."""
    identity, trajectory = folder.identity, record.trajectory
    found = [
        f"{what} of its trajectory is {_short(first)}, not {_short(second)}"
        for what, first, second in (
            ("episode", trajectory.episode, row.key.episode),
            ("seed", trajectory.seed, row.key.seed),
            ("world model", trajectory.wm, identity.wm),
            ("stop rule", trajectory.stop, identity.stop),
        )
        if first != second
    ]
    if (row.result.state == OK) != trajectory.solved:
        found.append(f"state is {row.result.state}, its trajectory is {'' if trajectory.solved else 'not '}solved")
    if found or judge is None:
        return found
    judged = judge(identity.episode(row.key.episode), trajectory)
    return [*judged.contradictions, *_metrics(row, judged.metrics, later)]


def _metrics(row: JournalRow, worked_out: Mapping[str, float], later: FrozenSet[str]) -> List[str]:
    """Return the metrics that differ from those worked out; rows from before digests of records may have fewer."""
    claimed = row.result.metrics
    names = {*claimed, *(worked_out.keys() - later if row.record_digest else ())}
    return [
        f"{name} is {_short(claimed.get(name))}, its trajectory gives {_short(worked_out.get(name))}"
        for name in sorted(names)
        if not _equal(claimed.get(name), worked_out.get(name))
    ]


def _equal(claimed: Optional[float], worked_out: Optional[float]) -> bool:
    if claimed is None or worked_out is None:
        return claimed is worked_out
    return math.isclose(claimed, worked_out, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str("" if value is None else value)
    return text[:16] if text else "missing"
