"""Where the measurements on a decision bank lie: beside runs, and never taken for one.

``runs/bank-…/states/`` has the form of a run folder whose rows are states, so that the journal, resuming and the files
of a row are the same. It lies one level deeper than runs do: nothing that looks for runs finds it, because a share of
right choices is no success rate.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.contracts.errors import Refusal
from harness.records.folder import STATES, RunFolder, new_run_id
from harness.records.identity import RunIdentity
from harness.records.listing import Listing, candidate_folders, list_folders

PREFIX = "bank-"
BANK_HASH = "bank_hash"
"""Key of ``RunIdentity.specs`` with the hash of the states that were asked."""


def new_bank_id(identity: RunIdentity, created_at: float) -> str:
    """Return a readable, unique name of a measurement's folder; ``created_at`` is seconds since 1970 (UTC)."""
    return PREFIX + new_run_id(identity, created_at)


def bank_hash(folder: RunFolder) -> str:
    """Return the hash of the states of a measurement."""
    return str(folder.identity.specs.get(BANK_HASH, ""))


def measurement(folder: RunFolder) -> Path:
    """Return the folder of a measurement, which holds its results, from its rows."""
    return folder.path.parent


def open_measurement(path: Path) -> RunFolder:
    """Return the rows of the measurement in ``path``; Refusal where it is none."""
    if not (path / STATES).is_dir():
        raise Refusal(
            f"{path} is not a measurement on a decision bank: it has no folder {STATES}.",
            "Give a folder that `python benchmark.py bank` made: runs/bank-…",
        )
    return RunFolder.open(path / STATES)


def read_measurements(root: Path) -> Listing:
    """Return the rows of every measurement below ``root``, oldest first, and those that cannot be read."""
    found = list_folders([path / STATES for path in candidate_folders(root)])
    return replace(found, runs=tuple(run for run in found.runs if bank_hash(run.folder)))
