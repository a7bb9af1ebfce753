"""Surfaces that are drawn: a package's own meshes, thinned, and shapes made of numbers.

Everything is elementwise arithmetic and sums in one order, so that the arrays have the same bytes on every CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import Refusal
from harness.contracts.portable import PI, TWO_PI, sincos

Floats = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int64]
Vec3 = Tuple[float, float, float]

_STL = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_STL_HEADER = 84
_SHORT = 1e-12


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in the frame of their body: ``corners`` [F, 3, 3] metres, ``normals`` [F, 3, 3] of length 1.

    Seen from outside a triangle is counter-clockwise.
    """

    corners: Floats
    normals: Floats

    def moved(self, offset: Sequence[float], turn_deg: float = 0.0) -> Mesh:
        """Return the mesh turned about z, then moved."""
        sine, cosine = sincos(turn_deg * (PI / 180.0))

        def turned(vectors: Floats) -> Floats:
            x, y = vectors[..., 0], vectors[..., 1]
            return np.stack((cosine * x - sine * y, sine * x + cosine * y, vectors[..., 2]), axis=-1)

        return Mesh(turned(self.corners) + np.asarray(offset, np.float64), turned(self.normals))


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Return several meshes as one."""
    return Mesh(np.concatenate([m.corners for m in meshes]), np.concatenate([m.normals for m in meshes]))


def read_stl(file: Path, scale: Vec3 = (1.0, 1.0, 1.0)) -> Floats:
    """Return the corners [F, 3, 3] of a binary STL file; Refusal where it is none."""
    data = file.read_bytes()
    count = int.from_bytes(data[80:_STL_HEADER], "little")
    if len(data) != _STL_HEADER + count * _STL.itemsize:
        raise Refusal(f"{file} is no binary STL file.", "Install the pinned gymnasium-robotics again.")
    corners = np.frombuffer(data, _STL, count, _STL_HEADER)["corners"].astype(np.float64)
    return corners * np.asarray(scale, np.float64)


def thinned(corners: Floats, cell_m: float, crease_cosine: float = 0.75) -> Mesh:
    """Return a surface with about one vertex a cell: vertices of a cell are put to their mean (Rossignac, Borrel 1993).

    Where neighbouring faces differ less than the crease angle, they are shaded as one smooth surface.
    """
    points = corners.reshape(-1, 3)
    cells = np.floor(points / cell_m).astype(np.int64)
    _, groups = np.unique(cells, axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    weights = np.bincount(groups).astype(np.float64)
    means = np.column_stack([np.bincount(groups, weights=points[:, axis]) for axis in range(3)]) / weights[:, None]
    faces = groups.reshape(-1, 3)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    first = np.argmin(faces, axis=1)
    turned = faces[np.arange(len(faces))[:, None], (first[:, None] + np.arange(3)) % 3]
    faces = np.unique(turned, axis=0)
    found = means[faces]
    area = _length(_cross(found[:, 1] - found[:, 0], found[:, 2] - found[:, 0]))
    keep = area > _SHORT
    return Mesh(found[keep], _creased(faces[keep], found[keep], crease_cosine))


def _creased(faces: Faces, corners: Floats, crease_cosine: float) -> Floats:
    """Return a normal for each corner: the sum over the faces around it that are no crease away."""
    weighted = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    units = weighted / _length(weighted)[:, None]
    vertex = faces.reshape(-1)
    order = np.argsort(vertex, kind="stable")
    ordered = vertex[order]
    start = np.searchsorted(ordered, ordered, side="left")
    count = np.searchsorted(ordered, ordered, side="right") - start
    here = np.repeat(order, count)
    places = np.arange(len(here)) - np.repeat(np.cumsum(count) - count, count)
    there = order[np.repeat(start, count) + places]
    mine, other = units[here // 3], units[there // 3]
    smooth = _dot(mine, other) >= crease_cosine
    columns = [np.bincount(here[smooth], weighted[there[smooth] // 3, axis], len(vertex)) for axis in range(3)]
    sums = np.stack(columns, axis=-1).astype(np.float64)
    return (sums / _length(sums)[:, None]).reshape(-1, 3, 3)


def rounded_box(half: Vec3, radius: float = 0.003) -> Mesh:
    """Return a box with half edges ``half``, its edges rounded so that they catch the light."""
    grids = [(-h, -h + radius, h - radius, h) for h in half]
    quads: List[List[List[float]]] = []
    for axis in range(3):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        for side in (-1, 1):
            for i in range(3):
                for j in range(3):
                    ring = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)][::side]
                    quad = []
                    for u, v in ring:
                        point = [0.0, 0.0, 0.0]
                        point[axis], point[one], point[other] = side * half[axis], grids[one][u], grids[other][v]
                        quad.append(point)
                    quads.append(quad)
    points = np.array(quads, np.float64)
    core = np.asarray(half) - radius
    inner = np.clip(points, -core, core)
    outward = points - inner
    normals = outward / _length(outward)[..., None]
    return _of_quads(inner + normals * radius, normals)


def revolved(profile: Sequence[Tuple[float, float]], segments: int = 32) -> Mesh:
    """Return a surface of revolution about z: ``profile`` are (radius, z), from the bottom up outside, parts flat."""
    around = [sincos(TWO_PI * (k % segments) / segments) for k in range(segments + 1)]
    quads, normals = [], []
    for (r0, z0), (r1, z1) in zip(profile[:-1], profile[1:]):
        length = float(np.sqrt((r1 - r0) * (r1 - r0) + (z1 - z0) * (z1 - z0)))
        out, up = (z1 - z0) / length, (r0 - r1) / length
        for (s0, c0), (s1, c1) in zip(around[:-1], around[1:]):
            quads.append(
                [[r0 * c0, r0 * s0, z0], [r0 * c1, r0 * s1, z0], [r1 * c1, r1 * s1, z1], [r1 * c0, r1 * s0, z1]]
            )
            ends = [[out * c0, out * s0, up], [out * c1, out * s1, up]]
            normals.append([ends[0], ends[1], ends[1], ends[0]])
    return _of_quads(np.array(quads, np.float64), np.array(normals, np.float64))


def flat_rectangle(low: Tuple[float, float], high: Tuple[float, float], z: float, parts: int = 1) -> Mesh:
    """Return a level rectangle that is seen from above, in ``parts`` x ``parts`` pieces."""
    xs, ys = (np.linspace(a, b, parts + 1) for a, b in zip(low, high))
    quads = [
        [[xs[i], ys[j], z], [xs[i + 1], ys[j], z], [xs[i + 1], ys[j + 1], z], [xs[i], ys[j + 1], z]]
        for i in range(parts)
        for j in range(parts)
    ]
    points = np.array(quads, np.float64)
    normals = np.zeros_like(points)
    normals[..., 2] = 1.0
    return _of_quads(points, normals)


def _of_quads(points: Floats, normals: Floats) -> Mesh:
    """Return quads [Q, 4, 3] as triangles, without those of no area."""
    corners = np.concatenate((points[:, [0, 1, 2]], points[:, [0, 2, 3]]))
    ends = np.concatenate((normals[:, [0, 1, 2]], normals[:, [0, 2, 3]]))
    keep = _length(_cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])) > _SHORT
    return Mesh(corners[keep], ends[keep])


def _cross(a: Floats, b: Floats) -> Floats:
    return np.stack(
        (
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ),
        axis=-1,
    )


def _dot(a: Floats, b: Floats) -> Floats:
    product = a * b
    total: Floats = product[..., 0] + product[..., 1] + product[..., 2]
    return total


def _length(vectors: Floats) -> Floats:
    lengths: Floats = np.sqrt(_dot(vectors, vectors))
    return lengths
