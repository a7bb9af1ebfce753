"""A collection on other machines: what their workers send becomes the data set that one machine writes, or nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.collect import collect_command
from harness.collecting import worker
from harness.collecting.dataset_writer import finish
from harness.collecting.landing import Landing
from harness.collecting.layouts import UNITS, WORK, unit_record_path
from harness.collecting.plan import FOLDERS, CollectPlan
from harness.collecting.services import Machine, on_node, service_spec
from harness.collecting.sources import Given, find_source, prepare
from harness.collecting.worker import Collector, job_of, record
from harness.contracts.errors import Refusal
from harness.contracts.walkable import Walkable
from harness.records.errors import RecordError
from harness.running.cluster import Cluster
from harness.running.messages import Abort, Message, Play, Ready, Written, decode
from harness.running.remote_place import Place, Start
from harness.runtimes.environments import collection_of, find_environment
from tests.collecting.test_data import files_of
from tests.collecting.test_refusals import question
from tests.collecting.toy import PLAN, ToyBackend, make_data

PICTURES = replace(PLAN, layout=FOLDERS)
LOG = f"{WORK}/worker-3.log"
CLUSTER = Cluster("10.0.0.1:6379")


@contextmanager
def begun(plan: CollectPlan, landing: Landing) -> Iterator[Place]:
    """Start the toy worker of a plan in a place of its own."""
    place = Place()
    place.begin(Start("tests.collecting.toy_worker", 3, job_of(plan, Machine("")), {}, LOG, {}))
    try:
        said(place, landing, Ready)
        yield place
    finally:
        place.end()


def said(place: Place, landing: Landing, kind: type[Message]) -> Any:
    """Write what comes with a place's messages, up to the first of a kind; return that."""
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        for heard in place.listen(1.0) or ():
            landing(heard.files, heard.grown)
            message = decode(heard.line)
            if isinstance(message, kind):
                return message
    raise AssertionError(f"no {kind.__name__}")


def new_folder(path: Path) -> Path:
    """Make the folder of a data set that is being collected."""
    (path / WORK / UNITS).mkdir(parents=True)
    return path


def sent(folder: Path, plan: CollectPlan, number: int, walkable: Walkable | None = None) -> dict[str, bytes]:
    """Return the files of one trajectory as another machine's worker has them."""
    backend = ToyBackend()
    if walkable is not None:
        opened = backend.open
        backend.open = lambda scene, seed: replace(opened(scene, seed), walkable=walkable)  # type: ignore[method-assign]
    new_folder(folder)
    record(folder, plan, backend, number)
    return files_of(folder)


@pytest.mark.parametrize("plan", [PLAN, PICTURES], ids=["lerobot", "folders"])
def test_what_a_place_sends_is_the_data_set_of_one_machine(plan: CollectPlan, tmp_path: Path) -> None:
    alone = files_of(make_data(tmp_path / "alone", plan))
    folder = new_folder(tmp_path / "elsewhere")
    landing = Landing(folder, plan)
    with begun(plan, landing) as place:
        for unit in plan.units:
            place.send(Play(str(unit.number), plan.seed, 1))
            assert said(place, landing, Written).frames == unit.clips * plan.clip_frames
    assert (folder / LOG).is_file()
    finish(folder, plan)
    assert files_of(folder) == alone


def test_a_trajectory_that_comes_twice_is_there_once(tmp_path: Path) -> None:
    folder, there = new_folder(tmp_path / "here"), sent(tmp_path / "there", PLAN, 0)
    for _ in range(2):
        Landing(folder, PLAN)(there, {})
    assert files_of(folder) == there


def test_what_comes_without_a_record_is_dropped(tmp_path: Path) -> None:
    folder, there = new_folder(tmp_path / "here"), sent(tmp_path / "there", PLAN, 0)
    there.pop(str(unit_record_path(Path(), 0)))
    Landing(folder, PLAN)({**there, f"{WORK}/part-1-file-000.mp4": b"half"}, {})
    assert files_of(folder) == {}


def test_files_that_are_not_those_of_the_record_are_no_trajectory(tmp_path: Path) -> None:
    folder, there = new_folder(tmp_path / "here"), sent(tmp_path / "there", PLAN, 0)
    landing = Landing(folder, PLAN)
    video = next(name for name in there if name.endswith(".mp4"))
    record_name = str(unit_record_path(Path(), 0))
    written = json.loads(there[record_name])
    more = json.dumps({**written, "files": {**written["files"], "../x.mp4": written["files"][video]}}).encode()
    for wrong in (
        {**there, video: there[video][:-1]},
        {name: data for name, data in there.items() if name != video},
        {**there, "../x.mp4": there[video], record_name: more},
        {**there, str(unit_record_path(Path(), 99)): there[record_name]},
        *({**there, record_name: nothing} for nothing in (b"{", b"[]", b"{}")),
    ):
        with pytest.raises(RecordError, match="no worker does"):
            landing(wrong, {})
        assert not (tmp_path / "x.mp4").exists()


@pytest.mark.parametrize("name", ["../x.log", f"{WORK}/plan.json", f"{WORK}/../x-1.log", "data/worker-1.log"])
def test_nothing_but_logs_grows(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no worker does"):
        Landing(new_folder(tmp_path / "here"), PLAN)({}, {name: b"x"})


def test_two_nodes_with_other_navigation_meshes_are_refused(tmp_path: Path) -> None:
    landing = Landing(new_folder(tmp_path / "here"), PLAN)
    first, other = (Walkable(digit * 64, 12.0, {}) for digit in "ab")
    landing(sent(tmp_path / "one", PLAN, 0, first), {})
    landing(sent(tmp_path / "two", PLAN, 2, first), {})  # the same scene again
    with pytest.raises(Refusal, match=f"train-9000 was walked on the navigation mesh {'a' * 64} before"):
        landing(sent(tmp_path / "three", PLAN, 2, other), {})


def test_another_simulator_on_a_node_ends_the_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "backend_of", lambda plan, machine, log: ToyBackend())
    plan = replace(PLAN, simulator="a drawn map, version 2")
    answer = Collector(tmp_path, job_of(plan, Machine("")), 0).start()
    assert isinstance(answer, Abort) and answer.kind == "SpecMismatch"
    assert "'a drawn map'" in answer.what and "'a drawn map, version 2'" in answer.what


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Given(None, "", "0", cluster=CLUSTER), "--env-gpu 0 is a GPU of one machine"),
        (Given(None, "", "", cluster=replace(CLUSTER, gpus=1.0)), "nothing of .* uses a GPU"),
        (Given(None, "", "", "docker", replace(CLUSTER, gpus=1.0)), "--gpus gives GPUs to processes"),
    ],
)
def test_what_is_of_one_machine_is_refused(given: Given, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        prepare(question(), find_source("embedded"), given)


def test_wrong_clusters_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="--address auto belongs to a Ray cluster"):
        collect_command("demo", tmp_path, 2, address="auto")
    with pytest.raises(Refusal, match=r"no Ray cluster answers at|not installed"):
        collect_command("demo", tmp_path, 200, executor="ray", address="127.0.0.1:1")
    assert not list(tmp_path.iterdir())


def test_a_simulator_draws_on_the_gpu_of_its_place() -> None:
    """The place's environment names the GPU; none is chosen on top of it."""
    assert on_node(Machine(""), CLUSTER) == on_node(Machine(""), None) == Machine("")
    machine = on_node(Machine(""), replace(CLUSTER, gpus=1.0))
    habitat = find_environment("habitat")
    spec = service_spec(habitat, collection_of(habitat).entry_point, machine, {})
    assert machine.gpu and "CUDA_VISIBLE_DEVICES" not in spec.environment_variables
