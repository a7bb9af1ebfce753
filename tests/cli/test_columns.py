"""Tables and lists are readable at any width: no cell is a tower of syllables, nothing runs over the edge."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.app import main
from harness.cli.console import READABLE, print_table, side_by_side, stacked

WORDS = st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=0, max_size=20).map(" ".join)


@pytest.mark.parametrize(("width", "lines"), [(40, 380), (80, 210), (120, 150)])
def test_the_list_of_world_models_is_short_and_fits(
    width: int, lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["list", "wms"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) < lines
    assert all(len(line) <= width for line in said)
    text = " ".join(" ".join(said).split())
    assert "Repeats the conditioning view: what a world model that ignores actions is worth." in text


def test_the_list_says_what_runs_here_and_what_the_others_lack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    main(["list", "wms"])
    here, *others = capsys.readouterr().out.split("\n\n")
    assert here.startswith("Run here: python benchmark.py --wm")
    for name in ("copy", "gtsim", "gtsim-motion-50", "none", "warp"):
        assert f"\n  {name} " in here
    assert "\n  svd " not in here
    lacking = next(group for group in others if "\n  svd " in group)  # the packages too, where they are not installed
    assert lacking.startswith("Lack weights") and "; with that they run here" in lacking


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("kind", ["suites", "tasks"])
def test_other_lists_fit_too(
    kind: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["list", kind]) == 0
    said = capsys.readouterr().out.splitlines()
    assert all(len(line.rstrip()) <= width for line in said)
    assert len(said) < 150


@given(rows=st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5), width=st.integers(20, 200))
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_and_nothing_is_cut(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = stacked(("name", "what", "why"), rows, width)
    assert all(len(line) <= width for line in lines)
    packed = "".join("".join(lines).split())
    for row in rows:
        for cell in row:
            assert "".join(cell.split()) in packed


def test_a_table_is_stacked_where_its_columns_would_be_narrow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, rows = ("part", "state", "found"), [("a" * 20, "ok", "word " * 30), ("b", "problem", "other " * 3)]
    assert side_by_side(columns, rows, 20 + 7 + READABLE + 4)
    assert not side_by_side(columns, rows, 20 + 7 + READABLE + 3)
    for width in (40, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        print_table("Title", columns, rows)
        said = capsys.readouterr().out
        assert ("\n  found" in said) == (width == 40)
        assert max(map(len, said.splitlines())) <= width


def test_a_table_whose_words_would_be_cut_is_stacked() -> None:
    """The name of a run is copied into the next command: half of it on another line is none."""
    rows = [("warp", "33.3", "20261129-2351-ignav-easy-warp-s0-91aa")]
    assert side_by_side(("model", "success", "run"), rows, 55) and not side_by_side(
        ("model", "success", "run"), rows, 50
    )
    words = [("warp", "33.3", "a cell of many words that may stand in several lines of a table")]
    assert side_by_side(("model", "success", "run"), words, 50)
