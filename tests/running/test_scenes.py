"""The published suite's data, made with the real simulator from a file in the published form and embedded homes."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict

import pytest

from harness.contracts.errors import Refusal
from harness.running.scenes import make_suite_data
from harness.running.services import Placement
from images.embedded.habitat_scenes import write_scene
from images.habitat.scenes import stage_config_path
from tasks.official.scenes import SCENES_FOLDER
from tasks.suite import Split, Suite, load_suite
from tests.image_goals import goal_of
from tests.images.embedded.tiny_environment import tiny_episode
from tests.images.embedded.tiny_home import tiny_home
from tests.tasks.official_files import ignav_item, write_ignav

PYTHON = os.environ.get("WIW_HABITAT_PYTHON", "")
BUILDING = "00800-Tiny"

MAKE_NAVMESH = """
import sys, habitat_sim
back = habitat_sim.SimulatorConfiguration()
back.scene_id, back.scene_dataset_config_file, back.gpu_device_id = sys.argv[1], sys.argv[2], -1
simulator = habitat_sim.Simulator(habitat_sim.Configuration(back, [habitat_sim.AgentConfiguration()]))
settings = habitat_sim.NavMeshSettings()
settings.agent_height, settings.agent_radius = 1.0, 0.1
assert simulator.recompute_navmesh(simulator.pathfinder, settings)
assert simulator.pathfinder.save_nav_mesh(sys.argv[3])
"""
"""The published scenes come with a navigation mesh; this one gets its own."""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """The published suite with two episodes in one building, in a folder of the test's own."""
    suite = load_suite("wiw")
    tier = replace(suite.tier(), splits={"test": Split(1, 2)})
    (tmp_path / "suite").mkdir()
    return replace(suite, tiers={tier.name: tier}, folder=tmp_path / "suite")


def published_items() -> list[Dict[str, Any]]:
    episode = tiny_episode()
    ends = {"start_position": list(episode.start.position), "goal_position": list(goal_of(episode).goal.position)}
    return [ignav_item(n, scene_relpath=f"{BUILDING}/Tiny.basis.glb", **ends) for n in (0, 1)]


def write_hm3d(data: Path) -> None:
    """Write the tiny home where a scene of HM3D belongs, with what lies beside one."""
    folder = data / SCENES_FOLDER / "hm3d" / "val" / BUILDING
    mesh = write_scene(tiny_home(), folder, "Tiny.basis")
    stage_config_path(mesh).unlink()
    axes = {"up": [0, 1, 0], "front": [0, 0, -1]}
    config = data / SCENES_FOLDER / "hm3d" / "hm3d_annotated_basis.scene_dataset_config.json"
    stages = {"stages": {"default_attributes": axes, "paths": {".glb": ["val/*/*.glb"]}}}
    config.write_text(json.dumps(stages))
    navmesh = str(mesh.with_suffix(".navmesh"))
    subprocess.run([PYTHON, "-c", MAKE_NAVMESH, str(mesh), str(config), navmesh], check=True, capture_output=True)


@pytest.mark.skipif(not PYTHON, reason="WIW_HABITAT_PYTHON names no interpreter with habitat_sim")
def test_the_published_file_becomes_episodes_with_distances_of_the_simulator(suite: Suite, tmp_path: Path) -> None:
    write_ignav(tmp_path, published_items())
    with pytest.raises(Refusal, match="1 of 1 scenes are not in"):
        make_suite_data(suite, tmp_path, Placement(python=PYTHON))
    assert list(suite.folder.iterdir()) == []
    write_hm3d(tmp_path)
    episodes = make_suite_data(suite, tmp_path, Placement(python=PYTHON))
    assert suite.episodes("published", "test") == tuple(episodes) and len(suite.hash()) == 64
    for episode in episodes:
        (x, _, z), (to_x, _, to_z) = episode.start.position, goal_of(episode).goal.position
        straight = ((x - to_x) ** 2 + (z - to_z) ** 2) ** 0.5
        assert straight - 0.05 <= goal_of(episode).geodesic_m < 3.0 * straight


def test_a_suite_that_comes_with_the_project_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="come with the project"):
        make_suite_data(load_suite("embedded"), tmp_path, Placement())
