"""What scoring and reporting read of a run: finished files, never live objects.

So a run can be scored again on another machine and years later, and a report can be made while the run goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Optional, Sequence, Tuple

from harness.contracts.metrics import MetricSpec
from harness.contracts.results import PLAYED, EpisodeResult, Metric
from harness.contracts.trajectories import Trajectory
from harness.records.damage import NOTHING_FOUND, Findings
from harness.records.episode_files import read_trajectory
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity, RunRecord
from harness.records.journal import JournalRow
from harness.records.notes import read_notes
from harness.records.proposals import ProposalCounts, count_proposals, read_proposals
from harness.scoring.imported import imported_notes, imported_stamps
from harness.scoring.retries import retries


def no_trajectory(row: JournalRow) -> Optional[Trajectory]:
    """Answer that an episode has no trajectory; the default of runs that kept none."""
    return None


@dataclass(frozen=True)
class RunData:
    """One run: its ``run.json``, every planned episode in the order of the plan, and its trajectories.

    Episodes that nobody has played yet have the state ``planned``. ``trajectory`` reads one trajectory at a time
    (None for episodes without one), so a large run never lies in memory whole. ``findings`` is what was found wrong
    with the folder when it was opened. ``metrics`` are what it is scored in, ``proposals`` what a policy did in it
    (None: the tier's own proposer proposed).
    """

    record: RunRecord
    rows: Tuple[JournalRow, ...]
    trajectory: Callable[[JournalRow], Optional[Trajectory]] = field(default=no_trajectory)
    findings: Findings = NOTHING_FOUND
    notes: Tuple[str, ...] = ()
    metrics: Tuple[MetricSpec, ...] = ()
    proposals: Optional[ProposalCounts] = None

    @property
    def identity(self) -> RunIdentity:
        """Return what the run asks."""
        return self.record.identity

    @property
    def results(self) -> Tuple[EpisodeResult, ...]:
        """Return one result an episode and seed, in the order of the plan."""
        return tuple(row.result for row in self.rows)

    @property
    def stamps(self) -> Tuple[str, ...]:
        """Return what a reader must not overlook: of how the run was planned, and of how it was played."""
        return stamps_of(self.identity, self.rows)


def stamps_of(identity: RunIdentity, rows: Sequence[JournalRow]) -> Tuple[str, ...]:
    """Return what a reader of a run must not overlook."""
    return (*identity.stamps, *retries(rows).stamps, *imported_stamps(rows))


@dataclass(frozen=True)
class ReferencePoint:
    """A frozen reference of a suite: its success and where the number was measured (commit, command).

    ``results`` are its episodes, one an episode and seed, where they are known: a gain needs them for its interval.
    """

    success: Metric
    source: str
    results: Tuple[EpisodeResult, ...] = ()


def load_run(folder: RunFolder) -> RunData:
    """Return the data of a run folder as they stand, also of one that is still being played or has not begun."""
    return checked_run(folder, folder.rows())


def checked_run(
    folder: RunFolder,
    rows: Tuple[JournalRow, ...],
    findings: Findings = NOTHING_FOUND,
    metrics: Optional[Tuple[MetricSpec, ...]] = None,
) -> RunData:
    """Return the data of a run folder whose ``rows`` were looked at; damaged ones show no trajectory.

    ``metrics`` are what it is scored in; default: those of its ``run.json``, none in a folder from before they were
    written there.
    """
    damaged = frozenset(findings.where)

    def trajectory(row: JournalRow) -> Optional[Trajectory]:
        return None if row.key.folder_name in damaged else _trajectory(folder, row)

    notes = (*imported_notes(rows), *read_notes(folder.path))
    kept = folder.record.metrics if metrics is None else metrics
    return RunData(folder.record, rows, trajectory, findings, notes, kept, _proposals(folder, rows))


def _proposals(folder: RunFolder, rows: Sequence[JournalRow]) -> Optional[ProposalCounts]:
    """Return what the policy of a run did, None where none proposed; damage raises."""
    if not folder.identity.proposer:
        return None
    played = (folder.episode_folder(row.key) for row in rows if row.result.state in PLAYED)
    return count_proposals(read_proposals(path) for path in played if path.is_dir())


def _trajectory(folder: RunFolder, row: JournalRow) -> Optional[Trajectory]:
    """Return the trajectory, or None where the episode's folder was removed (to save space); damage raises."""
    path = folder.episode_folder(row.key)
    return read_trajectory(path) if path.is_dir() else None
