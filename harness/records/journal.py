"""The journal: which episodes a run has played, one committed row each."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from harness.contracts.results import ERROR, PLANNED, PLAYED, STATES, TIMEOUT, EpisodeResult
from harness.records import chain
from harness.records.atomic import TEMPORARY, sync_folder
from harness.records.errors import RecordError, corrupt, disk_errors, journal_errors
from harness.records.identity import EpisodeKey
from harness.records.safe_files import check_kind, parse_numbers

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
    record_digest TEXT NOT NULL DEFAULT '',
    imported INTEGER NOT NULL DEFAULT 0,
    UNIQUE (task, tier, episode, seed)
)
"""
_PLAN_SCHEMA = "CREATE TABLE plan (digest TEXT NOT NULL)"
_LATER = {"record_digest": ("TEXT", "''"), "imported": ("INTEGER", "0")}
"""Columns that older journals lack, each with its kind and what their rows have in it."""

_COLUMNS = (
    "position, task, tier, episode, seed, home, state, attempts, trajectory_digest, error, metrics, timings, "
    "committed_at"
)
_OWN_CHECK = re.compile(r"CHECK \(state IN \('\w+'(?:, '\w+')*\)\)")
_COMPUTING = re.compile(r"\b(?:check|generated|as|virtual|collate)\b", re.IGNORECASE)
"""Words by which a table works something out whenever it is read or looked at."""

_MOST_PARTS = 20
"""More parts than the schema of a journal has: three tables, and an index for each that SQLite makes."""

_BUSY_S = 30.0

MAX_ROWS = 200_000
"""More planned rows than any run has: a larger plan or journal is refused before it is read."""

_MAX_BYTES = 1 << 29
_MAX_TEXT = 1 << 20
"""The longest text of one value in bytes."""


@dataclass(frozen=True)
class JournalRow:
    """One planned or finished episode. ``committed_at`` is seconds since 1970 (UTC), None while planned.

    ``record_digest`` is that of the episode's record, "" in rows that were not played or are from before it was kept.
    ``imported`` rows were not committed by the process that played them, but taken from the files in ``episodes/``.
    """

    key: EpisodeKey
    position: int
    attempts: int
    result: EpisodeResult
    committed_at: Optional[float]
    record_digest: str = ""
    imported: bool = False


class Journal:
    """The SQLite database of a run: rows are planned first, and each is committed once.

    Write-ahead logging lets reports read while a run writes; ``synchronous = FULL`` puts a committed row on the disk
    before `commit` returns. A row can be committed only while it is planned, so no episode can count twice.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        for suffix in ("", "-wal", "-shm", "-journal"):
            check_kind(path.with_name(path.name + suffix))
        if path.exists() and path.stat().st_size > _MAX_BYTES:
            raise corrupt(path, f"it has more than {_MAX_BYTES} bytes")
        with journal_errors(path):
            self._database = _connect(path, "ro" if read_only else "rw")
            try:
                self._check()
                self._missing = self._missing_columns()
                if not read_only:
                    self._database.execute("PRAGMA journal_mode = WAL")
                    self._database.execute("PRAGMA synchronous = FULL")
                    self._add_columns()
                    self._begin_chain()
            except BaseException:
                self._database.close()
                raise

    @classmethod
    def create(cls, path: Path, planned: Iterable[Tuple[EpisodeKey, str]], plan_digest: str = "") -> Journal:
        """Make the journal with a planned row for each (key, home) in order, and open it.

        ``plan_digest`` says whose journal it is, so that one of another run is never taken for it.
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
                database.execute(_PLAN_SCHEMA)
                database.execute("INSERT INTO plan (digest) VALUES (?)", (plan_digest,))
                database.execute(chain.SCHEMA)
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
        """Raise CorruptJournal unless this is a sound database with the journal's table.

        A view of that name could compute rows without end, and so could a condition or a computed column as soon as
        soundness is looked at: a schema that no journal has is not looked at further.
        """
        query = f"SELECT type, name, sql FROM sqlite_master LIMIT {_MOST_PARTS}"
        for number, (kind, name, statement) in enumerate(self._database.execute(query).fetchall(), 1):
            if number == _MOST_PARTS or _is_strange(kind, name, statement):
                raise corrupt(self._path, f"it holds the {kind} {str(name)[:40]!r}, which no journal has as it is")
        verdict = self._database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise corrupt(self._path, str(verdict))
        if self._kind("episodes") != "table":
            raise corrupt(self._path, "it has no table of episodes")

    def _kind(self, name: str) -> str:
        """Return whether ``name`` is a ``table`` or ``view`` of the database, "" where there is none."""
        found = self._database.execute("SELECT type FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def _missing_columns(self) -> Tuple[str, ...]:
        columns = [row[1] for row in self._database.execute("PRAGMA table_info(episodes)").fetchall()]
        return tuple(name for name in _LATER if name not in columns)

    def _add_columns(self) -> None:
        """Give an older journal the columns that it lacks."""
        for name in self._missing:
            kind, default = _LATER[name]
            self._database.execute(f"ALTER TABLE episodes ADD COLUMN {name} {kind} NOT NULL DEFAULT {default}")
        self._missing = ()

    def _begin_chain(self) -> None:
        """Give an older journal a chain of what it holds."""
        if not self._kind(chain.TABLE):
            with self._transaction():
                self._database.execute(chain.SCHEMA)
                chain.append(self._database, self._whole_rows(f"state != '{PLANNED}'"))

    @property
    def is_chained(self) -> bool:
        """Say whether its rows are chained; those of journals from before are not."""
        with journal_errors(self._path):
            return bool(self._kind(chain.TABLE))

    def breaks(self) -> List[chain.Break]:
        """Return the rows that are not what a run wrote, and what is wrong with each; none where a journal is from
        before they were chained."""
        with journal_errors(self._path):
            kind = self._kind(chain.TABLE)
            if kind not in ("", "table"):
                raise corrupt(self._path, f"its chain is a {kind}")
            if not kind:
                return []
            if self._missing:
                return [("", f"the journal was edited: its column {self._missing[0]} is gone")]
            query = f"SELECT position, content, link FROM {chain.TABLE} ORDER BY number LIMIT {2 * MAX_ROWS}"
            self._database.execute("BEGIN")  # both as they are at one moment: a run may be writing
            try:
                entries, rows = self._database.execute(query).fetchall(), self._whole_rows()
            finally:
                self._database.execute("COMMIT")
            return chain.breaks(entries, rows)

    def _whole_rows(self, where: str = "1", values: Tuple[Any, ...] = ()) -> List[Tuple[Any, ...]]:
        """Return rows as they are chained, in the order of the plan."""
        columns = ", ".join(chain.COLUMNS)
        query = f"SELECT {columns} FROM episodes WHERE {where} ORDER BY position LIMIT {MAX_ROWS + 1}"
        return self._database.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do several changes as one."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled it back already
                self._database.execute("ROLLBACK")
            raise

    @property
    def plan_digest(self) -> str:
        """Return whose journal this is, "" where it does not say, as those from before it was written."""
        with journal_errors(self._path):
            if self._kind("plan") != "table":
                return ""
            found = self._database.execute("SELECT digest FROM plan LIMIT 2").fetchall()
        if len(found) != 1 or not isinstance(found[0][0], str):
            raise corrupt(self._path, "its table of the plan has not one row")
        return found[0][0]

    def bind(self, plan_digest: str) -> None:
        """Make an older journal, which does not say whose it is, that of a plan."""
        with journal_errors(self._path), self._transaction():
            self._database.execute("DROP TABLE IF EXISTS plan")
            self._database.execute(_PLAN_SCHEMA)
            self._database.execute("INSERT INTO plan (digest) VALUES (?)", (plan_digest,))

    def commit(
        self, key: EpisodeKey, result: EpisodeResult, attempts: int, record_digest: str = "", imported: bool = False
    ) -> None:
        """Turn a planned row into a finished one; raise RecordError when it is not planned (any more)."""
        metrics = json.dumps(dict(result.metrics), sort_keys=True, allow_nan=False)
        timings = json.dumps(dict(result.timings), sort_keys=True, allow_nan=False)
        facts = (result.state, attempts, result.trajectory_digest, result.error, metrics, timings)
        values = (*facts, record_digest, int(imported), time.time())
        place = (key.task, key.tier, key.episode, key.seed)
        with journal_errors(self._path), self._transaction():
            done = self._database.execute(
                "UPDATE episodes SET state = ?, attempts = ?, trajectory_digest = ?, error = ?, metrics = ?, "
                "timings = ?, record_digest = ?, imported = ?, committed_at = ? "
                "WHERE task = ? AND tier = ? AND episode = ? AND seed = ? AND state = ?",
                (*values, *place, PLANNED),
            )
            if done.rowcount == 1:
                row = self._whole_rows("task = ? AND tier = ? AND episode = ? AND seed = ?", place)
                chain.append(self._database, row)
        if done.rowcount != 1:
            raise RecordError(
                f"{key} is not a planned row of {self._path}: it is unknown or already committed.",
                "This is a defect of the harness; please report it with the run folder.",
            )

    def plan_again(self) -> int:
        """Turn rows in error or timeout back into planned ones; return how many.

        Their attempts stay: an episode that was played again is never told as one that was played once.
        """
        with journal_errors(self._path), self._transaction():
            broken = {row[0] for row in self._whole_rows("state IN (?, ?)", (ERROR, TIMEOUT))}
            done = self._database.execute(
                "UPDATE episodes SET state = ?, trajectory_digest = '', error = '', metrics = '{}', "
                "timings = '{}', record_digest = '', imported = 0, committed_at = NULL WHERE state IN (?, ?)",
                (PLANNED, ERROR, TIMEOUT),
            )
            chain.append(self._database, [row for row in self._whole_rows() if row[0] in broken])
        return done.rowcount

    def rows(self, *states: str) -> Tuple[JournalRow, ...]:
        """Return the rows in one of ``states`` (none: all) in the order of the plan; raise CorruptJournal for a value
        that no row can have."""
        later = ", ".join(_LATER[name][1] if name in self._missing else name for name in _LATER)
        wanted = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        query = f"SELECT {_COLUMNS}, {later} FROM episodes {wanted} ORDER BY position LIMIT {MAX_ROWS + 1}"
        with journal_errors(self._path):
            found = self._database.execute(query, states).fetchall()
        if len(found) > MAX_ROWS:
            raise corrupt(self._path, f"it has more than {MAX_ROWS} rows")
        try:
            return tuple(_row(values) for values in found)
        except ValueError as error:
            raise corrupt(self._path, str(error)) from error

    def planned_keys(self) -> Tuple[EpisodeKey, ...]:
        """Return the keys of the planned rows, in the order of the plan; `rows` checks what is in them."""
        query = f"SELECT task, tier, episode, seed FROM episodes WHERE state = ? ORDER BY position LIMIT {MAX_ROWS}"
        with journal_errors(self._path):
            return tuple(EpisodeKey(*values) for values in self._database.execute(query, (PLANNED,)).fetchall())

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


def lost_plan(plan_digest: str, rows: Iterable[JournalRow]) -> bool:
    """Say whether a journal that does not say whose it is had to: older ones hold rows without digests of records.

    One that was resumed since then holds both kinds.
    """
    played = [row for row in rows if row.result.state in PLAYED]
    return not plan_digest and bool(played) and all(row.record_digest for row in played)


def _is_strange(kind: object, name: object, statement: object) -> bool:
    """Say whether no journal, of whatever version, has this part in its schema."""
    if (kind, statement) == ("index", None):  # what SQLite itself makes of UNIQUE
        return False
    own = kind == "table" and name in ("episodes", "plan", chain.TABLE)
    return not own or _COMPUTING.search(_OWN_CHECK.sub("", str(statement))) is not None


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a database without Python's implicit transactions: each statement commits by itself.

    What a stranger's schema says is not trusted, and no value may be longer than a row's.
    """
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    database = sqlite3.connect(uri, timeout=_BUSY_S, uri=True, isolation_level=None)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_TEXT)
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def _row(values: Tuple[Any, ...]) -> JournalRow:
    """Return a row of the journal; ValueError, which names it, for a value of another kind than its column's."""
    position, task, tier, episode, seed, home, state, attempts, trajectory, error, metrics, timings, at, *later = values
    record, imported = later
    texts = (task, tier, episode, home, state, trajectory, error, metrics, timings, record)
    if not all(isinstance(text, str) for text in texts) or not all(
        isinstance(number, int) for number in (position, seed, attempts, imported)
    ):
        raise ValueError(f"row {position!r} ({episode!r}, seed {seed!r}) holds values of another kind than it should")
    if state not in STATES or not (at is None or isinstance(at, (int, float))):
        raise ValueError(f"row {position} ({episode!r}, seed {seed}) has the state {state!r}, committed at {at!r}")
    result = EpisodeResult(
        episode=episode,
        home=home,
        seed=seed,
        state=state,
        metrics=_numbers(metrics, f"the metrics of row {position} ({episode!r}, seed {seed})"),
        trajectory_digest=trajectory,
        error=error,
        timings=_numbers(timings, f"the timings of row {position} ({episode!r}, seed {seed})"),
    )
    return JournalRow(EpisodeKey(task, tier, episode, seed), position, attempts, result, at, record, bool(imported))


def _numbers(text: str, what: str) -> Dict[str, float]:
    """Return finite numbers by name from JSON; ValueError, which says ``what`` they are, for anything else."""
    try:
        return parse_numbers(text)
    except ValueError as error:
        raise ValueError(f"{what}: {error}: {text[:80]}") from error
