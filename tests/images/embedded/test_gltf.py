"""A GLB is valid for strangers and comes back as an equal home."""

# ruff: noqa: E402 (imports come after the check for the optional packages)
from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

trimesh = pytest.importorskip("trimesh", reason="GLB export needs the extra `embedded`")

from images.embedded.gltf import GltfHomeError, read_glb, sidecar_path, write_glb
from images.embedded.homebytes import home_digest
from images.embedded.mesh import Home
from tests.images.embedded.built_home import built_home
from tests.images.embedded.small_home import small_home


@pytest.fixture(params=["small", "built"], scope="module")
def home(request: pytest.FixtureRequest) -> Home:
    return small_home() if request.param == "small" else built_home()


@pytest.fixture(scope="module")
def written(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("glb") / "home.glb"
    write_glb(home, path)
    return path


def test_home_comes_back_equal(home: Home, written: Path) -> None:
    assert home_digest(read_glb(written)) == home_digest(home)


def test_file_is_a_valid_glb(written: Path) -> None:
    data = written.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    tree = json.loads(data[20 : 20 + size])
    assert kind == b"JSON" and size % 4 == 0
    binary_size, binary_kind = struct.unpack_from("<I4s", data, 20 + size)
    assert binary_kind == b"BIN\0" and 28 + size + binary_size == len(data)
    assert tree["asset"]["version"].startswith("2")
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            assert {"POSITION", "TEXCOORD_0", "COLOR_0", "_LIGHT"} <= set(primitive["attributes"])
    for material in tree["materials"]:
        assert "baseColorTexture" in material["pbrMetallicRoughness"]
    assert {image["mimeType"] for image in tree["images"]} == {"image/png"}


def test_plain_trimesh_loads_it_in_metres_with_y_up(home: Home, written: Path) -> None:
    scene = trimesh.load(written)
    np.testing.assert_allclose(scene.bounds, [home.positions.min(0), home.positions.max(0)], atol=1e-6)
    assert sum(len(mesh.faces) for mesh in scene.geometry.values()) == len(home.faces)


def test_every_object_is_one_node_named_in_the_sidecar(home: Home, written: Path) -> None:
    description = json.loads(sidecar_path(written).read_text(encoding="utf-8"))
    scene = trimesh.load(written)
    assert sorted(description["nodes"].values()) == [o.id for o in home.objects]
    assert set(description["nodes"]) <= set(scene.graph.nodes)
    assert description["seed"] == home.seed and len(description["rooms"]) == len(home.rooms)


def test_sheets_are_double_sided_for_other_renderers(home: Home, written: Path) -> None:
    scene = trimesh.load(written)
    sides = {name.endswith("both-sides"): mesh.visual.material.doubleSided for name, mesh in scene.geometry.items()}
    assert sides == {True: True, False: False}


def test_missing_sidecar_says_what_to_do(home: Home, written: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.glb"
    alone.write_bytes(written.read_bytes())
    with pytest.raises(GltfHomeError, match=r"alone\.json"):
        read_glb(alone)
