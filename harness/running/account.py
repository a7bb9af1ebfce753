"""What a run committed, kept in memory while it is played, and compared with its files at the end.

A plugin that runs as a process can find the run folder and write there. Neither journal nor files can then say by
themselves what is true; the process that committed the rows can.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.results import PLAYED
from harness.records.damage import Damage
from harness.records.episode_files import read_episode
from harness.records.errors import RecordError
from harness.records.folder import JOURNAL, RECORD, RunFolder
from harness.records.identity import EpisodeKey
from harness.records.journal import JournalRow


class Account:
    """The rows of a run as its scheduler knows them: those that it found, and those that it committed since."""

    def __init__(self, rows: Sequence[JournalRow]) -> None:
        self._rows: Dict[EpisodeKey, JournalRow] = {row.key: _timeless(row) for row in rows}
        self._committed: List[EpisodeKey] = []

    @property
    def rows(self) -> Tuple[JournalRow, ...]:
        """Return the rows as they are now, in the order of the plan."""
        return tuple(self._rows.values())

    def commit(self, row: JournalRow) -> None:
        """Note a row as it is written into the journal."""
        self._rows[row.key] = _timeless(row)
        self._committed.append(row.key)

    def compare(self, folder: RunFolder) -> Tuple[Damage, ...]:
        """Return every row of the journal and every episode's record that is no longer what was committed.

        Call it when no service of the run lives any more.
        """
        return (*_record_damage(folder), *self._journal_damage(folder), *self._file_damage(folder))

    def _journal_damage(self, folder: RunFolder) -> Tuple[Damage, ...]:
        try:
            found, plan_digest = folder.account()
        except (Refusal, RecordError) as error:
            return (Damage(JOURNAL, f"it cannot be read any more: {error.what.rstrip('.')}"),)
        rows = {row.key: _timeless(row) for row in found}
        damage = [
            Damage(key.folder_name, "the journal was changed by somebody else while the run was played")
            for key in dict.fromkeys((*self._rows, *rows))
            if self._rows.get(key) != rows.get(key)
        ]
        if len(found) != len(rows) or plan_digest != folder.plan_digest:
            damage.append(Damage(JOURNAL, "it was changed by somebody else while the run was played"))
        return tuple(damage)

    def _file_damage(self, folder: RunFolder) -> Tuple[Damage, ...]:
        """Compare the records of episodes committed since the start; earlier ones are compared with the journal."""
        damage = []
        for key in self._committed:
            row = self._rows[key]
            if row.result.state not in PLAYED:
                continue
            try:
                kept = read_episode(folder.episode_folder(key)).record_digest
            except (OSError, RecordError) as error:
                reason = error.what.rstrip(".") if isinstance(error, RecordError) else str(error)
                damage.append(Damage(key.folder_name, f"its files were changed while the run was played: {reason}"))
                continue
            if kept != row.record_digest:
                what = "its files were changed by somebody else while the run was played"
                damage.append(Damage(key.folder_name, what))
        return tuple(damage)


def _timeless(row: JournalRow) -> JournalRow:
    """Return a row without the time at which the journal says it was committed, and its numbers as JSON keeps them."""
    result = replace(row.result, metrics=dict(row.result.metrics), timings=dict(row.result.timings))
    return replace(row, result=result, committed_at=None)


def _record_damage(folder: RunFolder) -> Tuple[Damage, ...]:
    try:
        same = RunFolder.open(folder.path).record == folder.record
    except (Refusal, RecordError) as error:
        return (Damage(RECORD, f"it cannot be read any more: {error.what.rstrip('.')}"),)
    return () if same else (Damage(RECORD, "it was changed by somebody else while the run was played"),)
