"""Which triangles a full-sphere panorama sees: the rows and columns to try for each triangle.

Spans come from a quick arctangent with a margin; they only bound the search, so their last bits decide nothing.
"""

from __future__ import annotations

import numpy as np

from images.embedded.raster import BOUND_MARGIN_PX, compiled, cover_tiles, facing, fill, hidden, store_triangle

_ANGLE_SCALE = 0.15915494309189535  # 1 / (2 pi)


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
def elevation_span(lowest, highest, nearest, farthest, height):  # type: ignore[no-untyped-def]
    """Return the first and last row of what lies between two heights and two horizontal distances of the eye."""
    upper = quick_angle(highest, nearest if highest > 0.0 else farthest)
    lower = quick_angle(lowest, nearest if lowest < 0.0 else farthest)
    top = np.floor((0.5 - upper * 2.0 * _ANGLE_SCALE) * height - 0.5 - BOUND_MARGIN_PX) + 1.0
    bottom = np.floor((0.5 - lower * 2.0 * _ANGLE_SCALE) * height - 0.5 + BOUND_MARGIN_PX)
    return max(int(top), 0), min(int(bottom), height - 1)


@compiled
def row_span(p, q, r, surrounds, height):  # type: ignore[no-untyped-def]
    """Return the first and last row of a panorama that a triangle may touch."""
    nearest = 0.0
    if not surrounds:
        nearest = np.sqrt(min(segment_distance2(p, q), segment_distance2(q, r), segment_distance2(r, p)))
    farthest = np.sqrt(max(p[0] * p[0] + p[2] * p[2], q[0] * q[0] + q[2] * q[2], r[0] * r[0] + r[2] * r[2]))
    return elevation_span(min(p[1], q[1], r[1]), max(p[1], q[1], r[1]), nearest, farthest, height)


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
    first = int(np.floor((0.5 - high * _ANGLE_SCALE) * width - 0.5 - BOUND_MARGIN_PX)) + 1
    last = int(np.floor((0.5 - low * _ANGLE_SCALE) * width - 0.5 + BOUND_MARGIN_PX))
    turns = int(np.floor(first / width)) * width
    return first - turns, last - turns


@compiled
def chunk_hidden(sphere, eye, centre_angle, height, width, tiles):  # type: ignore[no-untyped-def]
    """Say whether a bounding sphere lies wholly behind what the tiles cover.

    It is seen under a half angle of asin(radius / distance) <= pi / 2 * radius / distance.
    """
    dx = sphere[0] - eye[0]
    dy = sphere[1] - eye[1]
    dz = sphere[2] - eye[2]
    radius = sphere[3]
    distance = np.sqrt(dx * dx + dz * dz)
    nearest = distance - radius
    if nearest <= radius:
        return False
    top, bottom = elevation_span(dy - radius, dy + radius, nearest, distance + radius, height)
    middle = (0.5 - (quick_angle(-dx, -dz) - centre_angle) * _ANGLE_SCALE) * width - 0.5
    reach = 0.25 * radius / distance * width + 1.0
    turns = int(np.floor((middle - reach) / width)) * width
    left = int(np.floor(middle - reach)) - turns
    right = int(np.floor(middle + reach)) + 1 - turns
    return hidden(tiles, top, bottom, left, right, nearest)


@compiled
def draw_panorama(  # type: ignore[no-untyped-def]
    corners, planes, double_sided, chunk_start, chunk_sphere, occluders, eye, centre_angle,
    column_x, column_z, row_y, nearness, visible, tiles, edges, slot_face,
):  # fmt: skip
    """Draw all triangles into an equirectangular visibility buffer; return how many slots were used.

    ``centre_angle`` (radians) is where the centre column looks. The rest is as in ``draw_pinhole``.
    """
    nearness[:] = 0.0
    visible[:] = -1
    height, width = visible.shape
    slot = 0
    for chunk in range(chunk_sphere.shape[0]):
        if chunk == occluders:
            cover_tiles(nearness, tiles)
        if chunk >= occluders and chunk_hidden(chunk_sphere[chunk], eye, centre_angle, height, width, tiles):
            continue
        for face in range(chunk_start[chunk], chunk_start[chunk + 1]):
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
            last = min(right, width - 1)
            fill(edges, slot, top, bottom, left, last, column_x, column_z, row_y, 1e30, nearness, visible)
            if right >= width:
                fill(edges, slot, top, bottom, 0, right - width, column_x, column_z, row_y, 1e30, nearness, visible)
            slot += 1
    return slot
