"""A stranger's folder is read without following it anywhere, waiting for it, or filling memory with it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import WiwError
from harness.records.atomic import write_atomic
from harness.records.damage import FOUND
from harness.records.errors import RecordError
from harness.records.folder import RunFolder
from harness.records.listing import read_runs
from harness.records.safe_files import MAX_DEPTH, UnsafeEntry, parse_json, read_inside
from tests.records.test_folder import create

KINDS = ("link", "dangling link", "fifo", "socket", "folder")


def put(kind: str, path: Path, secret: Path) -> None:
    """Make something else than a plain file at ``path``."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(secret if kind == "link" else path.parent / "nowhere")


@pytest.mark.parametrize("kind", KINDS)
def test_only_plain_files_are_read(kind: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "run").mkdir()
    put(kind, tmp_path / "run" / "file", tmp_path / "secret")
    with pytest.raises((UnsafeEntry, OSError)):
        read_inside(tmp_path / "run", "file", 100)


def test_a_folder_on_the_way_is_no_link_either(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "inner").symlink_to(tmp_path / "real")
    with pytest.raises(UnsafeEntry, match="a link"):
        read_inside(tmp_path / "run", "inner/file", 100)


@pytest.mark.parametrize("name", ["../file", "/etc/hostname", "a/../../file", "", "."])
def test_a_name_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "run").mkdir()
    with pytest.raises(UnsafeEntry):
        read_inside(tmp_path / "run", name, 100)


def test_sizes_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 101)
    assert read_inside(tmp_path, "file", 101) == b"x" * 101
    with pytest.raises(UnsafeEntry, match="more than the 100 bytes"):
        read_inside(tmp_path, "file", 100)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        "NaN",
        "-Infinity",
        "[1e999]",
        '{"\\ud800": 1}',
        '"\\udfff"',
        "{",
    ],
)
def test_json_that_makes_trouble_later_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=20,
    )
)
def test_all_other_json_is_read_as_it_was_written(value: Any) -> None:
    try:
        text = json.dumps(value)
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert parse_json(text) == value


def test_depth_has_one_limit() -> None:
    assert parse_json("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)) is not None
    with pytest.raises(ValueError, match="deeper"):
        parse_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_writing_never_goes_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "run").mkdir()
    for name in ("results.json", f".tmp-results.json-{os.getpid()}"):
        (tmp_path / "run" / name).symlink_to(tmp_path / "mine")
    write_atomic(tmp_path / "run" / "results.json", b"new")
    assert (tmp_path / "mine").read_text() == "precious"
    assert (tmp_path / "run" / "results.json").read_bytes() == b"new"


@pytest.mark.parametrize("entry", ["run.json", "journal.sqlite", "lock", "spent.txt", "episodes", "logs"])
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_no_entry_of_a_run_folder_may_be_anything_else(entry: str, kind: str, tmp_path: Path) -> None:
    folder = create(tmp_path)
    folder.journal_to_write().close()
    path = folder.path / entry
    secret = tmp_path / "secret"
    if path.exists():
        path.rename(secret)
    put(kind, path, secret)
    with pytest.raises(RecordError, match=r"link|pipe"):
        RunFolder.open(folder.path).rows()


NAMES = ["../../x", "a/b", "/etc", "..", ".hidden", "", "x" * 300, "a\x1b[2Jb", "a\u202eb", "a\nb"]


@pytest.mark.parametrize("field", ["wm", "tier", "task", "suite", "split", "run_id", "episode"])
@pytest.mark.parametrize("name", NAMES)
def test_names_of_a_run_cannot_lead_anywhere(field: str, name: str, tmp_path: Path) -> None:
    folder = create(tmp_path)
    value = json.loads((folder.path / "run.json").read_bytes())
    if field == "run_id":
        value["run_id"] = name
    elif field == "episode":
        value["identity"]["episodes"][0]["id"] = name
    else:
        value["identity"][field] = name
    (folder.path / "run.json").write_text(json.dumps(value))
    with pytest.raises(RecordError, match="damaged"):
        RunFolder.open(folder.path)


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": list(range(100_000))},
        {"seeds": [0, 0]},
        {"seeds": [-1]},
        {"episodes": "twice"},
    ],
)
def test_plans_that_no_run_has_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    folder = create(tmp_path)
    value = json.loads((folder.path / "run.json").read_bytes())
    if change.get("episodes") == "twice":
        change = {"episodes": value["identity"]["episodes"] * 2}
    value["identity"].update(change)
    (folder.path / "run.json").write_text(json.dumps(value))
    with pytest.raises(RecordError, match="damaged"):
        RunFolder.open(folder.path)


def replace_by(kind: str, path: Path) -> None:
    path.unlink()
    put(kind, path, path)


NEIGHBOURS: dict[str, Callable[[Path], object]] = {
    "damaged journal": lambda path: (path / "journal.sqlite").write_bytes(b"\xff" * 3000),
    "fifo as journal": lambda path: replace_by("fifo", path / "journal.sqlite"),
    "fifo as run.json": lambda path: replace_by("fifo", path / "run.json"),
    "no run.json": lambda path: (path / "run.json").unlink(),
    "run.json of another program": lambda path: (path / "run.json").write_text('{"name": "x", "format": "npm"}'),
    "run.json is a list": lambda path: (path / "run.json").write_text("[1, 2]"),
    "deep run.json": lambda path: (path / "run.json").write_text("[" * 100_000),
    "binary run.json": lambda path: (path / "run.json").write_bytes(bytes(range(256))),
    "journal is a folder": lambda path: replace_by("folder", path / "journal.sqlite"),
    "journal of another program": lambda path: (path / "journal.sqlite").write_bytes(b""),
}


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_a_bad_neighbour_is_named_and_hides_nobody(neighbour: str, tmp_path: Path) -> None:
    good, bad = create(tmp_path, run_id="good"), create(tmp_path, run_id="bad")
    bad.journal_to_write().close()
    NEIGHBOURS[neighbour](bad.path)
    (tmp_path / "notes.txt").write_text("no run")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "compare-a-b").mkdir()
    found = read_runs(tmp_path)
    assert [folder.path for folder in found.folders] == [good.path]
    assert [passed.path for passed in found.passed_over] == [bad.path]
    assert found.passed_over[0].why


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_neighbour_is_named(tmp_path: Path) -> None:
    create(tmp_path, run_id="good")
    create(tmp_path, run_id="bad").path.chmod(0)
    found = read_runs(tmp_path)
    assert [passed.path.name for passed in found.passed_over] == ["bad"] and len(found.runs) == 1
    (tmp_path / "bad").chmod(0o700)


def test_what_was_found_before_is_read_with_care(tmp_path: Path) -> None:
    from harness.records.damage import Damage, read_damage, write_damage

    assert read_damage(tmp_path) == ()
    write_damage(tmp_path, (Damage("a", "b"),))
    write_damage(tmp_path, (Damage("c", "d"),))
    assert read_damage(tmp_path) == (Damage("a", "b"), Damage("c", "d"))
    (tmp_path / FOUND).write_text("[" * 9999)
    assert [damage.where for damage in read_damage(tmp_path)] == [FOUND]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE episodes SET metrics = '[1]'",
        'UPDATE episodes SET metrics = \'{"spl": "x"}\'',
        "UPDATE episodes SET metrics = '{\"spl\": 1e999}'",
        "UPDATE episodes SET timings = NULL",
        "UPDATE episodes SET seed = 'zero'",
        "UPDATE episodes SET position = x'00'",
        "UPDATE episodes SET committed_at = 'now'",
        "DROP TABLE episodes",
        "ALTER TABLE episodes RENAME TO e; CREATE VIEW episodes AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
        "SELECT i + 1 FROM n) SELECT i AS position, 't' AS task FROM n",
    ],
)
def test_a_journal_with_strange_contents_is_one_sentence(statement: str, tmp_path: Path) -> None:
    import sqlite3

    folder = create(tmp_path)
    folder.journal_to_write().close()
    database = sqlite3.connect(folder.path / "journal.sqlite")
    try:
        database.executescript(f"PRAGMA ignore_check_constraints = ON; {statement};")
    except sqlite3.IntegrityError:
        pytest.skip("the table itself refuses it")
    finally:
        database.close()
    with pytest.raises(WiwError, match=r"damaged|journal"):
        folder.rows()
