"""Distances over a walkable map in whole millimetres, and the heading that leads down them.

Integers make every sum exact, so the same map gives the same walk on every machine. The moves are the 16 directions
of a knight's and a king's step: lengths are at most 2.8 % above the straight line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.kernels import compiled

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


@dataclass(frozen=True, eq=False)
class Ways:
    """The clear moves between the walkable cells of a map, so that many fields are filled from one look at it.

    Cells are numbered row by row; the moves from cell i are ``targets`` and ``lengths`` (millimetres) from
    ``starts[i]`` to ``starts[i + 1]``.
    """

    shape: Tuple[int, int]
    starts: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    @classmethod
    def of(cls, walkable: Walkable, cell_mm: int) -> Ways:
        """Return the moves over a map whose cells have sides of ``cell_mm``."""
        squares = np.array([rows * rows + columns * columns for rows, columns in _MOVES.tolist()], np.float64)
        sizes = np.rint(np.sqrt(squares) * cell_mm).astype(np.int64)
        most = int(walkable.sum()) * len(_MOVES)
        starts = np.zeros(walkable.size + 1, np.int64)
        targets, lengths = np.empty(most, np.int64), np.empty(most, np.int64)
        count = _list_moves(walkable, _MOVES, sizes, starts, targets, lengths)
        rows, columns = walkable.shape
        return cls((rows, columns), starts, targets[:count], lengths[:count])

    def field(self, row: int, column: int) -> Field:
        """Return the distance in millimetres of every cell [rows, columns] to one cell; `FAR` where there is no way."""
        flat = np.empty(self.shape[0] * self.shape[1], np.int32)
        _fill(self.starts, self.targets, self.lengths, row * self.shape[1] + column, flat)
        return flat.reshape(self.shape)

    def between(self, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the distances [n, n] in millimetres between cells [n, 2] (row, column); a cell may come twice."""
        numbers, places = np.unique(cells[:, 0] * self.shape[1] + cells[:, 1], return_inverse=True)
        distances = np.empty((len(numbers), len(numbers)), np.int32)
        _fill_between(self.starts, self.targets, self.lengths, numbers, self.shape[0] * self.shape[1], distances)
        found: npt.NDArray[np.int32] = distances[np.ix_(places, places)]
        return found


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


@compiled
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


@compiled
def _list_moves(walkable, moves, sizes, starts, targets, lengths):  # type: ignore[no-untyped-def]
    """List the clear moves of every cell; return how many there are."""
    height, width = walkable.shape
    count = 0
    for row in range(height):
        for column in range(width):
            if walkable[row, column]:
                for move in range(moves.shape[0]):
                    rows, columns = moves[move, 0], moves[move, 1]
                    if _clear(walkable, row, column, rows, columns):
                        targets[count] = (row + rows) * width + column + columns
                        lengths[count] = sizes[move]
                        count += 1
            starts[row * width + column + 1] = count
    return count


@compiled
def _fill(starts, targets, lengths, source, field):  # type: ignore[no-untyped-def]
    """Fill a distance field by buckets of one millimetre (Dial 1969): lengths are small whole numbers.

    A bucket is a linked list of entries; a cell that was reached again by a shorter way is skipped when it is due.
    """
    field[:] = FAR
    field[source] = 0
    ring = (lengths.max() if lengths.size else 0) + 1
    heads = np.full(ring, -1, np.int64)
    following = np.empty(targets.size + 1, np.int64)
    cells = np.empty(targets.size + 1, np.int64)
    cells[0], following[0], heads[0] = source, -1, 0
    used, waiting, distance = 1, 1, 0
    while waiting > 0:
        bucket = distance % ring
        while heads[bucket] >= 0:
            entry = heads[bucket]
            heads[bucket] = following[entry]
            waiting -= 1
            cell = cells[entry]
            if field[cell] != distance:
                continue
            for way in range(starts[cell], starts[cell + 1]):
                target = targets[way]
                reached = distance + lengths[way]
                if reached < field[target]:
                    field[target] = reached
                    cells[used] = target
                    following[used] = heads[reached % ring]
                    heads[reached % ring] = used
                    used += 1
                    waiting += 1
        distance += 1


@compiled
def _fill_between(starts, targets, lengths, numbers, size, distances):  # type: ignore[no-untyped-def]
    field = np.empty(size, np.int32)
    for first in range(numbers.size):
        _fill(starts, targets, lengths, numbers[first], field)
        for second in range(numbers.size):
            distances[first, second] = field[numbers[second]]


@compiled
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
