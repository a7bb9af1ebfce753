"""Embedded homes as scenes for Habitat: GLB files with their axes beside them, and the options to play in them."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np

from harness.contracts.cameras import Camera
from images.embedded.environment import RIG
from images.embedded.gltf import write_glb
from images.embedded.mesh import Home
from images.embedded.navigation import AGENT_HEIGHT_M, STEP_HEIGHT_M
from images.habitat.scenes import write_stage_config

NAVMESH: Dict[str, Any] = {
    "cell_size": 0.025,
    "cell_height": 0.01,
    "agent_height": AGENT_HEIGHT_M,
    "agent_radius": 0.175,
    "agent_max_climb": STEP_HEIGHT_M,
}
"""The walkable area of the embedded homes, in the simulator's terms: the same body on the same floor.

The embedded body has a radius of 0.18 m on a grid of 0.05 m: it comes as near as 0.15 to 0.20 m to a wall, by how the
wall lies on the grid. 0.175 m is the middle, and seven voxels exactly; the simulator rounds a radius up to whole ones.
"""

GPU = int(os.environ.get("WIW_HABITAT_GPU", "-1"))
"""The CUDA device to render on; -1 renders on the CPU."""


def write_scene(home: Home, folder: Path, name: str) -> Path:
    """Write ``home`` as the scene ``name`` of ``folder``; return its mesh."""
    folder.mkdir(parents=True, exist_ok=True)
    mesh = folder / f"{name}.glb"
    write_glb(shown_flat(home), mesh)
    write_stage_config(mesh)
    return mesh


def shown_flat(home: Home) -> Home:
    """Return ``home`` with white light on what glows: flat shading knows vertex colours, but no emissive materials."""
    light = home.light.copy()
    light[np.unique(home.faces[home.texture_emissive[home.face_texture] != 0])] = 1.0
    return replace(home, light=light)


def habitat_options(folder: Path, cameras: Sequence[Camera] = RIG.cameras, **others: Any) -> Dict[str, Any]:
    """Return the options of an environment that plays embedded homes from ``folder`` with the embedded rig."""
    rig = [asdict(camera) for camera in cameras]
    return {"rig": rig, "scenes_dir": str(folder), "navmesh": NAVMESH, "gpu_device_id": GPU, **others}
