"""An option before a command means what it means behind it, or is refused: it is never dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.running import cleaning, runs
from tests.running import fake


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the sockets and containers of this machine alone."""
    monkeypatch.setattr(cleaning, "remove_leftovers", lambda: cleaning.Leftovers((), (), "none"))


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "--out", "scratch", "clean", "--unfinished", "--yes", "--json"),
        ("runs", "--json", "--out=scratch", "clean", "--unfinished", "--yes"),
        ("--out", "scratch", "runs", "clean", "--unfinished", "--yes", "--json"),
        ("--out", "scratch", "--json", "runs", "clean", "--unfinished", "--yes"),
        ("--json", "runs", "--out", "scratch", "clean", "--unfinished", "--yes", "--json"),
    ],
)
def test_the_named_folder_is_cleaned_wherever_it_is_named(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = runs.create(fake.plan(1), Path("runs"))
    removed = runs.create(fake.plan(1), Path("scratch"))
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == [str(removed.path)]
    assert kept.path.is_dir() and not removed.path.exists()


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("--wm", "gtsim", "list", "wms"), "--wm"),
        (("--dry-run", "doctor"), "--dry-run"),
        (("--episodes", "3", "report", "x"), "--episodes"),
        (("--out", "x", "images", "list"), "--out"),
        (("--resume", "x", "watch", "y"), "--resume"),
        (("--seeds", "0-4", "bank", "--wm", "warp"), "--seeds"),
        (("--out", "a", "runs", "--out", "b", "clean"), "--out"),
        (("runs", "--out", "a", "clean", "--out=b"), "--out"),
        (("--plugins", "p", "datasets"), "--plugins"),
    ],
)
def test_what_a_command_cannot_take_is_refused(
    arguments: tuple[str, ...], option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert option in printed.err and "Traceback" not in printed.err and not printed.out


def test_flags_repeatable_options_and_values_reach_commands_of_groups(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("--json", "images", "list", "--lock", str(tmp_path / "none.lock"))) == 0
    assert "images" in json.loads(capsys.readouterr().out)
    assert main(("--plugins", "/no/such", "list", "wms")) == 2
    assert "/no/such" in capsys.readouterr().err
