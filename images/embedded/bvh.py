"""A bounding volume hierarchy over triangles, for the light bake.

Embree would be faster, but its distances differ between CPUs, and baked light enters the hash of every
episode. Here everything is scalar float64 arithmetic in one fixed order, compiled without fastmath.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.kernels import compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

LEAF = 4
BINS = 8
_STACK = 64
NO_HIT = -1
NEVER = np.float64(1e30)


class Tree(NamedTuple):
    """Nodes and triangles in the order of the leaves.

    ``bounds`` [N, 6] min and max corner; ``links`` [N, 2]: (first child, 0) or (first triangle, count);
    the second child follows the first. ``corners`` [F, 9]: a corner and two edges; ``order`` [F] triangle numbers.
    """

    bounds: Floats
    links: Ints
    corners: Floats
    order: Ints


@compiled
def _clear(box: Floats) -> None:
    for axis in range(3):
        box[axis], box[axis + 3] = 1e30, -1e30


@compiled
def _fill_bounds(boxes: Floats, order: Ints, start: int, end: int, out: Floats) -> None:
    _clear(out)
    for k in range(start, end):
        for axis in range(3):
            out[axis] = min(out[axis], boxes[order[k], axis])
            out[axis + 3] = max(out[axis + 3], boxes[order[k], axis + 3])


@compiled
def _half_area(box: Floats) -> np.float64:
    x, y, z = box[3] - box[0], box[4] - box[1], box[5] - box[2]
    area: np.float64 = x * y + y * z + z * x
    return area


@compiled
def _best_split(boxes: Floats, order: Ints, start: int, end: int) -> Tuple[int, float]:
    """Return (axis, position) of the cheapest of eight planes on the longest axis; axis -1 if none helps."""
    low, high = np.empty(3), np.empty(3)
    for axis in range(3):
        low[axis], high[axis] = 1e30, -1e30
    for k in range(start, end):
        for axis in range(3):
            middle = boxes[order[k], axis] + boxes[order[k], axis + 3]
            low[axis], high[axis] = min(low[axis], middle), max(high[axis], middle)
    axis = 0
    for other in range(1, 3):
        if high[other] - low[other] > high[axis] - low[axis]:
            axis = other
    extent = high[axis] - low[axis]
    if extent <= 1e-9:
        return -1, 0.0
    counts = np.empty(BINS, np.int64)
    bins = np.empty((BINS, 6))
    for b in range(BINS):
        counts[b] = 0
        _clear(bins[b])
    for k in range(start, end):
        triangle = order[k]
        middle = boxes[triangle, axis] + boxes[triangle, axis + 3]
        b = min(BINS - 1, int((middle - low[axis]) / extent * BINS))
        counts[b] += 1
        for a in range(3):
            bins[b, a] = min(bins[b, a], boxes[triangle, a])
            bins[b, a + 3] = max(bins[b, a + 3], boxes[triangle, a + 3])
    box = np.empty(6)
    best, best_cost = -1, 1e30
    for cut in range(1, BINS):
        cost = 0.0
        for first, last in ((0, cut), (cut, BINS)):
            _clear(box)
            total = 0
            for b in range(first, last):
                total += counts[b]
                for a in range(3):
                    box[a], box[a + 3] = min(box[a], bins[b, a]), max(box[a + 3], bins[b, a + 3])
            cost += total * _half_area(box) if total > 0 else 1e30
        if cost < best_cost:
            best, best_cost = cut, cost
    return axis, low[axis] + extent * best / BINS


@compiled
def _build(boxes: Floats, order: Ints, bounds: Floats, links: Ints) -> int:
    stack = np.empty((2 * _STACK, 3), np.int64)
    stack[0, 0], stack[0, 1], stack[0, 2] = 0, 0, len(order)
    top, nodes = 1, 1
    while top > 0:
        top -= 1
        node, start, end = stack[top, 0], stack[top, 1], stack[top, 2]
        _fill_bounds(boxes, order, start, end, bounds[node])
        axis = -1
        if end - start > LEAF and top < 2 * _STACK - 2:
            axis, position = _best_split(boxes, order, start, end)
        if axis < 0:
            links[node, 0], links[node, 1] = start, end - start
            continue
        i, j = start, end - 1
        while i <= j:
            if boxes[order[i], axis] + boxes[order[i], axis + 3] < position:
                i += 1
            else:
                order[i], order[j] = order[j], order[i]
                j -= 1
        if i in (start, end):
            i = (start + end) // 2
        links[node, 0], links[node, 1] = nodes, 0
        stack[top, 0], stack[top, 1], stack[top, 2] = nodes, start, i
        stack[top + 1, 0], stack[top + 1, 1], stack[top + 1, 2] = nodes + 1, i, end
        top += 2
        nodes += 2
    return nodes


def build_tree(positions: Floats, faces: Ints) -> Tree:
    """Build a hierarchy over triangles: ``positions`` [V, 3] float64, ``faces`` [F, 3]."""
    corners = positions[faces]
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    order = np.arange(len(faces), dtype=np.int32)
    bounds = np.empty((2 * len(faces) + 1, 6))
    links = np.empty((2 * len(faces) + 1, 2), np.int32)
    count = _build(boxes, order, bounds, links)
    sorted_corners = corners[order]
    table = np.empty((len(faces), 9))
    table[:, 0:3] = sorted_corners[:, 0]
    table[:, 3:6] = sorted_corners[:, 1] - sorted_corners[:, 0]
    table[:, 6:9] = sorted_corners[:, 2] - sorted_corners[:, 0]
    return Tree(bounds[:count].copy(), links[:count].copy(), table, order)


@compiled
def _enters(
    bounds: Floats, node: int, ox: float, oy: float, oz: float, ix: float, iy: float, iz: float, limit: float
) -> np.float64:
    """Return the distance at which a ray enters a box, or 1e30."""
    a, b = (bounds[node, 0] - ox) * ix, (bounds[node, 3] - ox) * ix
    near, far = min(a, b), max(a, b)
    a, b = (bounds[node, 1] - oy) * iy, (bounds[node, 4] - oy) * iy
    near, far = max(near, min(a, b)), min(far, max(a, b))
    a, b = (bounds[node, 2] - oz) * iz, (bounds[node, 5] - oz) * iz
    near, far = max(near, min(a, b)), min(far, max(a, b))
    entry: np.float64 = near
    if far < 0.0 or near > far or near > limit:
        return NEVER
    return entry


@compiled
def trace(
    tree: Tree, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, limit: float, any_hit: bool
) -> Tuple[int, float, float, float]:
    """Follow a ray; return (place in the tree's order or -1, distance, barycentric u, v).

    With ``any_hit`` the first triangle found before ``limit`` ends the search (shadow rays).
    """
    tiny = 1e-12
    ix = 1.0 / (dx if abs(dx) > tiny else tiny)
    iy = 1.0 / (dy if abs(dy) > tiny else tiny)
    iz = 1.0 / (dz if abs(dz) > tiny else tiny)
    stack = np.empty(2 * _STACK, np.int32)
    stack[0] = 0
    top = 1
    hit, hit_u, hit_v = NO_HIT, 0.0, 0.0
    while top > 0:
        top -= 1
        node = stack[top]
        if _enters(tree.bounds, node, ox, oy, oz, ix, iy, iz, limit) >= 1e30:
            continue
        first, count = tree.links[node, 0], tree.links[node, 1]
        if count == 0:
            near_left = _enters(tree.bounds, first, ox, oy, oz, ix, iy, iz, limit)
            near_right = _enters(tree.bounds, first + 1, ox, oy, oz, ix, iy, iz, limit)
            if near_left <= near_right:
                if near_right < 1e30:
                    stack[top] = first + 1
                    top += 1
                if near_left < 1e30:
                    stack[top] = first
                    top += 1
            else:
                if near_left < 1e30:
                    stack[top] = first
                    top += 1
                stack[top] = first + 1
                top += 1
            continue
        for k in range(first, first + count):
            c = tree.corners[k]
            px, py, pz = dy * c[8] - dz * c[7], dz * c[6] - dx * c[8], dx * c[7] - dy * c[6]
            determinant = c[3] * px + c[4] * py + c[5] * pz
            if abs(determinant) < 1e-14:
                continue
            inverse = 1.0 / determinant
            tx, ty, tz = ox - c[0], oy - c[1], oz - c[2]
            u = (tx * px + ty * py + tz * pz) * inverse
            if u < 0.0 or u > 1.0:
                continue
            qx, qy, qz = ty * c[5] - tz * c[4], tz * c[3] - tx * c[5], tx * c[4] - ty * c[3]
            v = (dx * qx + dy * qy + dz * qz) * inverse
            if v < 0.0 or u + v > 1.0:
                continue
            t = (c[6] * qx + c[7] * qy + c[8] * qz) * inverse
            if 1e-5 < t < limit:
                hit, limit, hit_u, hit_v = k, t, u, v
                if any_hit:
                    return hit, limit, hit_u, hit_v
    return hit, limit, hit_u, hit_v
