"""Distances over a walkable map in whole millimetres, and the heading that leads down them.

Integers make every sum exact, so the same map gives the same walk on every machine. The moves are the 16 directions
of a knight's and a king's step: lengths are at most 2.8 % above the straight line.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

FAR = np.int32(2**30)
"""What a field says where no way leads."""

HEADINGS = 16
LOOK_AHEAD = 5
"""How many forwards a heading is judged by: one alone is as long as four cells, so rounding would decide."""

_MOVES = np.array(
    ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1),
     (1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1), (-2, 1), (-1, 2)), np.int64
)  # fmt: skip
_SUBSTEPS = 8
_TURN_MM = 30
"""What a turn counts beside the way itself, so that two ways of one length are not swapped at every step."""

Field = npt.NDArray[np.int32]
Walkable = npt.NDArray[np.bool_]


def move_lengths(cell_mm: int) -> npt.NDArray[np.int32]:
    """Return the length in millimetres of each move on a grid of ``cell_mm``."""
    squares = np.array([rows * rows + columns * columns for rows, columns in _MOVES.tolist()], np.float64)
    lengths: npt.NDArray[np.int32] = np.rint(np.sqrt(squares) * cell_mm).astype(np.int32)
    return lengths


def distance_field(walkable: Walkable, row: int, column: int, cell_mm: int) -> Field:
    """Return the distance in millimetres of every cell [rows, columns] to one cell; `FAR` where there is no way."""
    field: Field = np.empty(walkable.shape, np.int32)
    _fill(walkable, row, column, _MOVES, move_lengths(cell_mm), field)
    return field


def pairwise(walkable: Walkable, cells: npt.NDArray[np.int64], cell_mm: int) -> npt.NDArray[np.int32]:
    """Return the distances [n, n] in millimetres between cells [n, 2] (row, column)."""
    distances = np.empty((len(cells), len(cells)), np.int32)
    _fill_pairs(walkable, cells, _MOVES, move_lengths(cell_mm), distances)
    return distances


def halved(walkable: Walkable) -> Walkable:
    """Return the map with cells of twice the side, walkable where any of the four is.

    Walls part walkable areas by at least two radii of the body, so no way opens through one.
    """
    rows, columns = (-(-side // 2) for side in walkable.shape)
    padded = np.zeros((2 * rows, 2 * columns), np.bool_)
    padded[: walkable.shape[0], : walkable.shape[1]] = walkable
    blocks: Walkable = np.asarray(padded.reshape(rows, 2, columns, 2).any(axis=(1, 3)))
    return blocks


def best_heading(
    walkable: Walkable,
    field: Field,
    place: npt.NDArray[np.float64],
    heading: int,
    steps: npt.NDArray[np.float64],
    forward_mm: int,
) -> int:
    """Return the heading (0 to 15) to walk along, -1 where none is free.

    ``place`` is the body (row, column) in cells with fractions, ``steps`` [16, 2] one forward along each heading in
    cells. The best one has the shortest way in all: some forwards along it, then down the field, and its turns.
    """
    return int(_best_heading(walkable, field, place, heading, steps, forward_mm))


@numba.njit(cache=True)
def _clear(walkable, row, column, rows, columns):  # type: ignore[no-untyped-def]
    """Say whether a move ends in the grid and passes over walkable cells alone."""
    to_row = row + rows
    to_column = column + columns
    if to_row < 0 or to_column < 0 or to_row >= walkable.shape[0] or to_column >= walkable.shape[1]:
        return False
    if not walkable[to_row, to_column]:
        return False
    size = abs(rows) + abs(columns)
    if size == 1:
        return True
    if size == 2:
        return walkable[row, to_column] and walkable[to_row, column]
    half_row = int(rows / 2)
    half_column = int(columns / 2)
    return walkable[row + half_row, column + half_column] and walkable[to_row - half_row, to_column - half_column]


@numba.njit(cache=True)
def _fill(walkable, row, column, moves, lengths, field):  # type: ignore[no-untyped-def]
    """Fill a distance field by buckets of one millimetre (Dial 1969): lengths are small whole numbers."""
    height, width = walkable.shape
    field[:] = FAR
    ring = lengths.max() + 1
    heads = np.full(ring, -1, np.int64)
    capacity = 4 * height * width + 16
    following = np.empty(capacity, np.int64)
    cells = np.empty(capacity, np.int64)
    free = np.empty(capacity, np.int64)
    free_count = 0
    used = 1
    cells[0] = row * width + column
    following[0] = -1
    heads[0] = 0
    field[row, column] = 0
    waiting = 1
    distance = 0
    while waiting > 0:
        bucket = distance % ring
        while heads[bucket] >= 0:
            entry = heads[bucket]
            heads[bucket] = following[entry]
            free[free_count] = entry
            free_count += 1
            waiting -= 1
            at_row = cells[entry] // width
            at_column = cells[entry] % width
            if field[at_row, at_column] != distance:
                continue
            for move in range(moves.shape[0]):
                rows, columns = moves[move, 0], moves[move, 1]
                if not _clear(walkable, at_row, at_column, rows, columns):
                    continue
                reached = distance + lengths[move]
                if reached >= field[at_row + rows, at_column + columns]:
                    continue
                field[at_row + rows, at_column + columns] = reached
                if free_count > 0:
                    free_count -= 1
                    slot = free[free_count]
                else:
                    slot = used
                    used += 1
                cells[slot] = (at_row + rows) * width + at_column + columns
                target = reached % ring
                following[slot] = heads[target]
                heads[target] = slot
                waiting += 1
        distance += 1


@numba.njit(cache=True)
def _fill_pairs(walkable, cells, moves, lengths, distances):  # type: ignore[no-untyped-def]
    field = np.empty(walkable.shape, np.int32)
    for first in range(cells.shape[0]):
        _fill(walkable, cells[first, 0], cells[first, 1], moves, lengths, field)
        for second in range(cells.shape[0]):
            distances[first, second] = field[cells[second, 0], cells[second, 1]]


@numba.njit(cache=True)
def _best_heading(walkable, field, place, heading, steps, forward_mm):  # type: ignore[no-untyped-def]
    best = -1
    best_cost = np.int64(FAR)
    for turn in range(HEADINGS):
        turns = (turn + 1) // 2 if turn % 2 else turn // 2
        candidate = (heading + turns) % HEADINGS if turn % 2 else (heading - turns) % HEADINGS
        row, column = place[0], place[1]
        free = True
        for ahead in range(LOOK_AHEAD):
            for _ in range(_SUBSTEPS):
                row += steps[candidate, 0] / _SUBSTEPS
                column += steps[candidate, 1] / _SUBSTEPS
                at_row, at_column = int(np.floor(row)), int(np.floor(column))
                inside = 0 <= at_row < walkable.shape[0] and 0 <= at_column < walkable.shape[1]
                if not inside or not walkable[at_row, at_column]:
                    free = False
                    break
            if not free:
                break
            cost = np.int64(field[at_row, at_column]) + (ahead + 1) * forward_mm + turns * _TURN_MM
            if cost < best_cost:
                best_cost = cost
                best = candidate
    return best
