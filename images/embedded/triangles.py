"""The triangles of a home, sorted for drawing: large surfaces first, then chunks of one object and one cubic metre.

Whole chunks are skipped when they lie beyond a frustum or behind what the large surfaces already cover.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from images.embedded.mesh import Home

OCCLUDER_AREA_M2 = 0.03
"""An object whose triangles are this large on average (walls, floors, wardrobes) is drawn first."""

_CHUNK_FACES = 64
_CHUNK_CELL_M = 1.0


@dataclass(frozen=True, eq=False)
class Triangles:
    """The triangles of a home in drawing order, and chunks of them with bounding spheres.

    The first ``occluders`` chunks are large surfaces. ``order`` [F] maps drawing order to the home's faces.
    ``corners`` [F, 9] metres; ``planes`` [F, 4] unnormalised normal and offset; ``double_sided`` [F].
    ``chunk_start`` [C + 1]; ``chunk_sphere`` [C, 4] centre and radius.
    """

    occluders: int
    order: npt.NDArray[np.int64]
    corners: npt.NDArray[np.float64]
    planes: npt.NDArray[np.float64]
    double_sided: npt.NDArray[np.uint8]
    chunk_start: npt.NDArray[np.int64]
    chunk_sphere: npt.NDArray[np.float64]


def prepare_triangles(home: Home) -> Triangles:
    """Sort the triangles of ``home`` into chunks, large surfaces first, and precompute their planes."""
    corners = home.positions.astype(np.float64)[home.faces]
    behind = (~_large_surfaces(corners, home.face_object)).astype(np.int64)
    cells = np.floor(corners.min(axis=1) / _CHUNK_CELL_M).astype(np.int64)
    keys = np.column_stack((behind, home.face_object.astype(np.int64), cells))
    order = np.lexsort(keys.T[::-1])
    keys = keys[order]
    changed = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1
    chunk_start = _split_runs(np.concatenate(([0], changed, [len(order)])))
    flat = np.ascontiguousarray(corners[order].reshape(-1, 9))
    return Triangles(
        occluders=int((keys[chunk_start[:-1], 0] == 0).sum()),
        order=order,
        corners=flat,
        planes=_planes(corners[order]),
        double_sided=home.face_double_sided[order],
        chunk_start=chunk_start,
        chunk_sphere=_bounding_spheres(flat, chunk_start),
    )


def _planes(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return [F, 4]: the unnormalised normal (twice the area long) and the offset of each triangle."""
    first = corners[:, 1] - corners[:, 0]
    second = corners[:, 2] - corners[:, 0]
    normal = np.column_stack(
        (
            first[:, 1] * second[:, 2] - first[:, 2] * second[:, 1],
            first[:, 2] * second[:, 0] - first[:, 0] * second[:, 2],
            first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0],
        )
    )
    product = normal * corners[:, 0]
    offset = product[:, 0] + product[:, 1] + product[:, 2]
    return np.column_stack((normal, offset))


def _large_surfaces(corners: npt.NDArray[np.float64], face_object: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Say for each triangle whether its object's triangles are large on average.

    The areas are summed in order by bincount, so the choice is the same everywhere; it changes no pixel anyway
    but where surfaces coincide.
    """
    planes = _planes(corners)
    squares = planes[:, 0] * planes[:, 0] + planes[:, 1] * planes[:, 1] + planes[:, 2] * planes[:, 2]
    total = np.bincount(face_object, weights=np.sqrt(squares) * 0.5)
    count = np.maximum(np.bincount(face_object), 1)
    large: npt.NDArray[np.bool_] = (total / count >= OCCLUDER_AREA_M2)[face_object]
    return large


def _split_runs(starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    pieces = [np.arange(a, b, _CHUNK_FACES) for a, b in zip(starts[:-1], starts[1:])]
    return np.concatenate([*pieces, starts[-1:]]).astype(np.int64)


def _bounding_spheres(corners: npt.NDArray[np.float64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    spheres = np.empty((len(starts) - 1, 4))
    for chunk, (a, b) in enumerate(zip(starts[:-1], starts[1:])):
        points = corners[a:b].reshape(-1, 3)
        centre = (points.min(axis=0) + points.max(axis=0)) * 0.5
        squares = (points - centre) * (points - centre)
        spheres[chunk, :3] = centre
        spheres[chunk, 3] = np.sqrt((squares[:, 0] + squares[:, 1] + squares[:, 2]).max()) + 1e-9
    return spheres
