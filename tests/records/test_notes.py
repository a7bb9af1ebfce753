"""Notes of a run: what it could not measure, each once, whoever wrote the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.records.notes import MOST_CHARACTERS, MOST_NOTES, NOTES, add_notes, read_notes


def test_notes_are_kept_once_and_in_order(tmp_path: Path) -> None:
    assert read_notes(tmp_path) == ()
    add_notes(tmp_path, ())
    assert not (tmp_path / NOTES).exists()
    add_notes(tmp_path, ("b is not measured: no c",))
    add_notes(tmp_path, ("b is not measured: no c", "a is not measured"))
    assert read_notes(tmp_path) == ("b is not measured: no c", "a is not measured")


def test_what_strangers_wrote_is_bounded_and_plain(tmp_path: Path) -> None:
    lines = [f"\x1b[2J\u202e{number} " + "x" * 10_000 for number in range(50)]
    (tmp_path / NOTES).write_text("\n".join(lines), encoding="utf-8")
    notes = read_notes(tmp_path)
    assert 0 < len(notes) <= MOST_NOTES and all(len(note) <= MOST_CHARACTERS for note in notes)
    assert all(note.isprintable() for note in notes)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_is_not_read(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    place = tmp_path / NOTES
    if kind == "link":
        place.symlink_to(secret)
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        place.mkdir()
    assert read_notes(tmp_path) == ()


def test_a_note_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    add_notes(tmp_path / "gone", ("x",))
