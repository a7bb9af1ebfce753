"""A worker's place elsewhere: what the worker says arrives with what it wrote, and nothing else does."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.manifests import SPENDING
from harness.records.episode_files import read_episode
from harness.records.errors import RecordError
from harness.records.folder import RECORD, RunFolder
from harness.records.landing import land
from harness.running import runs
from harness.running.cluster import Cluster, choose_cluster
from harness.running.messages import Finished, Play, Ready, decode
from harness.running.plan import encode_plan
from harness.running.remote_place import Facts, Heard, Place, Start, code_digest, variables_of
from tests.running import fake

FACTS = Facts("here", "/checkout", "ab" * 32, {"python": "3.11.2", "numpy": "2.1"})


def heard_until(place: Place, folder: RunFolder, kind: type) -> Heard:
    """Write what comes with a place's messages, up to the first of a kind; return that one."""
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        for heard in place.listen(1.0) or ():
            land(folder, heard.files, heard.grown)
            if isinstance(decode(heard.line), kind):
                return heard
    raise AssertionError(f"no {kind.__name__}")


def test_an_episode_arrives_with_its_files_and_its_place_leaves_nothing(tmp_path: Path) -> None:
    plan = fake.plan(2)
    folder = runs.create(plan, tmp_path)
    place = Place()
    files = {RECORD: (folder.path / RECORD).read_bytes()}
    place.begin(Start("harness.running.worker", 3, encode_plan(plan), files, "logs/worker-3.log", {}))
    heard_until(place, folder, Ready)
    place.send(Play("e001", 0, 1))
    heard = heard_until(place, folder, Finished)
    finished = decode(heard.line)
    assert isinstance(finished, Finished)
    kept = read_episode(folder.episodes / "e001-s0")
    assert kept.record_digest == finished.record_digest and kept.plan_digest == folder.plan_digest
    place.finish()
    until = time.monotonic() + 20.0
    while place.listen(1.0) is not None:
        assert time.monotonic() < until
    assert place.end().how == "exit status 0"
    assert folder.worker_log(3).is_file() and not place._folder.exists()


def test_a_worker_that_dies_says_how(tmp_path: Path) -> None:
    plan = fake.plan(1, misbehave={"e000": "crash"})
    folder = runs.create(plan, tmp_path)
    place = Place()
    files = {RECORD: (folder.path / RECORD).read_bytes()}
    place.begin(Start("harness.running.worker", 0, encode_plan(plan), files, "logs/worker-0.log", {}))
    heard_until(place, folder, Ready)
    place.send(Play("e000", 0, 1))
    until = time.monotonic() + 20.0
    while place.listen(1.0) is not None:
        assert time.monotonic() < until
    assert place.end().how in ("signal 9", "exit status 1")


def test_the_end_of_a_long_log_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.running.remote_place._MOST_GROWN", 4)
    folder = runs.create(fake.plan(1), tmp_path)
    place = Place()
    files = {RECORD: (folder.path / RECORD).read_bytes()}
    place.begin(Start("harness.nothing", 0, b"", files, "logs/worker-0.log", {}))
    while place.listen(1.0) is not None:
        pass
    assert place.end().grown["logs/worker-0.log"].endswith(b"No module named harness.nothing\n")


@pytest.mark.parametrize("name", ["run.json", "../x", "episodes/e/../../x", "episodes/e", "logs/x.log", "/etc/x"])
def test_files_of_another_name_are_refused(tmp_path: Path, name: str) -> None:
    folder = runs.create(fake.plan(1), tmp_path)
    with pytest.raises(RecordError, match="no worker writes"):
        land(folder, {name: b""}, {})


@pytest.mark.parametrize("name", ["run.json", "logs/../run.json", "lock", "logs/x.py"])
def test_nothing_but_logs_and_notes_grows(tmp_path: Path, name: str) -> None:
    folder = runs.create(fake.plan(1), tmp_path)
    with pytest.raises(RecordError, match="no worker writes"):
        land(folder, {}, {name: b"x"})


def test_notes_and_logs_are_added(tmp_path: Path) -> None:
    folder: RunFolder = runs.create(fake.plan(1), tmp_path)
    for _ in range(2):
        land(folder, {}, {"notes.txt": b"a note\n", "logs/services-0/fake.log": b"line\n"})
    assert (folder.path / "notes.txt").read_text() == "a note\n"
    assert (folder.logs / "services-0" / "fake.log").read_text() == "line\nline\n"


def test_other_code_and_other_packages_are_named() -> None:
    assert FACTS.difference(replace(FACTS, host="there")) == ""
    said = FACTS.difference(replace(FACTS, host="there", digest="cd" * 32))
    assert "ab" * 32 in said and "cd" * 32 in said and "there" in said
    assert "numpy is 2.1 here and 2.2 on" in FACTS.difference(
        replace(FACTS, versions={**FACTS.versions, "numpy": "2.2"})
    )
    assert "/elsewhere" in FACTS.difference(replace(FACTS, checkout="/elsewhere"))


def test_the_digest_of_code_knows_the_user_s_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "task.py").write_text("one")
    monkeypatch.setenv("WIW_TASKS", str(tmp_path))
    first = code_digest()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x.txt").write_text("no code")
    assert code_digest() == first
    (tmp_path / "mine" / "task.py").write_text("other")
    second = code_digest()
    assert second != first
    (tmp_path / "mine" / "Dockerfile").write_text("FROM scratch")
    assert code_digest() != second


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("rya", "", 0.0), "no executor 'rya'"),
        (("local", "auto", 0.0), "--address auto belongs to a Ray cluster"),
        (("local", "", 1.0), "--gpus 1 belongs to a Ray cluster"),
        (("ray", "127.0.0.1:1", 1.5), "--gpus 1.5"),
        (("ray", "127.0.0.1:1", 0.0), "no Ray cluster answers at 127.0.0.1:1"),
        (("ray", "ray://host:10001", 0.0), "'ray://host:10001' is not understood"),
    ],
)
def test_wrong_words_are_refused_at_once(
    given: tuple[str, str, float], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    began = time.monotonic()
    with pytest.raises(Refusal) as refusal:
        choose_cluster(*given)
    assert said in refusal.value.what and time.monotonic() - began < 1.0


def test_ray_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Refusal, match="not installed") as refusal:
        choose_cluster("ray", "", 0.0)
    assert ".[ray]" in refusal.value.next_step


def test_variables_of_the_project_travel_and_keys_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WIW_CACHE", "OPENAI_API_KEY", SPENDING):
        monkeypatch.setenv(name, "x")
    found = variables_of(Cluster("h:1", 1.0))
    assert found["WIW_CACHE"] == "x" and set(found).isdisjoint({"OPENAI_API_KEY", SPENDING, "CUDA_VISIBLE_DEVICES"})
    assert variables_of(Cluster("h:1"))["CUDA_VISIBLE_DEVICES"] == "", "no GPU was asked for, and Ray hides none"


def test_a_cluster_is_named_again_where_a_run_is_continued() -> None:
    assert Cluster("10.0.0.1:6379", 0.5).words == ("--executor=ray", "--address=10.0.0.1:6379", "--gpus=0.5")
