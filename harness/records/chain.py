"""The chain of a journal: each change that a run makes to a row, linked to the change before.

It is written in the transaction of the change. Whoever edits a row afterwards leaves a row that the chain does not
know, also one without files, which nothing else would contradict: an episode in error that was made planned again, and
would be played once more as if it never had been. It is no signature: who rewrites rows and chain together is found by
what was kept elsewhere, such as the memory of the run (`Account`) and the signature of a bundle.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from typing import Any, Dict, Iterable, Iterator, List, Sequence, Set, Tuple

from harness.contracts.results import PLANNED

TABLE = "chain"
SCHEMA = f"""
CREATE TABLE {TABLE} (number INTEGER PRIMARY KEY, position INTEGER NOT NULL, content TEXT NOT NULL, link TEXT NOT NULL)
"""
POSITION, EPISODE, SEED, STATE = "position", "episode", "seed", "state"
COLUMNS = (
    POSITION, "task", "tier", EPISODE, SEED, "home", STATE, "attempts", "trajectory_digest", "error", "metrics",
    "timings", "committed_at", "record_digest", "imported",
)  # fmt: skip
"""What is chained of a row of the journal: all of it."""

Values = Sequence[Any]
"""A row's values in the order of `COLUMNS`."""

Break = Tuple[str, str]
"""The folder's name of an episode ("": the chain itself), and what is wrong."""


def append(database: sqlite3.Connection, rows: Iterable[Values]) -> None:
    """Chain rows as they are now, inside of the transaction that changed them."""
    last = database.execute(f"SELECT link FROM {TABLE} ORDER BY number DESC LIMIT 1").fetchone()
    link = str(last[0]) if last else ""
    for values in rows:
        content = _content(values)
        link = _link(link, values[0], content)
        database.execute(f"INSERT INTO {TABLE} (position, content, link) VALUES (?, ?, ?)", (values[0], content, link))


def breaks(entries: Sequence[Values], rows: Iterable[Values]) -> List[Break]:
    """Return what the entries (position, content, link; in order) of a chain contradict in themselves and in rows."""
    latest: Dict[Any, Any] = {}
    link, twice = "", set()
    for position, content, said in entries:
        link = _link(link, position, content)
        if said != link:
            return [("", "the chain of its rows is broken: it was edited")]
        if not {_state(content), _state(latest.get(position, PLANNED))} & {PLANNED}:
            twice.add(position)
        latest[position] = content
    return list(_strange(latest, twice, rows))


def _strange(latest: Dict[Any, Any], twice: Set[Any], rows: Iterable[Values]) -> Iterator[Break]:
    """Yield the rows that are not as they were chained last, and those that were written ``twice``."""
    for values in rows:
        row = dict(zip(COLUMNS, values))
        known = latest.pop(row[POSITION], None)
        name = f"{row[EPISODE]}-s{row[SEED]}"
        if known != _content(values) and (known, row[STATE]) != (None, PLANNED):
            yield name, "the journal was edited: no run wrote this row"
        elif row[POSITION] in twice:
            yield name, "the journal was edited: it was played, and made planned again by nobody who says so"
    if latest:
        yield "", f"the journal was edited: {len(latest)} rows that a run wrote are gone"


def _content(values: Values) -> str:
    """Return a row's state and the digest of all that it holds."""
    digest = hashlib.sha256(json.dumps(list(values), default=repr).encode()).hexdigest()
    return f"{values[COLUMNS.index(STATE)]} {digest}"


def _state(content: Any) -> str:
    return str(content).partition(" ")[0]


def _link(before: str, position: Any, content: Any) -> str:
    return hashlib.sha256(f"{before}\n{position}\n{content}\n".encode()).hexdigest()
