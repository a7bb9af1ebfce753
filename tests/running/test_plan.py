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
from harness.running import runs
from harness.running.messages import Abort, Again, Finished, Message, Play, Ready, Starting, decode, encode
from harness.running.plan import PhaseDeadlines, check_suite, decode_plan, encode_plan
from harness.running.progress import exit_code, exit_code_of
from harness.runtimes.service import ContainerSpec, Mount, ServiceSpec
from tests.running import fake

START = fake.episodes(1)[0].start


def test_a_plan_reaches_a_worker_whole() -> None:
    plan = replace(
        fake.plan(2, workers=3, deadlines=PhaseDeadlines(step_s=7.0), play_s=0.1),
        identity=replace(fake.plan(2).identity, wm_manifest={"needs": ("torch",)}, specs={"pose": START}),
        environment=ServiceSpec("environment", "embedded", "a:B", options={"cache_dir": "/x"}),
    )
    assert decode_plan(encode_plan(plan)) == plan


def test_a_run_folder_names_nothing_that_could_be_executed(tmp_path: Path) -> None:
    service = ServiceSpec("environment", "embedded", "a:B", ("/p",), "/x/python", {"d": "/y"}, {}, {"LD_PRELOAD": "/z"})
    boxed = ServiceSpec("world_model", "m", "a:B", container=ContainerSpec("i:1", "sha256:0", (Mount("/m", "/m"),)))
    plan = replace(fake.plan(1), environment=service, world_model=boxed, again=("--plugins=/p", "--set=code=/c"))
    execution = json.loads((runs.create(plan, tmp_path).path / "run.json").read_text())["execution"]
    assert execution["environment"] == {"name": "embedded", "container": None}
    assert execution["world_model"] == {"name": "m", "container": {"image": "i:1", "image_id": "sha256:0"}}
    assert execution["again"] == ["--plugins", "--set code"]
    for word in ("a:B", "FakePlayer", "python", "/p", "/c", "/y", "/z", "/m"):
        assert word not in json.dumps(execution)


def test_what_a_folder_says_of_its_execution_reaches_nobody(tmp_path: Path) -> None:
    folder = runs.create(fake.plan(1), tmp_path)
    path = folder.path / "run.json"
    value = json.loads(path.read_text())
    value["execution"] = {"player": "tests.running.no_such:Player", "surprise": 1}
    path.write_text(json.dumps(value))
    assert runs.resume(folder.path, fake.plan(1)).exit_code == 0


def test_another_question_is_refused_with_every_difference(tmp_path: Path) -> None:
    plan = fake.plan(2)
    path = runs.create(plan, tmp_path).path
    identity = replace(plan.identity, wm="copy", seeds=(1,))
    with pytest.raises(SpecMismatch, match=r"wm was 'none' and is 'copy'; seeds was \(0,\) and is \(1,\)"):
        runs.resume(path, replace(plan, identity=identity))
    with pytest.raises(SpecMismatch, match="suite hash ffff"):
        runs.resume(path, replace(plan, identity=replace(plan.identity, suite_hash="ffff")))


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
