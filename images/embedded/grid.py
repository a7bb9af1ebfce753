"""The loops of navigation: covering a grid with triangles, walking along lines, pulling paths tight, and the
shortest action sequence. Scalar arithmetic throughout: equal bits on every CPU.

Grids are [rows z, columns x]; ``frame`` is (origin x, origin z, cell) in metres.
"""

from __future__ import annotations

import numpy as np

from images.embedded.motion import walk_forward
from images.embedded.raster import compiled

MOVES = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1),
         (1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1), (-2, 1), (-1, 2))  # fmt: skip
"""(rows, columns) of the 16 directions of a grid path: its lengths are at most 2.8 % above the straight line."""

MOVE_CELLS = tuple(float(np.sqrt(rows * rows + columns * columns)) for rows, columns in MOVES)
"""Lengths of the moves in cells."""

_TOUCH_M = 1e-6
_HEADINGS = 16


@compiled
def clip_height(points, count, level, sign, clipped):  # type: ignore[no-untyped-def]
    """Cut a polygon [n, 3] to sign * (y - level) >= 0; return the number of points written to ``clipped``."""
    kept = 0
    for index in range(count):
        start = points[index]
        end = points[(index + 1) % count]
        start_side = sign * (start[1] - level)
        end_side = sign * (end[1] - level)
        if start_side >= 0.0:
            clipped[kept] = start
            kept += 1
        if (start_side >= 0.0) != (end_side >= 0.0):
            share = start_side / (start_side - end_side)
            for axis in range(3):
                clipped[kept, axis] = start[axis] + share * (end[axis] - start[axis])
            kept += 1
    return kept


@compiled
def separated(points, count, x, z, half):  # type: ignore[no-untyped-def]
    """Say whether a line along one side of a polygon parts it from the square around (x, z); touching is not parted."""
    for index in range(count):
        start = points[index]
        end = points[(index + 1) % count]
        normal_x = end[2] - start[2]
        normal_z = start[0] - end[0]
        length = np.sqrt(normal_x * normal_x + normal_z * normal_z)
        if length < 1e-9:
            continue
        low = 1e30
        high = -1e30
        for other in range(count):
            value = (points[other, 0] - x) * normal_x + (points[other, 2] - z) * normal_z
            low = min(low, value)
            high = max(high, value)
        reach = half * (abs(normal_x) + abs(normal_z)) + _TOUCH_M * length
        if low > reach or high < -reach:
            return True
    return False


@compiled
def mark_polygon(points, count, frame, marked):  # type: ignore[no-untyped-def]
    """Mark every cell that a polygon touches, seen from above."""
    cell = frame[2]
    low_x = high_x = points[0, 0]
    low_z = high_z = points[0, 2]
    for index in range(1, count):
        low_x = min(low_x, points[index, 0])
        high_x = max(high_x, points[index, 0])
        low_z = min(low_z, points[index, 2])
        high_z = max(high_z, points[index, 2])
    first_column = max(int(np.floor((low_x - _TOUCH_M - frame[0]) / cell)), 0)
    last_column = min(int(np.floor((high_x + _TOUCH_M - frame[0]) / cell)), marked.shape[1] - 1)
    first_row = max(int(np.floor((low_z - _TOUCH_M - frame[1]) / cell)), 0)
    last_row = min(int(np.floor((high_z + _TOUCH_M - frame[1]) / cell)), marked.shape[0] - 1)
    for row in range(first_row, last_row + 1):
        for column in range(first_column, last_column + 1):
            if marked[row, column]:
                continue
            x = frame[0] + (column + 0.5) * cell
            z = frame[1] + (row + 0.5) * cell
            if not separated(points, count, x, z, 0.5 * cell):
                marked[row, column] = True


@compiled
def mark_obstacles(corners, low, high, frame, marked):  # type: ignore[no-untyped-def]
    """Mark every cell above which some part of a triangle [F, 3, 3] lies between the heights ``low`` and ``high``."""
    above = np.empty((8, 3))
    between = np.empty((8, 3))
    for face in range(corners.shape[0]):
        lowest = min(corners[face, 0, 1], corners[face, 1, 1], corners[face, 2, 1])
        highest = max(corners[face, 0, 1], corners[face, 1, 1], corners[face, 2, 1])
        if highest <= low or lowest >= high:
            continue
        count = clip_height(corners[face], 3, low, 1.0, above)
        count = clip_height(above, count, high, -1.0, between)
        if count > 0:
            mark_polygon(between, count, frame, marked)


@compiled
def mark_floor(corners, tallest, frame, marked):  # type: ignore[no-untyped-def]
    """Mark every cell whose centre lies over an upward triangle within ``tallest`` of the height 0."""
    cell = frame[2]
    for face in range(corners.shape[0]):
        a, b, c = corners[face, 0], corners[face, 1], corners[face, 2]
        if max(abs(a[1]), abs(b[1]), abs(c[1])) > tallest:
            continue
        area = (b[2] - a[2]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[2] - a[2])
        if area <= 1e-12:
            continue
        first_column = max(int(np.floor((min(a[0], b[0], c[0]) - frame[0]) / cell)), 0)
        last_column = min(int(np.floor((max(a[0], b[0], c[0]) - frame[0]) / cell)), marked.shape[1] - 1)
        first_row = max(int(np.floor((min(a[2], b[2], c[2]) - frame[1]) / cell)), 0)
        last_row = min(int(np.floor((max(a[2], b[2], c[2]) - frame[1]) / cell)), marked.shape[0] - 1)
        for row in range(first_row, last_row + 1):
            z = frame[1] + (row + 0.5) * cell
            for column in range(first_column, last_column + 1):
                x = frame[0] + (column + 0.5) * cell
                first = (b[2] - a[2]) * (x - a[0]) - (b[0] - a[0]) * (z - a[2])
                second = (c[2] - b[2]) * (x - b[0]) - (c[0] - b[0]) * (z - b[2])
                third = (a[2] - c[2]) * (x - c[0]) - (a[0] - c[0]) * (z - c[2])
                if first >= -1e-9 and second >= -1e-9 and third >= -1e-9:
                    marked[row, column] = True


@compiled
def line_is_clear(walkable, frame, x0, z0, x1, z1):  # type: ignore[no-untyped-def]
    """Say whether every cell under the segment is walkable (grid traversal of Amanatides and Woo 1987)."""
    x = (x0 - frame[0]) / frame[2]
    z = (z0 - frame[1]) / frame[2]
    dx = (x1 - frame[0]) / frame[2] - x
    dz = (z1 - frame[1]) / frame[2] - z
    column = int(np.floor(x))
    row = int(np.floor(z))
    steps_x = abs(int(np.floor(x + dx)) - column)
    steps_z = abs(int(np.floor(z + dz)) - row)
    way_x = 1 if dx > 0.0 else -1
    way_z = 1 if dz > 0.0 else -1
    cost_x = 1.0 / abs(dx) if dx != 0.0 else 1e30
    cost_z = 1.0 / abs(dz) if dz != 0.0 else 1e30
    next_x = ((column + 1 - x) if dx > 0.0 else (x - column)) * cost_x
    next_z = ((row + 1 - z) if dz > 0.0 else (z - row)) * cost_z
    if not walkable[row, column]:
        return False
    while steps_x > 0 or steps_z > 0:
        if steps_z == 0 or (steps_x > 0 and next_x <= next_z):
            column += way_x
            next_x += cost_x
            steps_x -= 1
        else:
            row += way_z
            next_z += cost_z
            steps_z -= 1
        if not walkable[row, column]:
            return False
    return True


@compiled
def move_is_clear(walkable, row, column, rows, columns):  # type: ignore[no-untyped-def]
    """Say whether a grid move ends in the grid and passes over walkable cells alone."""
    to_row = row + rows
    to_column = column + columns
    if to_row < 0 or to_column < 0 or to_row >= walkable.shape[0] or to_column >= walkable.shape[1]:
        return False
    if not walkable[to_row, to_column]:
        return False
    if abs(rows) + abs(columns) == 1:
        return True
    if abs(rows) == abs(columns):
        return walkable[row, to_column] and walkable[to_row, column]
    half_row = int(rows / 2)
    half_column = int(columns / 2)
    return walkable[row + half_row, column + half_column] and walkable[to_row - half_row, to_column - half_column]


@compiled
def grid_edges(walkable, sources, targets, lengths):  # type: ignore[no-untyped-def]
    """Write every clear move between walkable cells (flat indices, lengths in cells); return how many there are."""
    count = 0
    height, width = walkable.shape
    for row in range(height):
        for column in range(width):
            if not walkable[row, column]:
                continue
            for move in range(_HEADINGS):
                rows, columns = MOVES[move]
                if move_is_clear(walkable, row, column, rows, columns):
                    sources[count] = row * width + column
                    targets[count] = (row + rows) * width + column + columns
                    lengths[count] = MOVE_CELLS[move]
                    count += 1
    return count


@compiled
def descend(walkable, field, frame, x, z, goal_x, goal_z, points):  # type: ignore[no-untyped-def]
    """Write the grid path from (x, z) down the distance field to the goal as points [n, 2]; return their number.

    Both ends are the exact positions; between them lie cell centres. The field must be finite at the start.
    """
    points[0] = (x, z)
    count = 1
    column = int(np.floor((x - frame[0]) / frame[2]))
    row = int(np.floor((z - frame[1]) / frame[2]))
    while field[row, column] > 0.0:
        best = 1e30
        best_row, best_column = row, column
        for move in range(_HEADINGS):
            rows, columns = MOVES[move]
            if not move_is_clear(walkable, row, column, rows, columns):
                continue
            length = field[row + rows, column + columns] + MOVE_CELLS[move] * frame[2]
            if length < best:
                best = length
                best_row, best_column = row + rows, column + columns
        row, column = best_row, best_column
        points[count] = (frame[0] + (column + 0.5) * frame[2], frame[1] + (row + 0.5) * frame[2])
        count += 1
    points[count] = (goal_x, goal_z)
    return count + 1


@compiled
def pull_path(walkable, frame, points, count):  # type: ignore[no-untyped-def]
    """Shorten a path in place to the corners it needs; return (number of points, length in metres)."""
    kept = 1
    length = 0.0
    for index in range(1, count):
        last = index == count - 1
        if not last and line_is_clear(
            walkable, frame, points[kept - 1, 0], points[kept - 1, 1], points[index + 1, 0], points[index + 1, 1]
        ):
            continue
        dx = points[index, 0] - points[kept - 1, 0]
        dz = points[index, 1] - points[kept - 1, 1]
        length += np.sqrt(dx * dx + dz * dz)
        points[kept, 0] = points[index, 0]
        points[kept, 1] = points[index, 1]
        kept += 1
    return kept, length


@compiled
def walking_distance(walkable, field, frame, x, z, goal_x, goal_z, points):  # type: ignore[no-untyped-def]
    """Return (number of corner points, metres) of the tight path from (x, z) to the goal of ``field``."""
    if line_is_clear(walkable, frame, x, z, goal_x, goal_z):
        points[0] = (x, z)
        points[1] = (goal_x, goal_z)
        return 2, np.sqrt((goal_x - x) * (goal_x - x) + (goal_z - z) * (goal_z - z))
    count = descend(walkable, field, frame, x, z, goal_x, goal_z, points)
    return pull_path(walkable, frame, points, count)


@compiled
def solved_at(walkable, field, frame, x, z, goal_x, goal_z, radius, points):  # type: ignore[no-untyped-def]
    """Say whether (x, z) is within ``radius`` metres of walking; the field rules most positions out at once."""
    column = int(np.floor((x - frame[0]) / frame[2]))
    row = int(np.floor((z - frame[1]) / frame[2]))
    if field[row, column] * 0.9 - 2.0 * frame[2] > radius:
        return False
    _, length = walking_distance(walkable, field, frame, x, z, goal_x, goal_z, points)
    return length <= radius


@compiled
def shortest_actions(  # type: ignore[no-untyped-def]
    walkable, field, frame, x, z, heading, directions, goal_x, goal_z, radius
):  # fmt: skip
    """Return the length of a shortest sequence of forwards and turns to within ``radius`` of the goal; -1 for none.

    Breadth-first search over exact motion (sliding included). States in one cell with one heading count as one: the
    first found stands for all, so the answer is always a real sequence and at most a little longer than the shortest.
    """
    height, width = walkable.shape
    points = np.empty((height * width + 2, 2))
    if solved_at(walkable, field, frame, x, z, goal_x, goal_z, radius, points):
        return 0
    seen = np.zeros((height, width, _HEADINGS), np.bool_)
    states = np.empty((height * width * _HEADINGS + 1, 2))
    headings = np.empty(height * width * _HEADINGS + 1, np.int64)
    states[0, 0] = x
    states[0, 1] = z
    headings[0] = heading
    seen[int(np.floor((z - frame[1]) / frame[2])), int(np.floor((x - frame[0]) / frame[2])), heading] = True
    head, tail, layer_end, depth = 0, 1, 1, 1
    while head < tail:
        if head == layer_end:
            layer_end = tail
            depth += 1
        for action in range(3):
            here_x = states[head, 0]
            here_z = states[head, 1]
            turned = headings[head]
            if action == 0:
                here_x, here_z, _ = walk_forward(
                    walkable, frame[0], frame[1], frame[2], here_x, here_z, directions[turned, 0], directions[turned, 1]
                )
            else:
                turned = (turned + (1 if action == 1 else _HEADINGS - 1)) % _HEADINGS
            row = int(np.floor((here_z - frame[1]) / frame[2]))
            column = int(np.floor((here_x - frame[0]) / frame[2]))
            if seen[row, column, turned]:
                continue
            if action == 0 and solved_at(walkable, field, frame, here_x, here_z, goal_x, goal_z, radius, points):
                return depth
            seen[row, column, turned] = True
            states[tail, 0] = here_x
            states[tail, 1] = here_z
            headings[tail] = turned
            tail += 1
        head += 1
    return -1
