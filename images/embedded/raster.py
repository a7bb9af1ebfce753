"""Visibility: which triangle does each ray of an image hit first?

A ray d from the eye meets the triangle (p, q, r), given relative to the eye, where d . (q x r), d . (r x p) and
d . (p x q) have one sign; their shares of the sum are the barycentric coordinates, and det(p, q, r) over the sum
is the ray parameter (homogeneous rasterisation, Olano and Greer 1997). Nothing is clipped, a panorama needs no
cube faces, neighbouring triangles compute exactly opposite numbers along their shared edge (no cracks), and each
ray is answered exactly. All arithmetic is IEEE + - * / on float64 in one order: equal bits on every CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numba
import numpy as np
import numpy.typing as npt

from images.embedded.mesh import Home

NEAR_M = 0.03
"""A pinhole sees nothing nearer than this."""

EDGE_VALUES = 10
"""What is kept of a drawn triangle: three edges of three coefficients (x, z, y), and the determinant."""

_CHUNK_FACES = 64
_CHUNK_CELL_M = 1.0
_BOUND_MARGIN_PX = 0.02
_FLAT_DETERMINANT = 1e-12
_ANGLE_SCALE = 0.15915494309189535  # 1 / (2 pi)

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True, eq=False)
class Triangles:
    """The triangles of a home in drawing order, and chunks of them with bounding spheres.

    ``order`` [F] maps drawing order to the home's faces. ``corners`` [F, 9] metres; ``planes`` [F, 4] unnormalised
    normal and offset; ``double_sided`` [F]. ``chunk_start`` [C + 1]; ``chunk_sphere`` [C, 4] centre and radius.
    """

    order: npt.NDArray[np.int64]
    corners: npt.NDArray[np.float64]
    planes: npt.NDArray[np.float64]
    double_sided: npt.NDArray[np.uint8]
    chunk_start: npt.NDArray[np.int64]
    chunk_sphere: npt.NDArray[np.float64]


def prepare_triangles(home: Home) -> Triangles:
    """Sort the triangles of ``home`` into chunks of one object and one square metre, and precompute their planes.

    Chunks let a pinhole skip most of a home after a handful of sphere tests.
    """
    corners = home.positions.astype(np.float64)[home.faces]
    centre = corners.min(axis=1)
    cells = np.floor(centre / _CHUNK_CELL_M).astype(np.int64)
    order = np.lexsort((cells[:, 1], cells[:, 2], cells[:, 0], home.face_object))
    corners = corners[order]
    keys = np.column_stack((home.face_object[order].astype(np.int64), cells[order]))
    changed = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1
    chunk_start = _split_runs(np.concatenate(([0], changed, [len(order)])))
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
    planes = np.column_stack((normal, offset))
    flat = np.ascontiguousarray(corners.reshape(-1, 9))
    double_sided = home.face_double_sided[order]
    return Triangles(order, flat, planes, double_sided, chunk_start, _bounding_spheres(flat, chunk_start))


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


@compiled
def quick_angle(y: float, x: float) -> float:
    """Return atan2(y, x) in radians with an error below 2e-5: for bounds only (Abramowitz and Stegun 4.4.49)."""
    ay = abs(y)
    ax = abs(x)
    longer = max(ax, ay)
    if longer == 0.0:
        return 0.0
    a = min(ax, ay) / longer
    a2 = a * a
    angle = a * (0.9998660 + a2 * (-0.3302995 + a2 * (0.1801410 + a2 * (-0.0851330 + a2 * 0.0208351))))
    if ay > ax:
        angle = 1.5707963267948966 - angle
    if x < 0.0:
        angle = 3.141592653589793 - angle
    return -angle if y < 0.0 else angle


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
def pinhole_range(p, q, r, axis, tangent):  # type: ignore[no-untyped-def]
    """Return the range of axis / (tangent * depth) over the part of a triangle beyond the near plane.

    An empty range (1, -1) means that no part is.
    """
    low = 1e30
    high = -1e30
    for start, end in ((p, q), (q, r), (r, p)):
        start_depth = -start[2]
        end_depth = -end[2]
        if start_depth >= NEAR_M:
            value = start[axis] / (tangent * start_depth)
            low = min(low, value)
            high = max(high, value)
        if (start_depth >= NEAR_M) != (end_depth >= NEAR_M):
            share = (NEAR_M - start_depth) / (end_depth - start_depth)
            value = (start[axis] + share * (end[axis] - start[axis])) / (tangent * NEAR_M)
            low = min(low, value)
            high = max(high, value)
    return low, high


@compiled
def pixel_span(low, high, size):  # type: ignore[no-untyped-def]
    """Return the first and last pixel whose centre may lie in [low, high] of the image's [-1, 1]."""
    first = np.floor((min(max(low, -1.0), 1.0) + 1.0) * 0.5 * size - 0.5 - _BOUND_MARGIN_PX) + 1.0
    last = np.floor((min(max(high, -1.0), 1.0) + 1.0) * 0.5 * size - 0.5 + _BOUND_MARGIN_PX)
    return max(int(first), 0), min(int(last), size - 1)


@compiled
def sphere_in_view(sphere, eye, rotation, tangent_x, tangent_y):  # type: ignore[no-untyped-def]
    """Say whether a bounding sphere may reach into a pinhole's frustum."""
    dx = sphere[0] - eye[0]
    dy = sphere[1] - eye[1]
    dz = sphere[2] - eye[2]
    x = abs(rotation[0, 0] * dx + rotation[0, 1] * dy + rotation[0, 2] * dz)
    y = abs(rotation[1, 0] * dx + rotation[1, 1] * dy + rotation[1, 2] * dz)
    depth = -(rotation[2, 0] * dx + rotation[2, 1] * dy + rotation[2, 2] * dz)
    radius = sphere[3]
    if depth + radius < NEAR_M:
        return False
    if x - depth * tangent_x > radius * np.sqrt(1.0 + tangent_x * tangent_x):
        return False
    return y - depth * tangent_y <= radius * np.sqrt(1.0 + tangent_y * tangent_y)


@compiled
def seen_corner(corners, face, corner, eye, rotation):  # type: ignore[no-untyped-def]
    """Return one corner of a face in the camera's frame."""
    dx = corners[face, corner] - eye[0]
    dy = corners[face, corner + 1] - eye[1]
    dz = corners[face, corner + 2] - eye[2]
    return (
        rotation[0, 0] * dx + rotation[0, 1] * dy + rotation[0, 2] * dz,
        rotation[1, 0] * dx + rotation[1, 1] * dy + rotation[1, 2] * dz,
        rotation[2, 0] * dx + rotation[2, 1] * dy + rotation[2, 2] * dz,
    )


@compiled
def outside_frustum(p, q, r, tangent_x, tangent_y):  # type: ignore[no-untyped-def]
    """Say whether a triangle lies wholly behind the near plane or beyond one side of the frustum."""
    if p[2] > -NEAR_M and q[2] > -NEAR_M and r[2] > -NEAR_M:
        return True
    if p[0] > -p[2] * tangent_x and q[0] > -q[2] * tangent_x and r[0] > -r[2] * tangent_x:
        return True
    if p[0] < p[2] * tangent_x and q[0] < q[2] * tangent_x and r[0] < r[2] * tangent_x:
        return True
    if p[1] > -p[2] * tangent_y and q[1] > -q[2] * tangent_y and r[1] > -r[2] * tangent_y:
        return True
    return p[1] < p[2] * tangent_y and q[1] < q[2] * tangent_y and r[1] < r[2] * tangent_y


@compiled
def draw_pinhole(  # type: ignore[no-untyped-def]
    corners, planes, double_sided, chunk_start, chunk_sphere, eye, rotation, tangents,
    column_x, column_z, row_y, nearness, visible, edges, slot_face,
):  # fmt: skip
    """Draw all triangles into a pinhole's visibility buffer; return how many slots were used.

    ``visible`` [H, W] receives slots (-1: nothing), ``slot_face`` the face of a slot, ``edges`` its edge functions.
    """
    nearness[:] = 0.0
    visible[:] = -1
    height, width = visible.shape
    slot = 0
    for chunk in range(chunk_sphere.shape[0]):
        if not sphere_in_view(chunk_sphere[chunk], eye, rotation, tangents[0], tangents[1]):
            continue
        for face in range(chunk_start[chunk], chunk_start[chunk + 1]):
            sign = facing(planes, double_sided, face, eye)
            if sign == 0.0:
                continue
            p = seen_corner(corners, face, 0, eye, rotation)
            q = seen_corner(corners, face, 3, eye, rotation)
            r = seen_corner(corners, face, 6, eye, rotation)
            if outside_frustum(p, q, r, tangents[0], tangents[1]):
                continue
            low, high = pinhole_range(p, q, r, 0, tangents[0])
            left, right = pixel_span(low, high, width)
            low, high = pinhole_range(p, q, r, 1, tangents[1])
            top, bottom = pixel_span(-high, -low, height)
            if left > right or top > bottom or not store_triangle(edges, slot, sign, p, q, r):
                continue
            slot_face[slot] = face
            fill(edges, slot, top, bottom, left, right, column_x, column_z, row_y, 1.0 / NEAR_M, nearness, visible)
            slot += 1
    return slot


@compiled
def segment_distance2(p, q):  # type: ignore[no-untyped-def]
    """Return the squared horizontal distance of the eye's axis from the segment p to q."""
    dx = q[0] - p[0]
    dz = q[2] - p[2]
    along = -(p[0] * dx + p[2] * dz)
    length2 = dx * dx + dz * dz
    if along <= 0.0:
        return p[0] * p[0] + p[2] * p[2]
    if along >= length2:
        return q[0] * q[0] + q[2] * q[2]
    cross = p[0] * dz - p[2] * dx
    return cross * cross / length2


@compiled
def around_axis(p, q, r):  # type: ignore[no-untyped-def]
    """Say whether the vertical axis through the eye meets the triangle (or nearly so)."""
    first = p[2] * q[0] - p[0] * q[2]
    second = q[2] * r[0] - q[0] * r[2]
    third = r[2] * p[0] - r[0] * p[2]
    tiny = 1e-9
    return (first >= -tiny and second >= -tiny and third >= -tiny) or (
        first <= tiny and second <= tiny and third <= tiny
    )


@compiled
def row_span(p, q, r, surrounds, height):  # type: ignore[no-untyped-def]
    """Return the first and last row of a panorama that a triangle may touch.

    The elevation of a point is at most the triangle's highest y over its least horizontal distance.
    """
    nearest = 0.0
    if not surrounds:
        nearest = np.sqrt(min(segment_distance2(p, q), segment_distance2(q, r), segment_distance2(r, p)))
    farthest = np.sqrt(max(p[0] * p[0] + p[2] * p[2], q[0] * q[0] + q[2] * q[2], r[0] * r[0] + r[2] * r[2]))
    highest = max(p[1], q[1], r[1])
    lowest = min(p[1], q[1], r[1])
    upper = quick_angle(highest, nearest if highest > 0.0 else farthest)
    lower = quick_angle(lowest, nearest if lowest < 0.0 else farthest)
    top = np.floor((0.5 - upper * 2.0 * _ANGLE_SCALE) * height - 0.5 - _BOUND_MARGIN_PX) + 1.0
    bottom = np.floor((0.5 - lower * 2.0 * _ANGLE_SCALE) * height - 0.5 + _BOUND_MARGIN_PX)
    return max(int(top), 0), min(int(bottom), height - 1)


@compiled
def column_span(p, q, r, width, centre_angle):  # type: ignore[no-untyped-def]
    """Return the first and last column that a triangle beside the axis may touch; the first is in [0, width).

    The last may pass ``width``: the span then goes on at column 0.
    """
    reference = quick_angle(-p[0], -p[2])
    second = quick_angle(-q[0], -q[2]) - reference
    third = quick_angle(-r[0], -r[2]) - reference
    second -= np.floor(second * _ANGLE_SCALE + 0.5) / _ANGLE_SCALE
    third -= np.floor(third * _ANGLE_SCALE + 0.5) / _ANGLE_SCALE
    low = reference - centre_angle + min(0.0, second, third)
    high = reference - centre_angle + max(0.0, second, third)
    first = int(np.floor((0.5 - high * _ANGLE_SCALE) * width - 0.5 - _BOUND_MARGIN_PX)) + 1
    last = int(np.floor((0.5 - low * _ANGLE_SCALE) * width - 0.5 + _BOUND_MARGIN_PX))
    turns = int(np.floor(first / width)) * width
    return first - turns, last - turns


@compiled
def draw_panorama(  # type: ignore[no-untyped-def]
    corners, planes, double_sided, eye, centre_angle, column_x, column_z, row_y, nearness, visible, edges, slot_face,
):  # fmt: skip
    """Draw all triangles into an equirectangular visibility buffer; return how many slots were used.

    ``centre_angle`` (radians) is where the centre column looks. Outputs as in ``draw_pinhole``.
    """
    nearness[:] = 0.0
    visible[:] = -1
    height, width = visible.shape
    slot = 0
    for face in range(corners.shape[0]):
        sign = facing(planes, double_sided, face, eye)
        if sign == 0.0:
            continue
        p = (corners[face, 0] - eye[0], corners[face, 1] - eye[1], corners[face, 2] - eye[2])
        q = (corners[face, 3] - eye[0], corners[face, 4] - eye[1], corners[face, 5] - eye[2])
        r = (corners[face, 6] - eye[0], corners[face, 7] - eye[1], corners[face, 8] - eye[2])
        surrounds = around_axis(p, q, r)
        top, bottom = row_span(p, q, r, surrounds, height)
        if top > bottom:
            continue
        left, right = 0, width - 1
        if not surrounds:
            left, right = column_span(p, q, r, width, centre_angle)
        if left > right or not store_triangle(edges, slot, sign, p, q, r):
            continue
        slot_face[slot] = face
        fill(edges, slot, top, bottom, left, min(right, width - 1), column_x, column_z, row_y, 1e30, nearness, visible)
        if right >= width:
            fill(edges, slot, top, bottom, 0, right - width, column_x, column_z, row_y, 1e30, nearness, visible)
        slot += 1
    return slot


def scratch(height: int, width: int) -> Tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Return an uninitialised (nearness, visible) pair of buffers."""
    return np.empty((height, width), np.float32), np.empty((height, width), np.int32)
