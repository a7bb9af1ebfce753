"""One bad folder among the runs stops no command, and every command names it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import play
from harness.cli.app import main
from harness.records.folder import RunFolder
from harness.running.cleaning import find_unfinished
from harness.running.dry_run import estimate
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from tests.auditing.written_run import change, written_run


def random_journal(path: Path) -> None:
    (path / "journal.sqlite").write_bytes(os.urandom(3000))


def fifo_journal(path: Path) -> None:
    (path / "journal.sqlite").unlink()
    os.mkfifo(path / "journal.sqlite")


def fifo_record(path: Path) -> None:
    (path / "run.json").unlink()
    os.mkfifo(path / "run.json")


@pytest.fixture(params=[random_journal, fifo_journal, fifo_record], ids=lambda spoil: spoil.__name__)
def good(request: pytest.FixtureRequest, tmp_path: Path) -> RunFolder:
    spoil: Callable[[Path], None] = request.param
    spoil(written_run(tmp_path, run_id="bad").path)
    os.mkfifo(tmp_path / "pipe")
    return written_run(tmp_path, run_id="good")


@pytest.mark.parametrize("words", [["runs", "--out"], ["list", "runs", "--out"]])
def test_lists(good: RunFolder, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, str(good.path.parent)]) == 0
    printed = capsys.readouterr()
    assert "good" in printed.out and f"passed over {good.path.parent / 'bad'}" in printed.out + printed.err
    assert main([*words, str(good.path.parent), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["run"] for row in found["runs"]] == ["good"]
    assert [Path(passed["folder"]).name for passed in found["passed_over"]] == ["bad"]


def test_report(good: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(good.path)]) == 0
    assert (good.path / "results.json").is_file()
    assert str(good.path.parent / "bad") in capsys.readouterr().err


def test_references_estimates_and_cleaning(good: RunFolder) -> None:
    plan = make_plan(RunOptions("warp", "ignav", suite="embedded-v1", episodes="4"))
    found = play.reusable(plan, good.path.parent)
    assert found is not None and found.path == good.path
    assert estimate(plan, good.path.parent)[1] == "good"
    assert find_unfinished(good.path.parent) == ()


@pytest.mark.parametrize("words", [["report"], ["watch", "--once"]])
def test_the_bad_one_itself_is_one_sentence(
    good: RunFolder, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([words[0], str(good.path.parent / "bad"), *words[1:]]) in (1, 2)
    assert "bad" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["results.json", "report.html"])
def test_a_folder_in_the_place_of_a_file_is_one_sentence(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = written_run(tmp_path)
    (run.path / name).mkdir()
    assert main(["report", str(run.path)]) in (1, 2)
    assert f"cannot write {run.path / name}: Is a directory" in capsys.readouterr().err


def test_a_damaged_reference_is_passed_over_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = written_run(tmp_path, "warp", "mine")
    reference = written_run(tmp_path, "copy", "theirs")
    assert main(["report", str(run.path), "--json"]) == 0
    before = json.loads(capsys.readouterr().out)["references"]
    assert "run theirs" in [row["source"] for row in before]
    change(reference, "UPDATE episodes SET state = 'ok'")
    assert main(["report", str(run.path), "--json"]) == 0
    printed = capsys.readouterr()
    assert "run theirs" not in [row["source"] for row in json.loads(printed.out)["references"]]
    assert "theirs" in printed.err and "DAMAGED" in printed.err


def test_a_reference_of_other_code_than_is_here_is_passed_over_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = written_run(tmp_path, "warp", "mine")
    with monkeypatch.context() as patch:
        patch.setattr("harness.worldmodels.digests.file_digests", lambda folder: {"model.py": "other bytes"})
        written_run(tmp_path, "copy", "theirs")
    assert main(["report", str(run.path), "--json"]) == 0
    printed = capsys.readouterr()
    assert "run theirs" not in [row["source"] for row in json.loads(printed.out)["references"]]
    assert "theirs played other code of this world model than is here" in printed.err


def test_a_damaged_run_is_no_reference_to_reuse(tmp_path: Path) -> None:
    plan = make_plan(RunOptions("warp", "ignav", suite="embedded-v1", episodes="4"))
    change(written_run(tmp_path), "UPDATE episodes SET state = 'ok'")
    assert play.reusable(plan, tmp_path) is None
