"""What was edited in a journal is found, also where no file contradicts it; what a run did itself is not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.contracts.results import EpisodeResult
from harness.records.identity import EpisodeKey
from harness.records.journal import Journal

KEYS = [EpisodeKey("t", "easy", f"e{i}", 0) for i in range(4)]
STATES = ("ok", "failed", "error", "planned")


def result(key: EpisodeKey, state: str) -> EpisodeResult:
    return EpisodeResult(
        key.episode, "h", key.seed, state, {}, "", "it died" if state == "error" else "", {"play": 1.0}
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of one solved, one failed, one broken and one planned episode."""
    journal = Journal.create(tmp_path / "journal.sqlite", ((key, "h") for key in KEYS))
    for key, state in zip(KEYS[:3], STATES, strict=False):
        journal.commit(key, result(key, state), 1)
    journal.close()
    return tmp_path / "journal.sqlite"


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


def breaks(path: Path) -> list[str]:
    journal = Journal(path, read_only=True)
    try:
        return [where for where, _ in journal.breaks()]
    finally:
        journal.close()


AGAIN = "UPDATE episodes SET state = 'planned', attempts = 0, error = '', timings = '{}', committed_at = NULL"
EDITS = {
    "an error made planned": (f"{AGAIN} WHERE position = 2", "e2-s0"),
    "an error made a failure": ("UPDATE episodes SET state = 'failed' WHERE position = 2", "e2-s0"),
    "another cause": ("UPDATE episodes SET error = 'the machine died' WHERE position = 2", "e2-s0"),
    "fewer attempts": ("UPDATE episodes SET attempts = 0 WHERE position = 2", "e2-s0"),
    "fewer seconds": ("UPDATE episodes SET timings = '{\"play\": 0.5}' WHERE position = 0", "e0-s0"),
    "a row that nobody played": ("UPDATE episodes SET state = 'failed', attempts = 1 WHERE position = 3", "e3-s0"),
    "a row gone": ("DELETE FROM episodes WHERE position = 1", ""),
    "a column gone": ("ALTER TABLE episodes DROP COLUMN imported", ""),
    "an entry gone": ("DELETE FROM chain WHERE number = 2", ""),
    "an entry edited": ("UPDATE chain SET content = 'ok' WHERE number = 1", ""),
    "entries exchanged": ("UPDATE chain SET number = 10 - number", ""),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_no_run_wrote_is_named(path: Path, edit: str) -> None:
    statement, where = EDITS[edit]
    change(path, statement)
    assert breaks(path) == [where]


def test_an_error_that_was_hidden_and_played_again_is_named(path: Path) -> None:
    change(path, EDITS["an error made planned"][0])
    journal = Journal(path)
    journal.commit(KEYS[2], result(KEYS[2], "ok"), 1)
    journal.close()
    assert breaks(path) == ["e2-s0"]


def test_what_a_run_does_itself_breaks_nothing(path: Path) -> None:
    assert breaks(path) == []
    journal = Journal(path)
    assert journal.plan_again() == 1
    assert breaks(path) == []
    journal.commit(KEYS[2], result(KEYS[2], "ok"), 2)
    journal.commit(KEYS[3], result(KEYS[3], "timeout"), 1, imported=True)
    journal.close()
    assert breaks(path) == []


def test_a_journal_from_before_chains_is_read_and_chained_when_it_is_continued(path: Path) -> None:
    change(path, "DROP TABLE chain", "UPDATE episodes SET attempts = 2 WHERE position = 0")
    assert breaks(path) == []
    journal = Journal(path)
    journal.commit(KEYS[3], result(KEYS[3], "ok"), 1)
    journal.close()
    assert breaks(path) == []
    change(path, EDITS["an error made planned"][0])
    assert breaks(path) == ["e2-s0"]


def test_a_commit_that_fails_leaves_row_and_chain_as_they_were(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.records import chain

    journal = Journal(path)

    def full(*given: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch, pytest.raises(Exception, match="full"):
        patch.setattr(chain, "append", full)
        journal.commit(KEYS[3], result(KEYS[3], "ok"), 1)
    assert journal.counts()["planned"] == 1
    journal.commit(KEYS[3], result(KEYS[3], "ok"), 1)
    journal.close()
    assert breaks(path) == []


def test_who_reads_while_a_run_writes_finds_nothing_edited(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = Journal(path), Journal(path, read_only=True)
    read = reader._whole_rows

    def later(*given: object) -> object:
        writer.commit(KEYS[3], result(KEYS[3], "ok"), 1)  # after the chain was read, before the rows are
        return read()

    monkeypatch.setattr(reader, "_whole_rows", later)
    assert reader.breaks() == []
    reader.close()
    writer.close()
    assert breaks(path) == []
