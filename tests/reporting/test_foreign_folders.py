"""A report of a stranger's folder holds nothing from outside it, and takes no more memory than one of ours."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.episode_files import MapInfo
from harness.records.folder import RunFolder
from harness.reporting.details import map_shape
from harness.reporting.exports import EpisodeTable, csv_bytes
from harness.reporting.report import write_report
from harness.scoring.data import RunData
from tests.reporting.synthetic_folder import small_run, write_run
from tests.scoring.synthetic import synthetic_run


def bomb(side: int) -> bytes:
    """Return a white one-bit PNG of ``side`` x ``side`` pixels: a thousandth of what it decodes to."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * (side // 8)
    pixels = b"".join(packer.compress(row * 1000) for _ in range(side // 1000)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def embedded(folder: RunFolder) -> str:
    return write_report(folder).report.read_text("utf-8")


def first_episode(folder: RunFolder) -> Path:
    return folder.episode_folder(folder.rows()[0].key)


@pytest.mark.parametrize("side", [32_000, 100_000])
def test_a_map_is_measured_before_it_is_decoded(side: int) -> None:
    png = bomb(side) if side == 32_000 else bomb(8000)
    told = MapInfo((0.0, 0.0), 0.05, side, side)
    assert map_shape(png, told) is None
    assert map_shape(png, MapInfo((0.0, 0.0), 0.05, 200, 200)) is None


@pytest.mark.parametrize("png", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(100)])
def test_what_is_no_map_is_none(png: bytes) -> None:
    assert map_shape(png, MapInfo((0.0, 0.0), 0.05, 1, 1)) is None


def test_a_page_with_a_bomb_for_a_map_is_still_written(tmp_path: Path) -> None:
    folder = small_run(tmp_path)
    for path in folder.episodes.glob("*/map.png"):
        path.write_bytes(bomb(8000))
    assert '"maps":[]' in embedded(folder) or '"maps":{}' in embedded(folder)


@pytest.mark.parametrize("name", ["goal.jpg", "decision-00.jpg", "map.png"])
def test_a_linked_picture_is_never_embedded(name: str, tmp_path: Path) -> None:
    folder = small_run(tmp_path)
    other = write_run(tmp_path, replace_id(synthetic_run("mini", homes=3, per_home=2), "other"))
    secret = tmp_path / "secret.jpg"
    secret.write_bytes((first_episode(other) / "goal.jpg").read_bytes() + b"PRIVATE")
    (first_episode(folder) / name).unlink()
    (first_episode(folder) / name).symlink_to(secret)
    page = embedded(folder)
    assert f'"{first_episode(folder).name}/{name}":' not in page


def test_what_is_no_picture_is_never_embedded(tmp_path: Path) -> None:
    folder = small_run(tmp_path)
    (first_episode(folder) / "goal.jpg").write_bytes(b"<svg onload=alert(1)>")
    assert f'"{first_episode(folder).name}/goal.jpg":' not in embedded(folder)


def test_no_name_or_message_turns_the_page_around(tmp_path: Path) -> None:
    run = synthetic_run(homes=3, per_home=2, errors=1)
    broken = run.rows[-1]
    row = replace(broken, result=replace(broken.result, error="evil \u202egnp.exe \x1b[2J"))
    folder = write_run(tmp_path, replace(run, rows=(*run.rows[:-1], row)), with_pictures=0)
    page = embedded(folder)
    scripts = "".join(re.findall("<script.*?</script>", page, re.DOTALL))
    assert not {"\u202e", "\x1b"} & set(page) and "\\u202e" not in scripts.replace("\\\\u202e", "")


def replace_id(run: RunData, name: str) -> RunData:
    return replace(run, record=replace(run.record, run_id=name))


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "  =1", "=HYPERLINK(1)", "\uff1d1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_the_csv_is_a_formula(text: str) -> None:
    table = EpisodeTable((text, "number"), ((text, -1.5),))
    rows = list(csv.reader(io.StringIO(csv_bytes(table).decode(), newline="")))
    assert rows == [["'" + text, "number"], ["'" + text, "-1.5"]]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_cells_are_safe_and_all_printable_text_is_kept(text: str) -> None:
    table = EpisodeTable(("error",), ((text,),))
    cell = list(csv.reader(io.StringIO(csv_bytes(table).decode(), newline="")))[-1]
    found = cell[0] if cell else ""
    kept = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    assert found in (kept, "'" + kept)
    assert not found.lstrip().startswith(("=", "+", "-", "@")) and not found.startswith("\t")


def test_what_a_terminal_obeys_is_escaped_in_the_csv() -> None:
    text = 'a\x1b[2J\x9b\u202eb\r=1\x00\nnext, "line" \t\u00fc \U0001f600'
    table = EpisodeTable(("error\x1b",), ((text,),))
    head, row = csv.reader(io.StringIO(csv_bytes(table).decode(), newline=""))
    assert head == ["error\\x1b"]
    assert row == ['a\\x1b[2J\\x9b\\u202eb\\r=1\\x00\nnext, "line" \t\u00fc \U0001f600']


def test_the_results_say_the_same_in_json(tmp_path: Path) -> None:
    folder = small_run(tmp_path)
    results = json.loads(write_report(folder).exports[0].read_bytes())
    assert results["damaged"] is False and results["damage"] == []
