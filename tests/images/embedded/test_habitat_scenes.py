"""Homes exported for Habitat: made once, and made again when the file is not the home's any more."""

from __future__ import annotations

from pathlib import Path
from typing import List

from images.embedded.habitat_scenes import RECORD, export_homes
from images.embedded.homebytes import home_digest
from images.embedded.mesh import Home
from images.habitat.scenes import SceneFolder
from tests.images.embedded.tiny_home import tiny_home


def test_scenes_are_exported_once_and_again_when_they_are_not_the_homes(tmp_path: Path) -> None:
    home = tiny_home()
    digests = {"tiny": home_digest(home)}
    loaded: List[str] = []
    said: List[str] = []

    def load(name: str) -> Home:
        loaded.append(name)
        return home

    assert export_homes(digests, tmp_path, load, said.append) == ("tiny",)
    assert SceneFolder(tmp_path, {}, {}).find("tiny").mesh == tmp_path / "tiny.glb"
    first = (tmp_path / "tiny.glb").read_bytes()
    assert export_homes(digests, tmp_path, load, said.append) == ()
    assert len(said) == 1 and "tiny.glb" in said[0]
    (tmp_path / "tiny.glb").write_bytes(first[:-1])
    assert export_homes(digests, tmp_path, load, said.append) == ("tiny",)
    assert (tmp_path / "tiny.glb").read_bytes() == first
    assert export_homes({"tiny": "0" * 64}, tmp_path, load, said.append) == ("tiny",)
    (tmp_path / RECORD).write_text("[")
    assert export_homes(digests, tmp_path, load, said.append) == ("tiny",)
    assert loaded == ["tiny"] * 4
