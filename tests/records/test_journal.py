"""The journal holds one committed row an episode and says clearly when it cannot."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.results import EpisodeResult
from harness.records.errors import CorruptJournal, DiskFull, RecordError, journal_errors
from harness.records.identity import EpisodeKey
from harness.records.journal import Journal
from harness.records.roots import trajectory_root
from harness.records.safe_files import parse_numbers

KEYS = [EpisodeKey("t", "easy", f"e{i}", 0) for i in range(4)]


def result(key: EpisodeKey, state: str = "ok") -> EpisodeResult:
    return EpisodeResult(key.episode, "h", key.seed, state, {"spl": 0.5}, "ab" * 32, "", {"play": 1.0})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Journal.create(tmp_path / "journal.sqlite", ((key, "h") for key in KEYS)).close()
    return tmp_path / "journal.sqlite"


def test_a_committed_row_is_there_after_reopening(path: Path) -> None:
    journal = Journal(path)
    journal.commit(KEYS[2], result(KEYS[2]), attempts=2)
    journal.close()
    row = Journal(path, read_only=True).rows()[2]
    assert (row.key, row.attempts, row.result) == (KEYS[2], 2, result(KEYS[2]))
    assert row.committed_at is not None


def test_rows_are_read_by_their_states(path: Path) -> None:
    journal = Journal(path)
    journal.commit(KEYS[2], result(KEYS[2]), attempts=1)
    assert [row.key for row in journal.rows("planned")] == [KEYS[0], KEYS[1], KEYS[3]]
    assert [row.key for row in journal.rows("ok", "failed")] == [KEYS[2]]
    assert len(journal.rows()) == 4


@pytest.mark.parametrize(
    "text", ['{"a": 1e999}', '{"a": NaN}', '{"a": true}', '{"a": "1"}', "[1]", '{"\\ud800": 1}', "{"]
)
def test_texts_that_are_no_numbers_by_name_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_numbers(text)


def test_a_closed_journal_is_one_file_also_after_reading(path: Path) -> None:
    journal = Journal(path)
    journal.commit(KEYS[0], result(KEYS[0]), 1)
    journal.close()
    reader = Journal(path, read_only=True)
    assert reader.counts()["ok"] == 1
    reader.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_no_episode_is_committed_twice(path: Path) -> None:
    journal = Journal(path)
    journal.commit(KEYS[0], result(KEYS[0]), 1)
    with pytest.raises(RecordError, match="already committed"):
        journal.commit(KEYS[0], result(KEYS[0], "failed"), 1)
    with pytest.raises(RecordError, match="unknown"):
        journal.commit(EpisodeKey("t", "easy", "e9", 0), result(KEYS[0]), 1)
    assert journal.counts() == {"planned": 3, "ok": 1, "failed": 0, "error": 0, "timeout": 0}


def test_a_half_made_journal_of_a_killed_run_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / ".tmp-journal.sqlite").write_bytes(b"half")
    journal = Journal.create(tmp_path / "journal.sqlite", [(KEYS[0], "h")])
    assert [(row.key, row.result.state) for row in journal.rows()] == [(KEYS[0], "planned")]


def test_a_missing_journal_is_not_made_by_opening_it(tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        Journal(tmp_path / "journal.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_only_errors_and_timeouts_are_planned_again(path: Path) -> None:
    journal = Journal(path)
    for key, state in zip(KEYS, ("ok", "failed", "error", "timeout"), strict=True):
        journal.commit(key, result(key, state), 1)
    assert journal.plan_again() == 2
    assert [row.result.state for row in journal.rows()] == ["ok", "failed", "planned", "planned"]


def test_a_reader_sees_rows_while_a_writer_has_it_open(path: Path) -> None:
    writer = Journal(path)
    reader = Journal(path, read_only=True)
    writer.commit(KEYS[0], result(KEYS[0]), 1)
    assert reader.counts()["ok"] == 1
    with pytest.raises(Refusal, match="cannot write"):
        reader.commit(KEYS[1], result(KEYS[1]), 1)


def test_numbers_that_json_cannot_hold_are_refused(path: Path) -> None:
    journal = Journal(path)
    bad = EpisodeResult("e0", "h", 0, "ok", {"psnr": float("inf")}, "")
    with pytest.raises(ValueError, match="JSON"):
        journal.commit(KEYS[0], bad, 1)


@pytest.mark.parametrize("damage", ["not a database", "broken page", "empty file"])
def test_a_damaged_journal_gives_one_message_and_is_not_touched(path: Path, damage: str) -> None:
    journal = Journal(path)
    journal.close()
    data = bytearray(path.read_bytes())
    if damage == "not a database":
        data[:16] = b"garbage garbage!"
    elif damage == "empty file":
        data = bytearray()
    else:
        data[4096:8192] = bytes(4096)
    path.write_bytes(data)
    with pytest.raises(CorruptJournal, match=r"(?s)damaged.*Move it away"):
        Journal(path)
    assert path.read_bytes() == bytes(data)


@pytest.mark.parametrize(("code", "kind"), [(sqlite3.SQLITE_FULL, DiskFull), (sqlite3.SQLITE_IOERR, RecordError)])
def test_sqlite_errors_become_messages(tmp_path: Path, code: int, kind: type[Exception]) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = code
    with pytest.raises(kind, match="resume the run"), journal_errors(tmp_path / "journal.sqlite"):
        raise error


def test_the_root_depends_on_rows_and_not_on_their_order(path: Path) -> None:
    journal = Journal(path)
    journal.commit(KEYS[0], result(KEYS[0]), 1)
    rows = journal.rows()
    assert trajectory_root(rows) == trajectory_root(rows[::-1])
    journal.commit(KEYS[1], result(KEYS[1], "error"), 1)
    assert trajectory_root(journal.rows()) != trajectory_root(rows)
