"""Embedded homes as scenes for Habitat: GLB files with their axes beside them, and the options to play in them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import numpy as np
import trimesh

from harness.contracts.cameras import Camera
from images.embedded.environment import RIG
from images.embedded.habitat_scenes import write_scene
from images.habitat.scenes import stage_config_path, write_stage_config
from tasks.suite import load_suite

__all__ = ["GPU", "NAVMESH", "ROOM", "habitat_options", "write_hut", "write_room", "write_scene"]

NAVMESH: Dict[str, Any] = dict(load_suite("embedded@habitat").navmesh)
"""The walkable area of the embedded homes, in the simulator's terms: the same body on the same floor."""

GPU = int(os.environ.get("WIW_HABITAT_GPU", "-1"))
"""The CUDA device to render on; -1 renders on the CPU."""


def habitat_options(folder: Path, cameras: Sequence[Camera] = RIG.cameras, **others: Any) -> Dict[str, Any]:
    """Return the options of an environment that plays embedded homes from ``folder`` with the embedded rig."""
    rig = [asdict(camera) for camera in cameras]
    return {"rig": rig, "scenes_dir": str(folder), "navmesh": NAVMESH, "gpu_device_id": GPU, **others}


def write_hut(folder: Path) -> None:
    """Write the scene ``hut``: nothing but a floor, 6 by 6 m, and a slab 3 m above it."""
    slabs = [_box((6.0, 0.2, 6.0), (3.0, y, 3.0), (255, 255, 255)) for y in (-0.1, 3.1)]
    (folder / "hut.glb").write_bytes(trimesh.Scene(slabs).export(file_type="glb"))
    write_stage_config(folder / "hut.glb")


ROOM: Dict[str, Tuple[Tuple[float, float, float], Tuple[float, float, float], Tuple[int, int, int]]] = {
    "floor": ((6.0, 0.2, 6.0), (3.0, -0.1, 3.0), (255, 0, 0)),
    "crate": ((1.0, 0.8, 0.6), (3.0, 0.4, 1.5), (0, 255, 0)),
    "post": ((0.5, 1.5, 0.5), (5.0, 0.75, 5.0), (0, 0, 255)),
}
"""Size, centre and colour of each object of the annotated room, by category; its ids count from 1."""


def write_room(folder: Path) -> None:
    """Write the scene ``room``: three boxes, annotated in the form of HM3D (a mesh in the colours of a list)."""
    boxes = trimesh.util.concatenate([_box(*values) for values in ROOM.values()])
    lines = [f'{number},{bytes(ROOM[name][2]).hex()},"{name}",0' for number, name in enumerate(ROOM, start=1)]
    for mesh in ("room.glb", "room.semantic.glb"):
        (folder / mesh).write_bytes(trimesh.Scene([boxes]).export(file_type="glb"))
    (folder / "room.semantic.txt").write_text("\n".join(["HM3D Semantic Annotations", *lines, ""]))
    config = json.loads(write_stage_config(folder / "room.glb").read_text())
    annotated = {
        "semantic_asset": "room.semantic.glb",
        "semantic_up": config["up"],
        "semantic_front": config["front"],
        "semantic_descriptor_filename": "room.semantic.txt",
        "has_semantic_textures": False,
    }
    stage_config_path(folder / "room.glb").write_text(json.dumps({**config, **annotated}))


def _box(size: Tuple[float, ...], centre: Tuple[float, ...], colour: Tuple[int, int, int]) -> trimesh.Trimesh:
    box = trimesh.creation.box(size).apply_translation(centre)
    box.visual.vertex_colors = np.tile(np.array((*colour, 255), np.uint8), (len(box.vertices), 1))
    return box
