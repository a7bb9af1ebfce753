"""Light and colour of every pixel: Lambert and a highlight of one lamp with a soft shadow, and light from all around.

The lamp's shadow is a depth map that is drawn from the lamp; a second one, drawn from straight above and looked up
over a wide square, darkens what is near to things (ambient occlusion). Only IEEE operations in one order, and integer
blending of texels: equal bits on every CPU.
"""

from __future__ import annotations

import numpy as np

from images.embedded.raster import compiled
from images.embedded.shading import _LANE_BITS, _LANE_MASK, sample_texture

_SCALE = 0.95 / (255.0 * 255.0 * 8192.0 * 8192.0)
_LEAST_COSINE = 0.3
_LIFT_M = 0.004

BODY, OBJECT, TEXTURE, SURFACE = 0, 1, 2, 3
"""The columns of ``kinds`` [F, 4]: which pose, what the ids channel shows, which texture, which surface."""


@compiled
def place_faces(local, body, positions, rotations, corners, planes):  # type: ignore[no-untyped-def]
    """Write corners [F, 9] and planes [F, 4] of all triangles where their bodies are."""
    for face in range(local.shape[0]):
        r = rotations[body[face]]
        t = positions[body[face]]
        for k in range(3):
            x = local[face, 3 * k]
            y = local[face, 3 * k + 1]
            z = local[face, 3 * k + 2]
            for axis in range(3):
                corners[face, 3 * k + axis] = r[axis, 0] * x + r[axis, 1] * y + r[axis, 2] * z + t[axis]
        c = corners[face]
        ax, ay, az = c[3] - c[0], c[4] - c[1], c[5] - c[2]
        bx, by, bz = c[6] - c[0], c[7] - c[1], c[8] - c[2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        planes[face, 0] = nx
        planes[face, 1] = ny
        planes[face, 2] = nz
        planes[face, 3] = nx * c[0] + ny * c[1] + nz * c[2]


@compiled
def place_spheres(local, body, positions, rotations, spheres):  # type: ignore[no-untyped-def]
    """Write the bounding spheres [C, 4] of all chunks where their bodies are."""
    for chunk in range(local.shape[0]):
        r = rotations[body[chunk]]
        t = positions[body[chunk]]
        x, y, z = local[chunk, 0], local[chunk, 1], local[chunk, 2]
        for axis in range(3):
            spheres[chunk, axis] = r[axis, 0] * x + r[axis, 1] * y + r[axis, 2] * z + t[axis]
        spheres[chunk, 3] = local[chunk, 3]


@compiled
def lit_share(depth_map, lamp, x, y, z, spread, bias):  # type: ignore[no-untyped-def]
    """Return which share of a square of 3 x 3 cells of a depth map does not hide a point, softly at its rim.

    ``depth_map`` [S, S] holds one over the depth (0: nothing), a cell is ``spread`` of its texels wide; outside it
    everything is lit. Of the narrow square, where the four corners agree, the rest is taken to agree with them.
    ``lamp`` [5, 3]: where the map was drawn from, its rows right, up and back, and the tangent of half its view.
    """
    dx, dy, dz = x - lamp[0, 0], y - lamp[0, 1], z - lamp[0, 2]
    depth = -(lamp[3, 0] * dx + lamp[3, 1] * dy + lamp[3, 2] * dz)
    if depth < 0.1:
        return 1.0
    scale = 0.5 * depth_map.shape[0] / (depth * lamp[4, 0])
    seen_x = lamp[1, 0] * dx + lamp[1, 1] * dy + lamp[1, 2] * dz
    seen_y = lamp[2, 0] * dx + lamp[2, 1] * dy + lamp[2, 2] * dz
    column = 0.5 * depth_map.shape[0] - 0.5 - spread + seen_x * scale
    row = 0.5 * depth_map.shape[0] - 0.5 - spread - seen_y * scale
    left = int(np.floor(column))
    top = int(np.floor(row))
    reach = 3 * spread
    if left < 0 or top < 0 or left + reach >= depth_map.shape[0] or top + reach >= depth_map.shape[0]:
        return 1.0
    limit = np.float32(1.0 / (depth - bias))
    corners = 0
    for i in range(2):
        for j in range(2):
            corners += depth_map[top + i * reach, left + j * reach] <= limit
    if spread == 1 and (corners == 0 or corners == 4):
        return 0.25 * corners
    share_x = (column - left) / spread
    share_y = (row - top) / spread
    total = 0.0
    for i in range(4):
        line = depth_map[top + i * spread]
        across = 0.0
        if line[left] <= limit:
            across += 1.0 - share_x
        if line[left + spread] <= limit:
            across += 1.0
        if line[left + 2 * spread] <= limit:
            across += 1.0
        if line[left + reach] <= limit:
            across += share_x
        total += across * (1.0 - share_y if i == 0 else (share_y if i == 3 else 1.0))
    return total * (1.0 / 9.0)


@compiled
def toned(lane, tint, light, shine):  # type: ignore[no-untyped-def]
    """Return the display value of a texel under a tint, a light and a highlight: a soft shoulder, as at home."""
    linear = _SCALE * lane * lane * tint * light + shine
    return 255.0 * np.sqrt(linear * (1.0 + 0.15 * linear) / (0.75 + linear))


@compiled
def edge_sums(edges, slot, x, y):  # type: ignore[no-untyped-def]
    """Return the edge functions of a drawn triangle along the ray (x, y, -1)."""
    edge = edges[slot]
    return (
        edge[0] * x - edge[1] + edge[2] * y,
        edge[3] * x - edge[4] + edge[5] * y,
        edge[6] * x - edge[7] + edge[8] * y,
    )


@compiled
def normal_at(n, first, second, third, turn):  # type: ignore[no-untyped-def]
    """Return the unit normal in the world where the corners' normals (the first 9 of ``n``) have these shares."""
    lx = first * n[0] + second * n[3] + third * n[6]
    ly = first * n[1] + second * n[4] + third * n[7]
    lz = first * n[2] + second * n[5] + third * n[8]
    nx = turn[0, 0] * lx + turn[0, 1] * ly + turn[0, 2] * lz
    ny = turn[1, 0] * lx + turn[1, 1] * ly + turn[1, 2] * lz
    nz = turn[2, 0] * lx + turn[2, 1] * ly + turn[2, 2] * lz
    scale = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz)
    return nx * scale, ny * scale, nz * scale


@compiled
def colour(  # type: ignore[no-untyped-def]
    slot, x, y, pixel, edges, slot_face, eye, rotation, skin, kinds, rotations, texels, level_start, lamp, lamp_map,
    above, above_map,
):  # fmt: skip
    """Return red, green and blue (0-255, not rounded) of a drawn triangle along the ray (x, y, -1).

    ``pixel`` is the width of what is shaded at a distance of 1 m. ``skin`` and ``kinds`` are what `Painter` lays out.
    """
    edge0, edge1, edge2 = edge_sums(edges, slot, x, y)
    total = edge0 + edge1 + edge2
    inverse = 1.0 / total
    second = edge1 * inverse
    third = edge2 * inverse
    first = 1.0 - second - third
    distance = edges[slot, 9] * inverse
    face = slot_face[slot]
    n = skin[face]
    cosine = total / (n[16] * np.sqrt(x * x + y * y + 1.0))
    footprint = distance * pixel * n[15] / max(cosine, _LEAST_COSINE)
    u = n[9] + second * n[11] + third * n[13]
    v = n[10] + second * n[12] + third * n[14]
    lanes = sample_texture(texels[kinds[face, TEXTURE]], level_start, u, v, footprint)
    # Where it is, and which way it faces.
    rx = rotation[0, 0] * x + rotation[1, 0] * y - rotation[2, 0]
    ry = rotation[0, 1] * x + rotation[1, 1] * y - rotation[2, 1]
    rz = rotation[0, 2] * x + rotation[1, 2] * y - rotation[2, 2]
    px, py, pz = eye[0] + distance * rx, eye[1] + distance * ry, eye[2] + distance * rz
    nx, ny, nz = normal_at(n, first, second, third, rotations[kinds[face, BODY]])
    tx, ty, tz = px + _LIFT_M * nx, py + _LIFT_M * ny, pz + _LIFT_M * nz
    # The lamp.
    dx, dy, dz = lamp[0, 0] - px, lamp[0, 1] - py, lamp[0, 2] - pz
    scale = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
    dx, dy, dz = dx * scale, dy * scale, dz * scale
    facing = nx * dx + ny * dy + nz * dz
    key = 0.0
    shine = 0.0
    if facing > 0.0:
        share = lit_share(lamp_map, lamp, tx, ty, tz, 1, 0.008)
        key = facing * share
        scale = 1.0 / np.sqrt(rx * rx + ry * ry + rz * rz)
        hx, hy, hz = dx - rx * scale, dy - ry * scale, dz - rz * scale
        half = (nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz)
        if half > 0.0:
            power = half * half
            for _ in range(4):
                power *= power
            shine = 0.35 * n[20] * share * power
    # Light from all around: less of it near to things, more from above than from below.
    open_share = 0.45 + 0.55 * lit_share(above_map, above, tx, ty, tz, 5, 0.012)
    around = (0.40 + 0.16 * nz + 0.07 * nx) * open_share
    return (
        toned(lanes & _LANE_MASK, n[17], 1.02 * key + 0.97 * around, shine),
        toned((lanes >> _LANE_BITS) & _LANE_MASK, n[18], 0.99 * key + around, shine),
        toned(lanes >> (2 * _LANE_BITS), n[19], 0.93 * key + 1.06 * around, shine),
    )


@compiled
def shade_table(  # type: ignore[no-untyped-def]
    visible, column_x, row_y, pixel, edges, slot_face, eye, rotation, skin, kinds, rotations, texels, level_start,
    lamp, lamp_map, above, above_map, rgb, depth, ids,
):  # fmt: skip
    """Write RGB, planar depth and ids of an image whose visibility buffer has 2 x 2 samples a pixel.

    A pixel that shows one surface is shaded once, along its own middle; else each sample is, and the mean is taken.
    Depth is that of the last sample's triangle along the pixel's middle.
    """
    for row in range(rgb.shape[0]):
        middle_y = 0.5 * (row_y[2 * row] + row_y[2 * row + 1])
        for column in range(rgb.shape[1]):
            middle_x = 0.5 * (column_x[2 * column] + column_x[2 * column + 1])
            last = visible[2 * row + 1, 2 * column + 1]
            inner = last >= 0
            for k in range(3):
                slot = visible[2 * row + k // 2, 2 * column + k % 2]
                inner = inner and slot >= 0 and (kinds[slot_face[slot], SURFACE] == kinds[slot_face[last], SURFACE])
            red, green, blue = 0.0, 0.0, 0.0
            for k in range(3 if inner else 0, 4):
                slot = visible[2 * row + k // 2, 2 * column + k % 2]
                r, g, b = 200.0, 205.0, 210.0
                if slot >= 0:
                    x = middle_x if inner else column_x[2 * column + k % 2]
                    y = middle_y if inner else row_y[2 * row + k // 2]
                    r, g, b = colour(
                        slot, x, y, 2.0 * pixel if inner else pixel, edges, slot_face, eye, rotation, skin, kinds,
                        rotations, texels, level_start, lamp, lamp_map, above, above_map,
                    )  # fmt: skip
                red += r
                green += g
                blue += b
            share = 1.0 if inner else 0.25
            rgb[row, column, 0] = min(int(red * share + 0.5), 255)
            rgb[row, column, 1] = min(int(green * share + 0.5), 255)
            rgb[row, column, 2] = min(int(blue * share + 0.5), 255)
            depth[row, column] = 0.0
            ids[row, column] = 0
            if last >= 0:
                edge0, edge1, edge2 = edge_sums(edges, last, middle_x, middle_y)
                depth[row, column] = edges[last, 9] / (edge0 + edge1 + edge2)
                ids[row, column] = kinds[slot_face[last], OBJECT]
