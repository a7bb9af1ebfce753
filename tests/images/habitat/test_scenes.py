"""Scene files: found, refused with the next step, and checked against the suite's bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal, SpecMismatch
from images.habitat.scenes import SceneFolder, file_digest, stage_config_path, write_stage_config

CONFIGS = {"hm3d": "hm3d/hm3d.scene_dataset_config.json"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    mesh = tmp_path / "validation-0007.glb"
    mesh.write_bytes(b"glTF")
    write_stage_config(mesh)
    return mesh


def test_a_bare_scene_is_found_by_its_name(home: Path) -> None:
    files = SceneFolder(home.parent, CONFIGS, {}).find("validation-0007")
    assert files.mesh == home and files.dataset_config is None
    assert files.navmesh.name == "validation-0007.navmesh"


def test_the_stage_config_names_the_mesh_and_says_that_y_is_up(home: Path) -> None:
    written = json.loads(stage_config_path(home).read_text())
    assert written == {"render_asset": "validation-0007.glb", "up": [0.0, 1.0, 0.0], "front": [0.0, 0.0, -1.0]}


def test_a_bare_scene_without_its_axes_is_refused(home: Path) -> None:
    stage_config_path(home).unlink()
    with pytest.raises(Refusal, match=r"validation-0007\.stage_config\.json.*\"up\": \[0\.0, 1\.0, 0\.0\]"):
        SceneFolder(home.parent, CONFIGS, {}).find("validation-0007")


def test_a_missing_licensed_scene_says_where_it_belongs_and_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"is not at .*hm3d/val/00800-T/T\.basis\.glb\..*benchmark\.py datasets"):
        SceneFolder(tmp_path, CONFIGS, {}).find("hm3d/val/00800-T/T.basis.glb")


def test_a_licensed_scene_needs_its_data_set_s_configuration(tmp_path: Path) -> None:
    mesh = tmp_path / "hm3d/val/00800-T/T.basis.glb"
    mesh.parent.mkdir(parents=True)
    mesh.write_bytes(b"glTF")
    folder = SceneFolder(tmp_path, CONFIGS, {})
    with pytest.raises(Refusal, match=r"configuration of data set 'hm3d' is not at .*hm3d\.scene_dataset_config"):
        folder.find("hm3d/val/00800-T/T.basis.glb")
    (tmp_path / CONFIGS["hm3d"]).write_text("{}")
    files = folder.find("hm3d/val/00800-T/T.basis.glb")
    assert files.dataset_config == tmp_path / CONFIGS["hm3d"]
    assert files.navmesh == mesh.parent / "T.basis.navmesh"


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "hm3d/../../x"])
def test_a_name_cannot_leave_the_scenes_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refusal, match="names no scene below"):
        SceneFolder(tmp_path, CONFIGS, {}).find(name)


def test_a_scene_with_other_bytes_than_the_suite_s_is_refused(home: Path) -> None:
    SceneFolder(home.parent, CONFIGS, {"validation-0007": file_digest(home)}).find("validation-0007")
    with pytest.raises(SpecMismatch, match="made with 0000"):
        SceneFolder(home.parent, CONFIGS, {"validation-0007": "0" * 64}).find("validation-0007")
