"""Collecting in a container: the collector's service behind the sandbox, with a double in the place of habitat-sim."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.collecting.dataset_writer import finish
from harness.collecting.layouts import UNITS, WORK
from harness.collecting.plan import Recorded
from harness.collecting.services import Machine
from harness.collecting.validate import check_dataset
from harness.collecting.walk_service import WalkService
from harness.collecting.worker import record
from harness.contracts.errors import ServiceError
from harness.runtimes.docker_engine import Engine
from harness.runtimes.environments import find_environment
from harness.runtimes.service import ContainerSpec
from tasks.suite import load_suite
from tests.collecting.toy import PLAN
from tests.docker.small_image import ROOT, _files
from tests.images.habitat.double import NO_EGL, write_floors
from tests.images.habitat.rectangles import Island

SCENE = "hm3d/train/00000-kfPV7w3FaU5/kfPV7w3FaU5.basis"
SOURCES = (
    "images/__init__.py", "images/habitat",
    "tests/__init__.py", "tests/images/__init__.py", "tests/images/habitat",
)  # fmt: skip
DOUBLE = "from tests.images.habitat.double import *\nfrom tests.images.habitat.double import __version__\n"


@pytest.fixture(scope="module")
def image(engine: Engine, small: ContainerSpec) -> Iterator[str]:
    """The id of the small image with Habitat's environment and the double; removed afterwards."""
    tag = f"wiw-test/habitat-double:{uuid.uuid4().hex[:12]}"
    recipe = f"FROM {small.image}\nCOPY source /opt/source\nLABEL wiw.test=1\n"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in (("Dockerfile", recipe), ("source/habitat_sim.py", DOUBLE)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
        for source in SOURCES:
            for name, path in _files(ROOT / source, f"source/{source}"):
                archive.add(path, name)
    buffer.seek(0)
    built, _ = engine.client.images.build(fileobj=buffer, custom_context=True, tag=tag, rm=True)
    yield str(built.id)
    engine.client.images.remove(tag, force=True)


@pytest.fixture
def machine(image: str, tmp_path: Path) -> Machine:
    scenes = tmp_path / "scenes"
    write_floors(scenes, SCENE, [Island(9.7, 10.0, 0.0)], mesh=[Island(6.0, 5.0, 0.0)])
    return Machine("", "", str(scenes), image="wiw-test/habitat-double", image_id=image)


def plan_of() -> Any:
    camera = replace(load_suite("wiw").rig.camera("front"), height=64, width=64)
    return replace(
        PLAN, environment="habitat", camera=camera, scenes=(SCENE,), clips=2, clips_per_trajectory=1,
        policies=("random",), layout="folders", recorded=Recorded(depth=True),
    )  # fmt: skip


def test_clips_are_collected_in_a_container(machine: Machine, tmp_path: Path) -> None:
    plan, folder = plan_of(), tmp_path / "data"
    (folder / WORK / UNITS).mkdir(parents=True)
    backend = WalkService(find_environment("habitat"), plan.camera, machine, tmp_path / "log", plan.recorded)
    try:
        assert "double" in backend.simulator
        for unit in plan.units:
            record(folder, plan, backend, unit.number)
    finally:
        backend.close()
    finish(folder, plan)
    assert check_dataset(folder).faults == ()
    assert '"walkable_m2": 30.0' in (folder / "meta/collect.json").read_text()


def test_a_container_whose_simulator_aborts_says_why(machine: Machine, tmp_path: Path, engine: Engine) -> None:
    recipe = io.BytesIO(f"FROM {machine.image_id}\nENV {NO_EGL}=1\n".encode())
    tag = f"wiw-test/habitat-double:{uuid.uuid4().hex[:12]}"
    built, _ = engine.client.images.build(fileobj=recipe, tag=tag, rm=True)
    log = tmp_path / "service.log"
    camera = plan_of().camera
    try:
        backend = WalkService(find_environment("habitat"), camera, replace(machine, image_id=str(built.id)), log)
        with pytest.raises(ServiceError, match="no EGL devices found") as caught:
            backend.open(SCENE, 0)
        assert str(log) in str(caught.value)
        backend.close()
    finally:
        engine.client.images.remove(tag, force=True)
