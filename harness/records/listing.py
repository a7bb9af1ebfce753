"""The runs of a folder: those that can be read, and those that cannot, each with the reason.

One damaged folder must not hide the others, nor stop what has nothing to do with it; and it must not be passed over
without a word, since a table that leaves out a run can be made to say anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.records.errors import RecordError
from harness.records.folder import JOURNAL, RECORD, RunFolder
from harness.records.journal import JournalRow
from harness.records.safe_files import reason


@dataclass(frozen=True)
class ListedRun:
    """A run that could be read, with its journal's rows."""

    folder: RunFolder
    rows: Tuple[JournalRow, ...]


@dataclass(frozen=True)
class PassedFolder:
    """A folder that looks like a run and cannot be read, and why (without a full stop)."""

    path: Path
    why: str

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"passed over {self.path}: {self.why}"


@dataclass(frozen=True)
class Listing:
    """The runs of a folder, oldest first, and what was passed over, by name."""

    runs: Tuple[ListedRun, ...]
    passed_over: Tuple[PassedFolder, ...]

    @property
    def folders(self) -> Tuple[RunFolder, ...]:
        """Return the run folders, oldest first."""
        return tuple(run.folder for run in self.runs)


def read_runs(root: Path) -> Listing:
    """Return the runs below ``root``; what is no run at all (a comparison, a measurement, a file) is not named."""
    return list_folders(candidate_folders(root))


def list_folders(candidates: Sequence[Path]) -> Listing:
    """Return what ``candidates`` hold."""
    runs: List[ListedRun] = []
    passed: List[PassedFolder] = []
    for path in candidates:
        try:
            folder = RunFolder.open(path)
            runs.append(ListedRun(folder, folder.rows()))
        except (Refusal, RecordError, OSError) as error:
            if _looks_like_a_run(path):
                passed.append(PassedFolder(path, reason(error)))
    ordered = sorted(runs, key=lambda run: run.folder.record.provenance.created_at)
    return Listing(tuple(ordered), tuple(passed))


def candidate_folders(root: Path) -> Sequence[Path]:
    """Return what lies directly below ``root``, sorted; nothing where there is no such folder."""
    try:
        return sorted(root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Refusal(f"cannot read {root}: {reason(error)}.", "Choose a folder that you may read.") from error


def _looks_like_a_run(path: Path) -> bool:
    """Say whether a folder has a part of a run, or cannot be looked into."""
    return any(_exists(path / name) is not False for name in (RECORD, JOURNAL))


def _exists(path: Path) -> Optional[bool]:
    """Say whether there is an entry, a link included; None where nobody can tell."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    return True
