"""Scenes by name: there and back, for the layouts of the data sets and for any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import Refusal
from harness.contracts.scene_names import list_scenes, scene_file, scene_name, short_name

ROOT = Path("/data/scene_datasets")
ID = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=11, max_size=11)
PART = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda text: text not in (".", "..")
)
HM3D = st.builds(
    lambda split, number, scene: f"hm3d/{split}/{number:05d}-{scene}/{scene}.basis.glb",
    st.sampled_from(["train", "val", "minival"]), st.integers(0, 99999), ID,
)  # fmt: skip
MP3D = st.builds(lambda scene: f"mp3d/{scene}/{scene}.glb", ID)
HOMES = st.builds(
    lambda split, number: f"{split}-{number:04d}.glb", st.sampled_from(["train", "validation"]), st.integers(0, 9999)
)
OTHERS = st.builds(
    lambda parts, ending: "/".join(parts) + ending,
    st.lists(PART, min_size=1, max_size=4),
    st.sampled_from([".glb", ".basis.glb", ".glb.glb", ".ply", ".ply.glb", ".gltf"]),
)


@given(place=st.one_of(HM3D, MP3D, HOMES, OTHERS))
def test_the_name_of_a_file_leads_back_to_it(place: str) -> None:
    file = ROOT / place
    name = scene_name(ROOT, file)
    assert scene_file(ROOT, name) == file
    assert scene_file(ROOT, file.relative_to(ROOT).as_posix()) == file
    assert short_name(name) == name == short_name(file.relative_to(ROOT).as_posix())


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("hm3d/train/00000-kfPV7w3FaU5/kfPV7w3FaU5.basis", "hm3d/train/00000-kfPV7w3FaU5/kfPV7w3FaU5.basis.glb"),
        ("hm3d/train/00000-kfPV7w3FaU5/kfPV7w3FaU5.basis.glb", "hm3d/train/00000-kfPV7w3FaU5/kfPV7w3FaU5.basis.glb"),
        ("mp3d/17DRP5sb8fy/17DRP5sb8fy", "mp3d/17DRP5sb8fy/17DRP5sb8fy.glb"),
        ("train-0003", "train-0003.glb"),
        ("replica/room_0/mesh.ply", "replica/room_0/mesh.ply"),
        ("v1.2/home", "v1.2/home.glb"),
    ],
)
def test_names_of_every_layout(name: str, file: str) -> None:
    assert scene_file(ROOT, name) == ROOT / file


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a\0b"])
def test_a_name_stays_in_the_folder(name: str) -> None:
    with pytest.raises(Refusal, match="names no scene below"):
        scene_file(ROOT, name)


def test_scenes_are_listed_behind_links_once_and_without_annotations(tmp_path: Path) -> None:
    real = tmp_path / "versioned"
    for name in ("val/1-a/a.basis.glb", "val/1-a/a.glb", "val/1-a/a.semantic.glb", "val/2-b/b.glb", "x/.hidden.glb"):
        (real / name).parent.mkdir(parents=True, exist_ok=True)
        (real / name).touch()
    folder = tmp_path / "scenes"
    folder.mkdir()
    (folder / "hm3d").symlink_to(real, target_is_directory=True)
    (real / "loop").symlink_to(real, target_is_directory=True)
    (folder / "train-0001.glb").touch()
    assert list_scenes(folder) == ("hm3d/val/1-a/a.basis", "hm3d/val/2-b/b", "train-0001")
    assert list_scenes(tmp_path / "nowhere") == ()
