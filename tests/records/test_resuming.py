"""The command that goes on: what the run needs again, errors where there are any, and no limit that was met."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.results import ERROR, FAILED, PLANNED, TIMEOUT, EpisodeResult
from harness.records.folder import RunFolder
from harness.records.identity import RunRecord
from harness.records.resuming import recorded_words, resume_command
from harness.running import runs
from tests.running import fake

LATE = "world model 'warp2' did not answer Imagine within 30 s (--timeout 30). Look at its log."


def result(state: str, error: str = "") -> EpisodeResult:
    return EpisodeResult("e0", "home", 0, state, {}, "", error)


def test_errors_are_only_played_again_where_there_are_any() -> None:
    assert resume_command(Path("my runs/a"), (), [result(PLANNED)]) == "python benchmark.py --resume 'my runs/a'"
    assert resume_command("a", (), [result(ERROR, "boom")]).endswith("--resume a --retry-errors")
    assert resume_command("a", (), [result(PLANNED), result(TIMEOUT, "late")]).endswith("--resume a --retry-errors")


@pytest.mark.parametrize("given", [("--timeout=30", "--plugins=/p"), ("--plugins=/p",)])
def test_a_limit_that_was_met_is_doubled(given: tuple[str, ...]) -> None:
    words = shlex.split(resume_command("a", given, [result(FAILED), result(TIMEOUT, LATE)]))
    assert words[2:] == ["--resume", "a", "--plugins=/p", "--timeout=60", "--retry-errors"]
    small = resume_command("a", given, [result(TIMEOUT, LATE.replace("30", "0.5"))])
    assert "--timeout=1 " in small


def test_a_start_that_was_late_and_ended_the_run_gets_longer() -> None:
    ended = "service 'svd' was not ready within 600 s (--start-timeout 600) and was killed."
    assert resume_command("a", ["--start-timeout=600"], [], ended).endswith("--resume a --start-timeout=1200")


def record_of(tmp_path: Path, command: list[str], again: list[Any]) -> RunRecord:
    record = RunFolder.open(runs.create(fake.plan(2), tmp_path).path).record
    return replace(
        record,
        execution={**record.execution, "again": again},
        provenance=replace(record.provenance, command=("/x/benchmark.py", *command)),
    )


def test_a_folder_gives_the_options_as_its_command_had_them(tmp_path: Path) -> None:
    command = ["--wm", "m", "--plugins", "p q", "--timeout=9", "--set", "code=/c", "--set=steps=3", "--out", "o"]
    record = record_of(tmp_path, [*command, "--allow-uncarded"], ["--plugins", "--timeout", "--set code", 7, "--help"])
    assert recorded_words(record) == ("--plugins=p q", "--timeout=9", "--set=code=/c")
    assert "'--plugins=p q'" in resume_command("a", recorded_words(record), [])


def test_what_the_command_does_not_say_is_left_to_be_filled_in(tmp_path: Path) -> None:
    record = record_of(tmp_path, [], ["--wm-python", "--set code", "--max-failures"])
    assert recorded_words(record) == ("--set=code=...", "--wm-python=...")
