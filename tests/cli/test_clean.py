"""`runs clean --unfinished` names what would go, and removes nothing that nobody agreed to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.running import cleaning, runs
from tests.running import fake


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cleaning, "remove_leftovers", lambda: cleaning.Leftovers((), (), "no engine"))
    return runs.create(fake.plan(3), tmp_path, run_id="begun").path


def test_without_a_person_the_runs_are_named_and_stay(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "clean", "--unfinished", "--out", str(begun.parent)]) == 2
    said = capsys.readouterr().err
    assert f"{begun}: 0 of 3 played, 0.0 MB" in said and "would remove 1 run with" in said and "--yes" in said
    assert begun.is_dir()


@pytest.mark.parametrize("agrees", [True, False])
def test_a_person_is_asked(begun: Path, agrees: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    asked: list[str] = []

    def confirm(text: str, err: bool) -> bool:
        asked.append(text)
        return agrees

    monkeypatch.setattr("typer.confirm", confirm)
    assert main(["runs", "clean", "--unfinished", "--out", str(begun.parent)]) == 0
    assert asked == ["Remove 1 run with episodes still to be played, 0.0 MB?"] and begun.is_dir() is not agrees


def test_yes_removes_without_asking(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "clean", "--unfinished", "--yes", "--json", "--out", str(begun.parent)]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == [str(begun)] and not begun.exists()
    assert main(["runs", "clean", "--unfinished", "--out", str(begun.parent)]) == 0


def test_where_no_engine_was_asked_the_line_says_that_nothing_was_looked_for(
    begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "clean", "--out", str(begun.parent)]) == 0
    assert "containers  not looked for: no engine" in capsys.readouterr().out
