"""Which triangles a pinhole camera sees: frustum, near plane, and the box of pixels to try for each triangle."""

from __future__ import annotations

import numpy as np

from images.embedded.raster import BOUND_MARGIN_PX, NEAR_M, compiled, cover_tiles, facing, fill, hidden, store_triangle


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
    first = np.floor((min(max(low, -1.0), 1.0) + 1.0) * 0.5 * size - 0.5 - BOUND_MARGIN_PX) + 1.0
    last = np.floor((min(max(high, -1.0), 1.0) + 1.0) * 0.5 * size - 0.5 + BOUND_MARGIN_PX)
    return max(int(first), 0), min(int(last), size - 1)


@compiled
def sphere_in_view(x, y, depth, radius, tangents):  # type: ignore[no-untyped-def]
    """Say whether a bounding sphere, in the camera's frame, may reach into the frustum."""
    if depth + radius < NEAR_M:
        return False
    if abs(x) - depth * tangents[0] > radius * np.sqrt(1.0 + tangents[0] * tangents[0]):
        return False
    return abs(y) - depth * tangents[1] <= radius * np.sqrt(1.0 + tangents[1] * tangents[1])


@compiled
def axis_span(centre, radius, nearest, farthest, tangent, size):  # type: ignore[no-untyped-def]
    """Return the first and last pixel of one axis that a bounding sphere may touch."""
    low = centre - radius
    high = centre + radius
    low /= tangent * (nearest if low < 0.0 else farthest)
    high /= tangent * (nearest if high > 0.0 else farthest)
    return pixel_span(low - 2.0 / size, high + 2.0 / size, size)


@compiled
def chunk_shows(sphere, eye, rotation, tangents, height, width, tiles, covered):  # type: ignore[no-untyped-def]
    """Say whether a chunk may be seen: inside the frustum and, once ``tiles`` are ``covered``, not behind them."""
    centre = seen_point(sphere[0], sphere[1], sphere[2], eye, rotation)
    radius = sphere[3]
    depth = -centre[2]
    if not sphere_in_view(centre[0], centre[1], depth, radius, tangents):
        return False
    nearest = depth - radius
    if not covered or nearest <= NEAR_M:
        return True
    left, right = axis_span(centre[0], radius, nearest, depth + radius, tangents[0], width)
    top, bottom = axis_span(-centre[1], radius, nearest, depth + radius, tangents[1], height)
    return not hidden(tiles, top, bottom, left, right, nearest)


@compiled
def seen_point(x, y, z, eye, rotation):  # type: ignore[no-untyped-def]
    """Return a point in the camera's frame."""
    dx = x - eye[0]
    dy = y - eye[1]
    dz = z - eye[2]
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
    corners, planes, double_sided, chunk_start, chunk_sphere, occluders, eye, rotation, tangents,
    column_x, column_z, row_y, nearness, visible, tiles, edges, slot_face,
):  # fmt: skip
    """Draw all triangles into a pinhole's visibility buffer; return how many slots were used.

    The first ``occluders`` chunks are drawn outright. ``visible`` [H, W] receives slots (-1: nothing), ``slot_face``
    the face of a slot, ``edges`` its edge functions.
    """
    nearness[:] = 0.0
    visible[:] = -1
    height, width = visible.shape
    slot = 0
    for chunk in range(chunk_sphere.shape[0]):
        if chunk == occluders:
            cover_tiles(nearness, tiles)
        if not chunk_shows(chunk_sphere[chunk], eye, rotation, tangents, height, width, tiles, chunk >= occluders):
            continue
        for face in range(chunk_start[chunk], chunk_start[chunk + 1]):
            sign = facing(planes, double_sided, face, eye)
            if sign == 0.0:
                continue
            p = seen_point(corners[face, 0], corners[face, 1], corners[face, 2], eye, rotation)
            q = seen_point(corners[face, 3], corners[face, 4], corners[face, 5], eye, rotation)
            r = seen_point(corners[face, 6], corners[face, 7], corners[face, 8], eye, rotation)
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
