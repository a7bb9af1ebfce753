"""The journal: which episodes a run has played, one committed row each."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Optional, Tuple

from harness.contracts.results import ERROR, PLANNED, STATES, TIMEOUT, EpisodeResult
from harness.records.atomic import TEMPORARY, sync_folder
from harness.records.errors import RecordError, corrupt, disk_errors, journal_errors
from harness.records.identity import EpisodeKey

_SCHEMA = f"""
CREATE TABLE episodes (
    position INTEGER NOT NULL,
    task TEXT NOT NULL,
    tier TEXT NOT NULL,
    episode TEXT NOT NULL,
    seed INTEGER NOT NULL,
    home TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ({", ".join(repr(state) for state in STATES)})),
    attempts INTEGER NOT NULL DEFAULT 0,
    trajectory_digest TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    metrics TEXT NOT NULL DEFAULT '{{}}',
    timings TEXT NOT NULL DEFAULT '{{}}',
    committed_at REAL,
    UNIQUE (task, tier, episode, seed)
)
"""
_COLUMNS = (
    "position, task, tier, episode, seed, home, state, attempts, trajectory_digest, error, metrics, timings, "
    "committed_at"
)
_BUSY_S = 30.0


@dataclass(frozen=True)
class JournalRow:
    """One planned or finished episode. ``committed_at`` is seconds since 1970 (UTC), None while planned."""

    key: EpisodeKey
    position: int
    attempts: int
    result: EpisodeResult
    committed_at: Optional[float]


class Journal:
    """The SQLite database of a run: rows are planned first, and each is committed once.

    Write-ahead logging lets reports read while a run writes; ``synchronous = FULL`` puts a committed row on the disk
    before `commit` returns. A row can be committed only while it is planned, so no episode can count twice.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        with journal_errors(path):
            self._database = _connect(path, "ro" if read_only else "rw")
            try:
                self._check()
                if not read_only:
                    self._database.execute("PRAGMA journal_mode = WAL")
                    self._database.execute("PRAGMA synchronous = FULL")
            except BaseException:
                self._database.close()
                raise

    @classmethod
    def create(cls, path: Path, planned: Iterable[Tuple[EpisodeKey, str]]) -> Journal:
        """Make the journal with a planned row for each (key, home) in order, and open it.

        It is made under a temporary name and renamed, so that a reader never finds a journal without its rows.
        """
        rows = [
            (position, key.task, key.tier, key.episode, key.seed, home, PLANNED)
            for position, (key, home) in enumerate(planned)
        ]
        temporary = path.with_name(f"{TEMPORARY}{path.name}")
        with journal_errors(path), disk_errors(path):
            temporary.unlink(missing_ok=True)
            with closing(_connect(temporary, "rwc")) as database:
                database.execute("PRAGMA synchronous = FULL")
                database.execute("BEGIN")
                database.execute(_SCHEMA)
                database.executemany(
                    "INSERT INTO episodes (position, task, tier, episode, seed, home, state) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    rows,
                )
                database.execute("COMMIT")
            temporary.replace(path)
            sync_folder(path.parent)
        return cls(path)

    def _check(self) -> None:
        """Raise CorruptJournal unless this is a sound database with the journal's table."""
        verdict = self._database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise corrupt(self._path, str(verdict))
        if not self._database.execute("SELECT 1 FROM sqlite_master WHERE name = 'episodes'").fetchone():
            raise corrupt(self._path, "it has no table of episodes")

    def commit(self, key: EpisodeKey, result: EpisodeResult, attempts: int) -> None:
        """Turn a planned row into a finished one; raise RecordError when it is not planned (any more)."""
        metrics = json.dumps(dict(result.metrics), sort_keys=True, allow_nan=False)
        timings = json.dumps(dict(result.timings), sort_keys=True, allow_nan=False)
        values = (result.state, attempts, result.trajectory_digest, result.error, metrics, timings)
        with journal_errors(self._path):
            done = self._database.execute(
                "UPDATE episodes SET state = ?, attempts = ?, trajectory_digest = ?, error = ?, metrics = ?, "
                "timings = ?, committed_at = ? "
                "WHERE task = ? AND tier = ? AND episode = ? AND seed = ? AND state = ?",
                (*values, time.time(), key.task, key.tier, key.episode, key.seed, PLANNED),
            )
        if done.rowcount != 1:
            raise RecordError(
                f"{key} is not a planned row of {self._path}: it is unknown or already committed.",
                "This is a defect of the harness; please report it with the run folder.",
            )

    def plan_again(self) -> int:
        """Turn rows in error or timeout back into planned ones; return how many.

        Their attempts stay: an episode that was played again is never told as one that was played once.
        """
        with journal_errors(self._path):
            done = self._database.execute(
                "UPDATE episodes SET state = ?, trajectory_digest = '', error = '', metrics = '{}', "
                "timings = '{}', committed_at = NULL WHERE state IN (?, ?)",
                (PLANNED, ERROR, TIMEOUT),
            )
        return done.rowcount

    def rows(self) -> Tuple[JournalRow, ...]:
        """Return all rows in the order of the plan."""
        with journal_errors(self._path):
            found = self._database.execute(f"SELECT {_COLUMNS} FROM episodes ORDER BY position").fetchall()
        return tuple(_row(values) for values in found)

    def counts(self) -> Dict[str, int]:
        """Return the number of rows in each state, every state named."""
        with journal_errors(self._path):
            found = self._database.execute("SELECT state, COUNT(*) FROM episodes GROUP BY state").fetchall()
        counted: Counter[str] = Counter(dict(found))
        return {state: counted[state] for state in STATES}

    def close(self) -> None:
        """Close the database; a writer leaves one file without a log beside it, unless somebody is reading."""
        if not self._read_only:
            with suppress(sqlite3.OperationalError):
                self._database.execute("PRAGMA busy_timeout = 0")
                self._database.execute("PRAGMA journal_mode = DELETE")
        self._database.close()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a database without Python's implicit transactions: each statement commits by itself."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", timeout=_BUSY_S, uri=True, isolation_level=None)


def _row(values: Tuple[Any, ...]) -> JournalRow:
    position, task, tier, episode, seed, home, state, attempts, digest, error, metrics, timings, committed_at = values
    result = EpisodeResult(
        episode=episode,
        home=home,
        seed=seed,
        state=state,
        metrics=json.loads(metrics),
        trajectory_digest=digest,
        error=error,
        timings=json.loads(timings),
    )
    return JournalRow(EpisodeKey(task, tier, episode, seed), position, attempts, result, committed_at)
