"""The trajectory root: one hash that says what happened in every episode of a run."""

from __future__ import annotations

from typing import Iterable

from harness.contracts.digest import digest, merkle_root
from harness.contracts.results import PLAYED
from harness.records.journal import JournalRow


def leaf(row: JournalRow) -> str:
    """Return what one episode contributes: its trajectory's digest, or a marker of its state.

    The marker holds no message or time, since those differ between two otherwise equal runs.
    """
    if row.result.state in PLAYED:
        return row.result.trajectory_digest
    key = row.key
    return digest(["unplayed", key.task, key.tier, key.episode, key.seed, row.result.state])


def trajectory_root(rows: Iterable[JournalRow]) -> str:
    """Return the Merkle root over ``rows``, ordered by task, tier, episode and seed.

    The order is that of the keys, not that of playing, so workers, resumes and shuffles cannot change it.
    """
    ordered = sorted(rows, key=lambda row: (row.key.task, row.key.tier, row.key.episode, row.key.seed))
    return merkle_root(leaf(row) for row in ordered)
