"""Images of a home: RGB, depth and instance ids, by pinhole or full-sphere equirectangular cameras.

The same home and pose give the same bytes in every process and on every x86-64 CPU.
"""

from __future__ import annotations

from typing import Dict, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, Camera, Vec3
from harness.contracts.observations import View
from harness.contracts.portable import PI
from images.embedded.cameras import (
    RayGrid,
    camera_rotation,
    equirect_rays,
    nearest_multiple,
    pinhole_rays,
    pinhole_tangents,
)
from images.embedded.mesh import Home
from images.embedded.panorama import draw_panorama
from images.embedded.pinhole import draw_pinhole
from images.embedded.raster import EDGE_VALUES, Buffers, make_buffers
from images.embedded.shading import prepare_materials, shade
from images.embedded.triangles import prepare_triangles


class Renderer:
    """Draws one home. Not thread-safe: the visibility buffers are kept between calls."""

    def __init__(self, home: Home) -> None:
        self._triangles = prepare_triangles(home)
        self._materials = prepare_materials(home, self._triangles)
        count = len(self._triangles.order)
        self._edges = np.empty((count, EDGE_VALUES), np.float64)
        self._slot_face = np.empty(count, np.int32)
        self._buffers: Dict[Tuple[int, int], Buffers] = {}

    @property
    def triangle_count(self) -> int:
        """How many triangles the home has."""
        return len(self._triangles.order)

    def render(self, camera: Camera, position: Vec3, yaw_deg: float, depth: bool = False, ids: bool = False) -> View:
        """Return what ``camera`` sees on a body at floor ``position`` (metres) that looks along ``yaw_deg``."""
        draw = self.equirect if camera.kind == EQUIRECT else self.pinhole
        return draw(camera, position, yaw_deg, depth, ids)

    def pinhole(self, camera: Camera, position: Vec3, yaw_deg: float, depth: bool = False, ids: bool = False) -> View:
        """Return a pinhole view; its depth is planar (along the optical axis) in metres, 0 where nothing was hit."""
        rays = pinhole_rays(camera)
        mesh = self._triangles
        nearness, visible, tiles = self._buffer(camera)
        draw_pinhole(
            mesh.corners, mesh.planes, mesh.double_sided, mesh.chunk_start, mesh.chunk_sphere,
            mesh.occluders, _eye(camera, position), camera_rotation(camera, yaw_deg), pinhole_tangents(camera),
            rays.column_x, rays.column_z, rays.row_y, nearness, visible, tiles, self._edges, self._slot_face,
        )  # fmt: skip
        return self._shaded(camera, rays, visible, depth, ids)

    def equirect(self, camera: Camera, position: Vec3, yaw_deg: float, depth: bool = False, ids: bool = False) -> View:
        """Return a full-sphere panorama centred on the heading; its depth is the distance along the ray.

        It is drawn in the world frame and rolled, so that a turn by whole columns is an exact roll.
        """
        columns, rest = nearest_multiple(yaw_deg + camera.yaw_deg, 360.0 / camera.width)
        rays = equirect_rays(camera, rest)
        mesh = self._triangles
        nearness, visible, tiles = self._buffer(camera)
        draw_panorama(
            mesh.corners, mesh.planes, mesh.double_sided, mesh.chunk_start, mesh.chunk_sphere,
            mesh.occluders, _eye(camera, position), rest * (PI / 180.0),
            rays.column_x, rays.column_z, rays.row_y, nearness, visible, tiles, self._edges, self._slot_face,
        )  # fmt: skip
        return self._shaded(camera, rays, visible, depth, ids).rolled(columns)

    def _buffer(self, camera: Camera) -> Buffers:
        size = (camera.height, camera.width)
        if size not in self._buffers:
            self._buffers[size] = make_buffers(*size)
        return self._buffers[size]

    def _shaded(self, camera: Camera, rays: RayGrid, visible: npt.NDArray[np.int32], depth: bool, ids: bool) -> View:
        size = (camera.height, camera.width)
        rgb = np.empty((*size, 3), np.uint8)
        depth_image = np.empty(size if depth else (0, 0), np.float32)
        id_image = np.empty(size if ids else (0, 0), np.int32)
        skin = self._materials
        shade(
            visible, self._edges, self._slot_face, rays.column_x, rays.column_z, rays.row_y, rays.row_footprint,
            rays.row_distance, skin.attributes, skin.texture, skin.object_id, skin.density, skin.normal_length,
            skin.emissive, skin.texels, skin.level_start, rgb, depth_image, id_image,
        )  # fmt: skip
        return View(camera, rgb, depth_image if depth else None, id_image if ids else None)


def _eye(camera: Camera, position: Vec3) -> npt.NDArray[np.float64]:
    return np.array((position[0], position[1] + camera.height_m, position[2]), np.float64)
