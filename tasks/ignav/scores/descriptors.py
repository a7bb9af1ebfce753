"""What the classical score knows of one view: colour histograms and oriented gradients.

Colour histograms (64 bins: 4 levels a channel) in 2 x 4 cells and over the whole view say what is where; histograms of
oriented gradients (HOG, Dalal and Triggs 2005: 9 unsigned orientations, 8 x 8 cells, normalised over 3 x 3 neighbours)
say which edges. Vectors are scaled so that the scalar product of two is their similarity: the Bhattacharyya
coefficient for histograms, the cosine for HOG. Scalar arithmetic only: outcomes are hashed.
"""

from __future__ import annotations

import math

import numpy as np

from harness.contracts import portable
from harness.contracts.kernels import compiled

CELL_ROWS, CELL_COLUMNS, BINS = 2, 4, 64
GRID, ORIENTATIONS = 8, 9
CELLS_SIZE = CELL_ROWS * CELL_COLUMNS * BINS
HOG_SIZE = GRID * GRID * ORIENTATIONS

WEAKEST_EDGE = 6.0
"""Gradients below this (sum of channels, over two pixels) are noise of flat surfaces and count for nothing."""
EDGE_FLOOR = 200.0
"""Added to the norm of a neighbourhood, so that nearly empty ones stay faint instead of being blown up."""
CLIP = 0.3
"""Largest share of one orientation in its neighbourhood: one strong edge must not be the whole description."""

_ANGLES = 4096


def _orientation_table() -> np.ndarray:  # type: ignore[type-arg]
    """Return atan(t) / pi * 9 for t = 0 .. 1 in equal steps: positions in orientation bins.

    A table with linear interpolation is as exact as the bins need (error < 1e-7) and several times faster than an
    arctangent a pixel.
    """
    return np.array([portable.atan2(i / _ANGLES, 1.0) / portable.PI * ORIENTATIONS for i in range(_ANGLES + 2)])


ORIENTATION_TABLE = _orientation_table()


@compiled
def _orientation(gx, gy, at, table):  # type: ignore[no-untyped-def]
    """Return the unsigned direction of (gx, gy) as a position in 0..9 orientation bins.

    ``at`` is the smaller of both lengths over the larger, times `_ANGLES`.
    """
    index = np.uintp(at)  # indices without a sign are not looked at for being negative
    lower = table[index]
    position = lower + (table[index + np.uintp(1)] - lower) * (at - index)
    if abs(gy) > abs(gx):
        position = ORIENTATIONS * 0.5 - position
    if (gx < 0.0) != (gy < 0.0):
        position = ORIENTATIONS - position
    return position


@compiled
def colour_histograms(image, cells, whole):  # type: ignore[no-untyped-def]
    """Fill ``cells`` [2, 4, 64] and ``whole`` [64] from ``image`` float32 [C, C, 3]; C must divide by 4."""
    size = image.shape[0]
    cell_height, cell_width = size // CELL_ROWS, size // CELL_COLUMNS
    cells[:] = 0.0
    whole[:] = 0.0
    for y in range(size):
        for column in range(CELL_COLUMNS):
            cell = cells[y // cell_height, column]
            for x in range(column * cell_width, (column + 1) * cell_width):
                red = min(3, int(image[y, x, 0]) >> 6)
                green = min(3, int(image[y, x, 1]) >> 6)
                blue = min(3, int(image[y, x, 2]) >> 6)
                cell[np.uintp((red * 4 + green) * 4 + blue)] += 1.0
    for row in range(CELL_ROWS):
        for column in range(CELL_COLUMNS):
            for k in range(BINS):
                count = cells[row, column, k]
                whole[k] += count
                cells[row, column, k] = math.sqrt(count / (cell_height * cell_width * CELL_ROWS * CELL_COLUMNS))
    for k in range(BINS):
        whole[k] = math.sqrt(whole[k] / (size * size))


@compiled(error_model="numpy")
def _gradient_cells(image, table, grey, energy):  # type: ignore[no-untyped-def]
    """Sum gradient strengths into ``energy`` [8, 8, 9], shared linearly between neighbouring orientations.

    A row's roots and divisions come first, in a loop without a branch, which the compiler vectorises. What it divides
    by zero has no strength, and is not read.
    """
    size = image.shape[0]
    cell = size // GRID
    strengths, angles = np.empty(size, np.float32), np.empty(size, np.float64)
    energy[:] = 0.0
    for y in range(size):
        for x in range(size):
            grey[y, x] = image[y, x, 0] + image[y, x, 1] + image[y, x, 2]
    for y in range(1, size - 1):
        for x in range(1, size - 1):
            gx = grey[y, x + 1] - grey[y, x - 1]
            gy = grey[y + 1, x] - grey[y - 1, x]
            strengths[x] = math.sqrt(gx * gx + gy * gy)
            angles[x] = (min(abs(gx), abs(gy)) / max(abs(gx), abs(gy))) * _ANGLES
        for x in range(1, size - 1):
            strength = strengths[x]
            if strength < WEAKEST_EDGE:
                continue
            gx = grey[y, x + 1] - grey[y, x - 1]
            gy = grey[y + 1, x] - grey[y - 1, x]
            at = _orientation(gx, gy, angles[x], table) - 0.5
            lower = math.floor(at)
            share = at - lower
            bins = energy[y // cell, x // cell]
            bins[np.uintp(lower + ORIENTATIONS if lower < 0 else lower)] += strength * (1.0 - share)
            bins[np.uintp(lower + 1 if lower + 1 < ORIENTATIONS else 0)] += strength * share


@compiled
def _normalise_locally(energy, squares, hog):  # type: ignore[no-untyped-def]
    """Fill ``hog`` [8, 8, 9] with ``energy`` divided by the norm of the 3 x 3 cells around, clipped, at unit length."""
    for row in range(GRID):
        for column in range(GRID):
            total = 0.0
            for k in range(ORIENTATIONS):
                total += energy[row, column, k] * energy[row, column, k]
            squares[row, column] = total
    length = 0.0
    for row in range(GRID):
        for column in range(GRID):
            around = 0.0
            for i in range(max(0, row - 1), min(GRID, row + 2)):
                for j in range(max(0, column - 1), min(GRID, column + 2)):
                    around += squares[i, j]
            scale = 1.0 / (math.sqrt(around) + EDGE_FLOOR)
            for k in range(ORIENTATIONS):
                value = min(energy[row, column, k] * scale, CLIP)
                hog[row, column, k] = value
                length += value * value
    scale = 1.0 / math.sqrt(length + 1e-9)
    for row in range(GRID):
        for column in range(GRID):
            for k in range(ORIENTATIONS):
                hog[row, column, k] *= scale


@compiled
def describe(image, table, cells, whole, hog):  # type: ignore[no-untyped-def]
    """Fill the three descriptors of ``image`` float32 [C, C, 3]; C must be a multiple of 8."""
    size = image.shape[0]
    colour_histograms(image, cells, whole)
    energy = np.empty((GRID, GRID, ORIENTATIONS))
    _gradient_cells(image, table, np.empty((size, size), np.float32), energy)
    _normalise_locally(energy, np.empty((GRID, GRID)), hog)


@compiled
def dot(a, b):  # type: ignore[no-untyped-def]
    """Return the scalar product of two contiguous arrays of one shape, summed in order."""
    left, right = a.ravel(), b.ravel()
    total = 0.0
    for i in range(left.shape[0]):
        total += left[i] * right[i]
    return total
