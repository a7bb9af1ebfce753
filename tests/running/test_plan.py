"""Plans survive JSON, messages survive rubbish, and states have exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import Refusal, SpecMismatch, WiwError
from harness.contracts.results import EpisodeResult
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.messages import Abort, Again, Finished, Message, Play, Ready, Starting, decode, encode
from harness.running.plan import PhaseDeadlines, ServicePlan, check_suite, plan_of
from harness.running.progress import exit_code, exit_code_of
from tests.running import fake

START = fake.episodes(1)[0].start


def test_a_plan_comes_back_from_its_run_folder(tmp_path: Path) -> None:
    plan = replace(
        fake.plan(2, workers=3, deadlines=PhaseDeadlines(step_s=7.0), play_s=0.1),
        identity=replace(fake.plan(2).identity, wm_manifest={"needs": ("torch",)}, specs={"pose": START}),
        environment=ServicePlan("environment", "embedded", "a:B", options={"cache_dir": "/x"}),
    )
    folder = runs.create(plan, tmp_path)
    assert plan_of(RunFolder.open(folder.path)) == plan


def test_a_plan_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = runs.create(fake.plan(1), tmp_path)
    path = folder.path / "run.json"
    value = json.loads(path.read_text())
    value["execution"]["surprise"] = 1
    path.write_text(json.dumps(value))
    with pytest.raises(SpecMismatch, match="unknown fields: surprise"):
        plan_of(RunFolder.open(folder.path))


def test_another_suite_hash_is_refused_with_both_sides() -> None:
    identity = fake.plan(1).identity
    check_suite(identity, identity.suite_hash)
    with pytest.raises(SpecMismatch, match=f"(?s)ffff.*{identity.suite_hash}"):
        check_suite(identity, "ffff")


def test_no_workers_are_refused() -> None:
    with pytest.raises(Refusal, match="--workers"):
        fake.plan(1, workers=0)


@pytest.mark.parametrize(
    "message",
    [
        Play("e", 2**62, 1),
        Starting("ltx"),
        Ready(5),
        Finished(EpisodeResult("e", "h", 0, "ok", {"spl": 0.1}, "ab", "", {"play": 1.5})),
        Again("died\nbadly"),
        Abort("DiskFull", "full", ""),
    ],
)
def test_messages_are_one_line_each(message: Message) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode(line) == message


@given(st.binary())
def test_rubbish_is_no_message(line: bytes) -> None:
    assert decode(line) is None


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"ok": 3, "failed": 2}, 0),
        ({"ok": 3, "planned": 1}, 3),
        ({"ok": 3, "error": 1}, 3),
        ({"ok": 3, "timeout": 1}, 3),
    ],
)
def test_exit_codes(counts: dict[str, int], code: int) -> None:
    assert exit_code(counts) == code


def test_exit_codes_of_errors() -> None:
    assert (exit_code_of(Refusal("no")), exit_code_of(WiwError("broken")), exit_code_of(OSError())) == (2, 1, 1)
    with pytest.raises(ValueError, match="unknown states"):
        exit_code({"lost": 1})
