"""Draws a scene from any pinhole: RGB, depth and ids, by the rasteriser of the embedded homes.

The triangles of all things stand in one set of arrays in the frames of their bodies; for every state of the world they
are brought to where the bodies are, two depth maps of light are drawn, and then each camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import Camera
from harness.contracts.observations import View
from images.embedded.cameras import pinhole_rays, pinhole_tangents
from images.embedded.mesh import TEXTURE_SIZE
from images.embedded.pinhole import draw_pinhole
from images.embedded.raster import EDGE_VALUES, Buffers, make_buffers
from images.tabletop import textures
from images.tabletop.lighting import place_faces, place_spheres, shade_table
from images.tabletop.meshes import Mesh, Vec3

Floats = npt.NDArray[np.float64]

_CHUNK_FACES = 64
_CHUNK_CELL_M = 0.12
_MAP = Camera("map", "pinhole", 288, 288, 34.0, 0.0)
_ABOVE = Camera("above", "pinhole", 192, 192, 20.0, 0.0)


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh on a body: ``body`` indexes the poses that are drawn, ``object_id`` is what the ids channel shows.

    ``shades`` is false for what throws no shadow (floor, walls, the table's top).
    """

    mesh: Mesh
    body: int
    object_id: int
    tint: Vec3
    texture: str
    gloss: float
    shades: bool = True


@dataclass(frozen=True, eq=False)
class Eye:
    """Where a pinhole is and which way it looks: ``rotation`` has the rows right, up, back."""

    position: Floats
    rotation: Floats


def _cross(a: Sequence[float], b: Sequence[float]) -> List[float]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def _unit(vector: Sequence[float]) -> List[float]:
    x, y, z = vector
    length = float(np.sqrt(x * x + y * y + z * z))
    return [x / length, y / length, z / length]


def looking(position: Sequence[float], at: Sequence[float], up: Sequence[float]) -> Eye:
    """Return an eye at ``position`` that looks at a point, with ``up`` upwards in its picture."""
    back = _unit([a - b for a, b in zip(position, at)])
    right = _unit(_cross(up, back))
    return Eye(np.array(position, np.float64), np.array((right, _cross(back, right), back), np.float64))


LAMP = looking((0.95, 0.75, 2.75), (0.10, 0.0, 0.78), (0.0, 0.0, 1.0))
ABOVE = looking((0.12, 0.0, 4.6), (0.12, 0.0, 0.75), (1.0, 0.0, 0.0))


class Painter:
    """Draws one scene. Not thread-safe: buffers are kept between calls."""

    def __init__(self, surfaces: Sequence[Surface]) -> None:
        """Lay out the triangles; surfaces that throw no shadow are drawn first."""
        ordered = sorted(surfaces, key=lambda surface: surface.shades)
        chunks = [chunk for surface in ordered for chunk in _chunks(surface)]
        self._still = sum(not surface.shades for surface, _ in chunks)
        sizes = [len(order) for _, order in chunks]
        self._start = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        local = [surface.mesh.corners[order] for surface, order in chunks]
        self._local = np.concatenate(local).reshape(-1, 9)
        self._local_spheres = np.array([_sphere(corners) for corners in local])
        self._chunk_body = np.array([surface.body for surface, _ in chunks], np.int64)
        self._body = np.repeat(self._chunk_body, sizes)
        self._kinds = np.repeat(np.array([_kinds(surface, ordered) for surface, _ in chunks], np.int32), sizes, axis=0)
        self._skin = np.concatenate([_skin(surface, order) for surface, order in chunks])
        count = len(self._local)
        self._corners = np.empty((count, 9))
        self._planes = np.empty((count, 4))
        self._spheres = np.empty((len(chunks), 4))
        self._edges = np.empty((count, EDGE_VALUES))
        self._slot_face = np.empty(count, np.int32)
        self._one_sided = np.zeros(count, np.uint8)
        self._buffers: Dict[Tuple[int, int], Buffers] = {}
        self._rotations = np.zeros((0, 3, 3))
        self._lamp_map = np.zeros((_MAP.height, _MAP.width), np.float32)
        self._above_map = np.zeros((_ABOVE.height, _ABOVE.width), np.float32)

    @property
    def triangle_count(self) -> int:
        """How many triangles the scene has."""
        return len(self._local)

    def place(self, positions: Floats, rotations: Floats) -> None:
        """Bring everything to where the bodies are: ``positions`` [B, 3], ``rotations`` [B, 3, 3]."""
        self._rotations = np.ascontiguousarray(rotations)
        place_faces(self._local, self._body, positions, self._rotations, self._corners, self._planes)
        place_spheres(self._local_spheres, self._chunk_body, positions, self._rotations, self._spheres)
        self._lamp_map = self._seen(_MAP, LAMP, self._still)[0]
        self._above_map = self._seen(_ABOVE, ABOVE, self._still)[0]

    def draw(self, camera: Camera, eye: Eye, depth: bool = False, ids: bool = False) -> View:
        """Return what a pinhole sees; depth is planar in metres, 0 where nothing was hit."""
        fine = Camera(camera.name, camera.kind, camera.height * 2, camera.width * 2, camera.hfov_deg, camera.height_m)
        rays = pinhole_rays(fine)
        _, visible, _ = self._seen(fine, eye, 0)
        size = (camera.height, camera.width)
        rgb, far, numbers = np.empty((*size, 3), np.uint8), np.empty(size, np.float32), np.empty(size, np.int32)
        texels, level_start = textures.pyramids()
        shade_table(
            visible, rays.column_x, rays.row_y, float(rays.row_footprint[0]), self._edges, self._slot_face,
            eye.position, eye.rotation, self._skin, self._kinds, self._rotations, texels, level_start,
            _packed(LAMP, _MAP), self._lamp_map, _packed(ABOVE, _ABOVE), self._above_map, rgb, far, numbers,
        )  # fmt: skip
        return View(camera, rgb, far if depth else None, numbers if ids else None)

    def _seen(self, camera: Camera, eye: Eye, first: int) -> Buffers:
        """Draw the chunks from ``first`` on into the visibility buffer of a camera's size."""
        size = (camera.height, camera.width)
        if size not in self._buffers:
            self._buffers[size] = make_buffers(*size)
        nearness, visible, tiles = self._buffers[size]
        rays = pinhole_rays(camera)
        draw_pinhole(
            self._corners, self._planes, self._one_sided, self._start[first:], self._spheres[first:],
            self._still if first == 0 else 0, eye.position, eye.rotation, pinhole_tangents(camera),
            rays.column_x, rays.column_z, rays.row_y, nearness, visible, tiles, self._edges, self._slot_face,
        )  # fmt: skip
        return nearness, visible, tiles


def _chunks(surface: Surface) -> List[Tuple[Surface, npt.NDArray[np.int64]]]:
    """Return the surface's faces in pieces of at most 64 that lie near to each other."""
    cells = np.floor(surface.mesh.corners.min(axis=1) / _CHUNK_CELL_M).astype(np.int64)
    order = np.lexsort(cells.T[::-1])
    return [(surface, order[start : start + _CHUNK_FACES]) for start in range(0, len(order), _CHUNK_FACES)]


def _sphere(corners: Floats) -> Tuple[float, float, float, float]:
    points = corners.reshape(-1, 3)
    centre = (points.min(axis=0) + points.max(axis=0)) * 0.5
    squares = (points - centre) * (points - centre)
    radius = float(np.sqrt((squares[:, 0] + squares[:, 1] + squares[:, 2]).max())) + 1e-6
    return (float(centre[0]), float(centre[1]), float(centre[2]), radius)


def _packed(eye: Eye, camera: Camera) -> Floats:
    """Return a lamp as `lit_share` reads it."""
    return np.concatenate((eye.position[None], eye.rotation, np.full((1, 3), pinhole_tangents(camera)[0])))


def _kinds(surface: Surface, surfaces: Sequence[Surface]) -> Tuple[int, int, int, int]:
    return (surface.body, surface.object_id, textures.NAMES.index(surface.texture), surfaces.index(surface))


def _skin(surface: Surface, order: npt.NDArray[np.int64]) -> Floats:
    """Return [F, 21] for shading: normals of the corners (9), uv of the first corner and the differences to the others
    (6), texels a metre, twice the triangle's area, tint (3), gloss. A texture is projected along a face's main axis.
    """
    corners = surface.mesh.corners[order]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.column_stack((
        a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1], a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
        a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
    ))  # fmt: skip
    pairs = np.array(((1, 2), (0, 2), (0, 1)))[np.argmax(np.abs(normal), axis=1)]
    rows = np.arange(len(corners))[:, None]
    turn_m = textures.TURN_M[surface.texture]
    uv = np.stack([corners[rows, k, pairs] for k in range(3)], axis=1) / turn_m
    squares = normal * normal
    area = np.sqrt(squares[:, 0] + squares[:, 1] + squares[:, 2])
    fixed = np.tile(np.array((*surface.tint, surface.gloss)), (len(order), 1))
    normals = surface.mesh.normals[order].reshape(-1, 9)
    first = uv[:, 0] - np.floor(uv[:, 0])
    texels = np.full((len(order), 1), TEXTURE_SIZE / turn_m)
    return np.concatenate(
        (normals, first, uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0], texels, area[:, None], fixed), axis=1
    )
