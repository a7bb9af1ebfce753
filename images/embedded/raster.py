"""Visibility: which triangle does each ray of an image hit first?

A ray d from the eye meets the triangle (p, q, r), given relative to the eye, where d . (q x r), d . (r x p) and
d . (p x q) have one sign; their shares of the sum are the barycentric coordinates, and det(p, q, r) over the sum
is the ray parameter (homogeneous rasterisation, Olano and Greer 1997). Nothing is clipped, a panorama needs no
cube faces, neighbouring triangles compute exactly opposite numbers along their shared edge (no cracks), and each
ray is answered exactly. All arithmetic is IEEE + - * / on float64 in one order: equal bits on every CPU.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts import kernels

NEAR_M = 0.03
"""A pinhole sees nothing nearer than this."""

EDGE_VALUES = 10
"""What is kept of a drawn triangle: three edges of three coefficients (x, z, y), and the determinant."""

TILE = 8
"""Edge in pixels of the tiles that occlusion is tested on."""

BOUND_MARGIN_PX = 0.02
_FLAT_DETERMINANT = 1e-12
_ROUNDING = 1.000001

compiled = kernels.compiled(error_model="numpy")


@compiled
def facing(planes, double_sided, face, eye):  # type: ignore[no-untyped-def]
    """Return -1 for a front face, 1 for the visible back of a double-sided one, 0 for a face that is not seen.

    The value is the sign that makes the edge functions of a hit positive.
    """
    side = planes[face, 0] * eye[0] + planes[face, 1] * eye[1] + planes[face, 2] * eye[2] - planes[face, 3]
    if side > 0.0:
        return -1.0
    if side < 0.0 and double_sided[face] != 0:
        return 1.0
    return 0.0


@compiled
def store_edge(edges, slot, column, sign, p, q):  # type: ignore[no-untyped-def]
    """Keep the edge function of p to q: sign * (p x q), in the order x, z, y."""
    edges[slot, column] = sign * (p[1] * q[2] - p[2] * q[1])
    edges[slot, column + 1] = sign * (p[0] * q[1] - p[1] * q[0])
    edges[slot, column + 2] = sign * (p[2] * q[0] - p[0] * q[2])


@compiled
def store_triangle(edges, slot, sign, p, q, r):  # type: ignore[no-untyped-def]
    """Keep the three edges and the determinant of a triangle; return whether it is not seen edge-on."""
    store_edge(edges, slot, 0, sign, q, r)
    store_edge(edges, slot, 3, sign, r, p)
    store_edge(edges, slot, 6, sign, p, q)
    determinant = p[0] * edges[slot, 0] + p[1] * edges[slot, 2] + p[2] * edges[slot, 1]
    edges[slot, 9] = determinant
    return determinant > _FLAT_DETERMINANT


@compiled
def fill(edges, slot, top, bottom, left, right, column_x, column_z, row_y, near_limit, nearness, visible):  # type: ignore[no-untyped-def]
    """Write ``slot`` into every pixel of a box whose ray hits the triangle before anything drawn so far.

    ``nearness`` is one over the ray parameter (0: nothing yet); hits nearer than one over ``near_limit`` are dropped.
    """
    x0, z0, y0 = edges[slot, 0], edges[slot, 1], edges[slot, 2]
    x1, z1, y1 = edges[slot, 3], edges[slot, 4], edges[slot, 5]
    x2, z2, y2 = edges[slot, 6], edges[slot, 7], edges[slot, 8]
    scale = 1.0 / edges[slot, 9]
    for row in range(top, bottom + 1):
        height = row_y[row]
        constant0 = y0 * height
        constant1 = y1 * height
        constant2 = y2 * height
        for column in range(left, right + 1):
            x = column_x[column]
            z = column_z[column]
            edge0 = x0 * x + z0 * z + constant0
            edge1 = x1 * x + z1 * z + constant1
            edge2 = x2 * x + z2 * z + constant2
            if edge0 >= 0.0 and edge1 >= 0.0 and edge2 >= 0.0:
                near = np.float32((edge0 + edge1 + edge2) * scale)
                if near > nearness[row, column] and near < near_limit:
                    nearness[row, column] = near
                    visible[row, column] = slot


@compiled
def cover_tiles(nearness, tiles):  # type: ignore[no-untyped-def]
    """Write into each tile the least nearness of its pixels: nothing behind that shows in it."""
    height, width = nearness.shape
    tiles[:] = np.float32(1e30)
    for row in range(height):
        for column in range(width):
            tile_row = row // TILE
            tile_column = column // TILE
            if nearness[row, column] < tiles[tile_row, tile_column]:
                tiles[tile_row, tile_column] = nearness[row, column]


@compiled
def hidden(tiles, top, bottom, left, right, nearest):  # type: ignore[no-untyped-def]
    """Say whether something with ray parameters of at least ``nearest`` is covered all over a box of pixels.

    Columns may run past the right edge and go on at the left one (panoramas).
    """
    most = _ROUNDING / nearest
    tile_columns = tiles.shape[1]
    for tile_row in range(max(top, 0) // TILE, min(bottom // TILE, tiles.shape[0] - 1) + 1):
        for tile_column in range(left // TILE, right // TILE + 1):
            if tiles[tile_row, tile_column % tile_columns] <= most:
                return False
    return True


Buffers = Tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.float32]]


def make_buffers(height: int, width: int) -> Buffers:
    """Return uninitialised (nearness, visible, tiles) for one size of image."""
    tiles = np.empty((-(-height // TILE), -(-width // TILE)), np.float32)
    return np.empty((height, width), np.float32), np.empty((height, width), np.int32), tiles
