"""Solids and sheets that furniture is made of: boxes, rounded boxes, lathed bodies, cloth, leaves.

A shape carries its normals, so that the light bake gives welded corners the same light. Frame: x right,
y up, z to the front; texture coordinates are in metres (v downwards) unless a shape says that its texture
is fitted (0-1 over the shape).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Callable, Iterable, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.portable import TWO_PI, sincos

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Vector = Tuple[float, float, float]

_FACES: dict[str, tuple[int, int, int, int, int]] = {
    # name: (right axis, right sign, up axis, up sign, normal sign); right x up = outward normal
    "front": (0, 1, 1, 1, 1),
    "back": (0, -1, 1, 1, -1),
    "right": (2, -1, 1, 1, 1),
    "left": (2, 1, 1, 1, -1),
    "top": (0, 1, 2, -1, 1),
    "bottom": (0, 1, 2, 1, -1),
}


@dataclass(frozen=True)
class Shape:
    """Positions [n, 3], unit normals [n, 3], uvs [n, 2], faces [m, 3] (counter-clockwise from outside)."""

    positions: Floats
    normals: Floats
    uvs: Floats
    faces: Ints
    double_sided: bool = False

    def at(self, x: float, y: float, z: float) -> Shape:
        """Return the shape moved by (x, y, z) metres."""
        return replace(self, positions=self.positions + np.array((x, y, z)))

    def lying_along_x(self) -> Shape:
        """Return the shape turned so that its y axis points along x."""
        order = [1, 2, 0]
        return replace(self, positions=self.positions[:, order], normals=self.normals[:, order])

    def lying_along_z(self) -> Shape:
        """Return the shape turned so that its y axis points along z."""
        order = [2, 0, 1]
        return replace(self, positions=self.positions[:, order], normals=self.normals[:, order])

    def turned(self, yaw: float) -> Shape:
        """Return the shape turned by ``yaw`` radians about y (counter-clockwise seen from above)."""
        sine, cosine = sincos(yaw)
        return replace(self, positions=_turn(self.positions, sine, cosine), normals=_turn(self.normals, sine, cosine))

    def both_sides(self) -> Shape:
        """Return the shape as one that is seen from both sides."""
        return replace(self, double_sided=True)


def _turn(vectors: Floats, sine: float, cosine: float) -> Floats:
    out = np.empty_like(vectors)
    out[:, 0] = cosine * vectors[:, 0] + sine * vectors[:, 2]
    out[:, 1] = vectors[:, 1]
    out[:, 2] = cosine * vectors[:, 2] - sine * vectors[:, 0]
    return out


def joined(shapes: Sequence[Shape]) -> Shape:
    """Return several shapes as one (all must agree on ``double_sided``)."""
    faces, offset = [], 0
    for shape in shapes:
        faces.append(shape.faces + offset)
        offset += len(shape.positions)
    return Shape(
        np.concatenate([s.positions for s in shapes]),
        np.concatenate([s.normals for s in shapes]),
        np.concatenate([s.uvs for s in shapes]),
        np.concatenate(faces),
        shapes[0].double_sided,
    )


def _length(vectors: Floats) -> Floats:
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    lengths: Floats = np.sqrt(x * x + y * y + z * z)
    return lengths


def _grid_faces(columns: int, rows: int, keep: Optional[Callable[[int, int], bool]] = None) -> Ints:
    """Two triangles a cell for a row-major grid of (rows + 1) x (columns + 1) vertices, up = next row."""
    if keep is None:
        return _whole_grid_faces(columns, rows)
    cells = [(column, row) for row in range(rows) for column in range(columns) if keep(column, row)]
    return _cell_faces(cells, columns)


@lru_cache(maxsize=512)
def _whole_grid_faces(columns: int, rows: int) -> Ints:
    return _cell_faces([(column, row) for row in range(rows) for column in range(columns)], columns)


def _cell_faces(cells: Sequence[tuple[int, int]], columns: int) -> Ints:
    faces = []
    for column, row in cells:
        a = row * (columns + 1) + column
        b, c, d = a + 1, a + columns + 2, a + columns + 1
        faces += [(a, b, c), (a, c, d)]
    return np.array(faces, np.int64).reshape(-1, 3)


def _oriented(faces: Ints, positions: Floats, normals: Floats) -> Ints:
    """Flip the triangles whose winding disagrees with their normals; drop degenerate ones."""
    a, b, c = positions[faces[:, 0]], positions[faces[:, 1]], positions[faces[:, 2]]
    e, f = b - a, c - a
    cross = np.stack(
        [
            e[:, 1] * f[:, 2] - e[:, 2] * f[:, 1],
            e[:, 2] * f[:, 0] - e[:, 0] * f[:, 2],
            e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0],
        ],
        axis=1,
    )
    wanted = normals[faces[:, 0]] + normals[faces[:, 1]] + normals[faces[:, 2]]
    agreement = cross[:, 0] * wanted[:, 0] + cross[:, 1] * wanted[:, 1] + cross[:, 2] * wanted[:, 2]
    flipped = np.where((agreement < 0.0)[:, None], faces[:, ::-1], faces)
    return np.ascontiguousarray(flipped[_length(cross) > 1e-10])


def _divisions(length: float, step: Optional[float]) -> int:
    return 1 if step is None else max(1, math.ceil(length / step - 1e-9))


def box(size: Vector, step: Optional[float] = None, skip: Iterable[str] = ()) -> Shape:
    """A box centred on the origin; u runs along the longer edge of every face (wood grain).

    ``step`` tessellates faces for baked light, ``skip`` leaves out faces that nobody can see
    (``front back left right top bottom``).
    """
    parts = [_box_face(name, size, step) for name in _FACES if name not in skip]
    return joined(parts)


def _box_face(name: str, size: Vector, step: Optional[float]) -> Shape:
    right_axis, right_sign, up_axis, up_sign, normal_sign = _FACES[name]
    normal_axis = 3 - right_axis - up_axis
    width, height = size[right_axis], size[up_axis]
    columns, rows = _divisions(width, step), _divisions(height, step)
    right = np.tile((np.arange(columns + 1) / columns - 0.5) * width, rows + 1)
    up = np.repeat((np.arange(rows + 1) / rows - 0.5) * height, columns + 1)
    positions = np.zeros((len(right), 3))
    positions[:, right_axis] = right * right_sign
    positions[:, up_axis] = up * up_sign
    positions[:, normal_axis] = size[normal_axis] / 2.0 * normal_sign
    normals = np.zeros_like(positions)
    normals[:, normal_axis] = normal_sign
    uvs = np.stack([right, -up] if width >= height else [up, right], axis=1)
    return Shape(positions, normals, uvs, _grid_faces(columns, rows))


def panel(xs: Sequence[float], ys: Sequence[float], holes: Sequence[tuple[float, float, float, float]] = ()) -> Shape:
    """A plane z = 0 facing +z on the given grid lines, without the cells inside ``holes``.

    One shared grid over the whole wall keeps the baked light continuous around doors and windows.
    ``holes`` are (left, bottom, right, top); their edges must be grid lines.
    """

    def keep(column: int, row: int) -> bool:
        x, y = (xs[column] + xs[column + 1]) / 2.0, (ys[row] + ys[row + 1]) / 2.0
        return not any(left < x < right and bottom < y < top for left, bottom, right, top in holes)

    x = np.tile(np.array(xs, float), len(ys))
    y = np.repeat(np.array(ys, float), len(xs))
    positions = np.stack([x, y, np.zeros_like(x)], axis=1)
    normals = np.zeros_like(positions)
    normals[:, 2] = 1.0
    faces = _grid_faces(len(xs) - 1, len(ys) - 1, keep)
    used = np.unique(faces)
    renumber = np.zeros(len(positions), np.int64)
    renumber[used] = np.arange(len(used))
    uvs = np.stack([x, -y], axis=1)
    return Shape(positions[used], normals[used], uvs[used], renumber[faces])


def picture(width: float, height: float, step: Optional[float] = None) -> Shape:
    """A rectangle facing +z, centred on the origin, with the texture fitted to it."""
    face = _box_face("front", (width, height, 0.0), step)
    uvs = np.stack([face.positions[:, 0] / width + 0.5, 0.5 - face.positions[:, 1] / height], axis=1)
    return replace(face, uvs=uvs)


def mat(width: float, depth: float, step: Optional[float] = None) -> Shape:
    """A rectangle facing up, centred on the origin, with the texture fitted to it."""
    face = _box_face("top", (width, 0.0, depth), step)
    uvs = np.stack([face.positions[:, 0] / width + 0.5, face.positions[:, 2] / depth + 0.5], axis=1)
    return replace(face, uvs=uvs)


def rounded_box(size: Vector, radius: float, step: Optional[float] = None) -> Shape:
    """A box with rounded edges, centred on the origin: cushions, mattresses, appliances."""
    half = np.array(size, float) / 2.0
    radius = min(radius, 0.98 * min(size) / 2.0)
    inner = half - radius
    parts = []
    for right_axis, right_sign, up_axis, up_sign, normal_sign in _FACES.values():
        normal_axis = 3 - right_axis - up_axis
        xs = _edge_lines(half[right_axis], inner[right_axis], step)
        ys = _edge_lines(half[up_axis], inner[up_axis], step)
        flat = np.zeros((len(xs) * len(ys), 3))
        flat[:, right_axis] = np.tile(xs, len(ys)) * right_sign
        flat[:, up_axis] = np.repeat(ys, len(xs)) * up_sign
        flat[:, normal_axis] = half[normal_axis] * normal_sign
        core = np.clip(flat, -inner, inner)
        normals = (flat - core) / _length(flat - core)[:, None]
        right, up = np.tile(xs, len(ys)), np.repeat(ys, len(xs))
        uvs = np.stack([right, -up], axis=1)
        parts.append(Shape(core + normals * radius, normals, uvs, _grid_faces(len(xs) - 1, len(ys) - 1)))
    return joined(parts)


def _edge_lines(half: float, inner: float, step: Optional[float]) -> Floats:
    middle = _divisions(2.0 * inner, step)
    inside = (np.arange(middle + 1) / middle * 2.0 - 1.0) * inner
    return np.concatenate([[-half], inside, [half]])


def lathe(profile: Sequence[tuple[float, float]], segments: int = 14) -> Shape:
    """A body of revolution about y through (radius, y) points, bottom to top.

    Points closer than 0.1 mm in radius to the axis close the body. Normals follow the profile, so a
    profile with a doubled point keeps a hard edge.
    """
    radii = np.array([max(r, 0.0) for r, _ in profile])
    heights = np.array([y for _, y in profile])
    angles = [sincos(TWO_PI * k / segments) for k in range(segments + 1)]
    angles[-1] = angles[0]
    sines, cosines = np.array([s for s, _ in angles]), np.array([c for _, c in angles])
    slope_r, slope_y = _profile_normals(radii, heights)
    count = len(profile)
    ring = np.tile(np.arange(segments + 1), count)
    level = np.repeat(np.arange(count), segments + 1)
    positions = np.stack([radii[level] * cosines[ring], heights[level], radii[level] * sines[ring]], axis=1)
    normals = np.stack([slope_r[level] * cosines[ring], slope_y[level], slope_r[level] * sines[ring]], axis=1)
    run = np.zeros(count)
    for k in range(1, count):
        dr, dy = radii[k] - radii[k - 1], heights[k] - heights[k - 1]
        run[k] = run[k - 1] + math.sqrt(dr * dr + dy * dy)
    around = TWO_PI * float(radii.max()) * ring / segments
    uvs = np.stack([around, -run[level]], axis=1)
    faces = _oriented(_grid_faces(segments, count - 1), positions, normals)
    return Shape(positions, normals, uvs, faces)


def _profile_normals(radii: Floats, heights: Floats) -> tuple[Floats, Floats]:
    count = len(radii)
    normal_r, normal_y = np.zeros(count), np.zeros(count)
    for k in range(count - 1):
        dr, dy = radii[k + 1] - radii[k], heights[k + 1] - heights[k]
        length = math.sqrt(dr * dr + dy * dy)
        if length > 1e-9:
            for end in (k, k + 1):
                normal_r[end] += dy / length
                normal_y[end] -= dr / length
    lengths = np.sqrt(normal_r * normal_r + normal_y * normal_y)
    lengths[lengths < 1e-9] = 1.0
    return normal_r / lengths, normal_y / lengths


def cylinder(radius: float, height: float, segments: int = 10, top_radius: Optional[float] = None) -> Shape:
    """A closed cylinder (or cone) standing on y = 0."""
    upper = radius if top_radius is None else top_radius
    profile = [(0.0, 0.0), (radius, 0.0), (radius, 0.0), (upper, height), (upper, height), (0.0, height)]
    return lathe(profile, segments)


def ellipsoid(radii: Vector, segments: int = 12) -> Shape:
    """An ellipsoid centred on the origin."""
    rows = max(4, segments // 2)
    profile = []
    for k in range(rows + 1):
        sine, cosine = sincos(TWO_PI * (k / rows - 0.5) / 2.0)
        profile.append((max(cosine, 0.0), sine))
    unit = lathe(profile, segments)
    scale = np.array(radii, float)
    normals = unit.normals / scale
    uvs = unit.uvs * max(radii)
    return replace(unit, positions=unit.positions * scale, normals=normals / _length(normals)[:, None], uvs=uvs)


def cloth(width: float, height: float, folds: int, depth: float) -> Shape:
    """A hanging sheet with vertical folds, top edge at y = 0, centred in x, seen from both sides."""
    columns, rows = folds * 4, max(2, math.ceil(height / 0.6))
    xs = (np.arange(columns + 1) / columns - 0.5) * width
    swing = [sincos(TWO_PI * folds * k / columns) for k in range(columns + 1)]
    zs = np.array([sine for sine, _ in swing]) * depth
    slope = np.array([cosine for _, cosine in swing]) * depth * TWO_PI * folds / width
    across, down = np.tile(np.arange(columns + 1), rows + 1), np.repeat(np.arange(rows + 1), columns + 1)
    ys = -height + down / rows * height
    positions = np.stack([xs[across], ys, zs[across]], axis=1)
    normals = np.stack([-slope[across], np.zeros(len(across)), np.ones(len(across))], axis=1)
    normals = normals / _length(normals)[:, None]
    uvs = np.stack([xs[across] * 1.5, -ys], axis=1)
    return Shape(positions, normals, uvs, _grid_faces(columns, rows), double_sided=True)


def blade(length: float, width: float, yaw: float, rise: float, droop: float) -> Shape:
    """A bent leaf that starts at the origin, seen from both sides; texture fitted.

    ``rise`` is the slope at the root (height over run), ``droop`` how much it falls towards the tip, in metres.
    """
    sections = 4
    sine, cosine = sincos(yaw)
    flat_length = length / math.sqrt(1.0 + rise * rise)
    rows = []
    for k in range(sections + 1):
        t = k / sections
        half = width / 2.0 * 4.0 * t * (1.0 - t) * (1.0 - 0.3 * t) + 0.004
        run, height = flat_length * t, flat_length * rise * t - droop * t * t
        rows += [(run, height, -half, t, 0.0), (run, height, half, t, 1.0)]
    table = np.array(rows)
    positions = np.stack(
        [table[:, 0] * cosine + table[:, 2] * sine, table[:, 1], table[:, 2] * cosine - table[:, 0] * sine], 1
    )
    normals = np.zeros_like(positions)
    tilt = 1.0 / math.sqrt(1.0 + rise * rise)
    normals[:, 0], normals[:, 1], normals[:, 2] = -rise * tilt * cosine, tilt, rise * tilt * sine
    faces = _oriented(_grid_faces(1, sections), positions, normals)
    return Shape(positions, normals, table[:, 3:5], faces, double_sided=True)
