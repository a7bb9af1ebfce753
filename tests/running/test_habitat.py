"""How Habitat is planned: the suite's cameras and walkable area, scenes read-only, and what is missing by name."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.records.identity import ImageRecord
from harness.running import services
from harness.running.services import SCENES_IN_CONTAINER, Placement, plan_environment, scenes_folder
from harness.runtimes import environments
from harness.runtimes.images.declared import own_reference
from harness.runtimes.service import Mount
from images.embedded.navigation import AGENT_HEIGHT_M, STEP_HEIGHT_M
from images.habitat.options import navmesh_settings
from tasks.suite import load_suite

GPU = "GPU-4a1b"


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "has_module", lambda *asked: True)


@pytest.mark.usefixtures("present")
def test_a_process_gets_the_suites_rig_steps_and_walkable_area(tmp_path: Path) -> None:
    suite = load_suite("embedded@habitat")
    plan, image = plan_environment(suite, tmp_path, {}, Placement(python="/p/python"))
    assert image is None and plan.python == "/p/python" and scenes_folder(plan, suite) == tmp_path
    assert plan.options["rig"] == [asdict(camera) for camera in suite.rig.cameras]
    assert (plan.options["forward_m"], plan.options["turn_deg"], plan.options["gpu_device_id"]) == (0.2, 22.5, -1)
    settings = navmesh_settings(plan.options["navmesh"])
    assert (settings.agent_height, settings.agent_max_climb) == (AGENT_HEIGHT_M, STEP_HEIGHT_M)
    on_gpu, _ = plan_environment(suite, tmp_path, {}, Placement(gpu=GPU))
    assert (on_gpu.options["gpu_device_id"], on_gpu.environment_variables) == (0, {"CUDA_VISIBLE_DEVICES": GPU})


@pytest.mark.usefixtures("present")
def test_the_published_suite_takes_the_walkable_area_of_its_scenes(tmp_path: Path) -> None:
    plan, _ = plan_environment(load_suite("wiw"), tmp_path, {"hm3d/a.glb": "00"}, Placement())
    assert "navmesh" not in plan.options and plan.options["scene_digests"] == {"hm3d/a.glb": "00"}
    assert [camera["name"] for camera in plan.options["rig"]] == ["front", "pano"]


def test_a_container_sees_the_scenes_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "find_image", lambda name: ImageRecord(name, "sha256:" + "a" * 64))
    suite = load_suite("wiw")
    plan, image = plan_environment(suite, tmp_path, {}, Placement(container=True, gpu=GPU))
    assert image is not None and image.reference == own_reference("wiw-bench/habitat_eval")
    assert plan.container is not None and plan.container.gpu_uuid == GPU
    assert plan.container.mounts == (Mount(str(tmp_path), SCENES_IN_CONTAINER),)
    assert plan.options["scenes_dir"] == SCENES_IN_CONTAINER and scenes_folder(plan, suite) == tmp_path
    assert str(tmp_path) not in str((plan.options, plan.environment_variables))


@pytest.mark.parametrize(
    ("python", "says"), [(sys.executable, "has no habitat_sim"), ("/nowhere/python", "does not work as a Python")]
)
def test_an_interpreter_without_the_simulator_is_named(tmp_path: Path, python: str, says: str) -> None:
    if environments.has_module(python, "habitat_sim"):
        pytest.skip("this interpreter has habitat_sim")
    with pytest.raises(Refusal, match=says) as caught:
        plan_environment(load_suite("embedded@habitat"), tmp_path, {}, Placement(python=python))
    assert "--env-python" in caught.value.next_step and "--runtime docker" in caught.value.next_step
