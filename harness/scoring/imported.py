"""Which episodes were taken from files that lay in the run folder: told with every result.

A run that is killed between an episode's files and its journal row leaves such files, and so can anybody else.
"""

from __future__ import annotations

from typing import Sequence, Tuple

from harness.records.journal import JournalRow

IMPORTED = "imported"
"""Stamps a result with such episodes."""


def imported_stamps(rows: Sequence[JournalRow]) -> Tuple[str, ...]:
    """Return the stamp of a run or a measurement with imported episodes, none without."""
    return (IMPORTED,) if any(row.imported for row in rows) else ()


def imported_notes(rows: Sequence[JournalRow]) -> Tuple[str, ...]:
    """Return a sentence about the imported episodes, none without."""
    count = sum(row.imported for row in rows)
    if not count:
        return ()
    return (f"{count} episode{'s' * (count > 1)} imported from episodes/ (finished before the run was stopped)",)
