"""Distances over maps: exact sums of moves, symmetric, and never through walls."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from harness.collecting.distance_fields import FAR, Ways, best_heading, halved
from harness.collecting.policies import _forward_steps
from tests.collecting.toy import two_rooms

MAPS = hnp.arrays(
    np.bool_, st.tuples(st.integers(3, 14), st.integers(3, 14)), elements=st.sampled_from((True, True, False))
)


@given(MAPS)
@settings(max_examples=60, deadline=None)
def test_a_field_is_finite_exactly_on_the_part_it_starts_in(walkable: npt.NDArray[np.bool_]) -> None:
    parts, _ = ndimage.label(walkable)
    for row, column in np.argwhere(walkable)[:2].tolist():
        field = Ways.of(walkable, 50).field(row, column)
        assert field[row, column] == 0
        np.testing.assert_array_equal(field < FAR, parts == parts[row, column])


@given(MAPS)
@settings(max_examples=40, deadline=None)
def test_distances_are_symmetric_and_keep_the_triangle_inequality(walkable: npt.NDArray[np.bool_]) -> None:
    cells = np.argwhere(walkable)[:6]
    assume(len(cells))
    distances = Ways.of(walkable, 50).between(cells).astype(np.int64)
    np.testing.assert_array_equal(distances, distances.T)
    through = (distances[:, :, None] + distances[None, :, :]).min(axis=1)
    assert (through >= np.minimum(distances, FAR)).all()


def test_a_straight_way_costs_its_length_and_a_diagonal_at_most_three_percent_more() -> None:
    field = Ways.of(np.ones((60, 60), np.bool_), 50).field(0, 0)
    assert field[0, 40] == 2000
    rows, columns = np.mgrid[5:60, 5:60]
    straight = 50.0 * np.sqrt(rows * rows + columns * columns)
    ratio = field[5:60, 5:60] / straight
    assert ratio.min() > 0.995 and ratio.max() < 1.03


@given(MAPS)
@settings(max_examples=40, deadline=None)
def test_a_halved_map_is_walkable_where_any_of_four_cells_is(walkable: npt.NDArray[np.bool_]) -> None:
    coarse = halved(walkable)
    for row, column in np.ndindex(coarse.shape):
        assert coarse[row, column] == walkable[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].any()


def test_the_best_heading_leads_through_the_doorway() -> None:
    walkable = two_rooms()
    field = Ways.of(walkable, 50).field(60, 150)
    steps = _forward_steps(0.05)
    for row, column in ((20, 20), (60, 20), (100, 60)):
        place = np.array((row + 0.5, column + 0.5))
        heading = best_heading(walkable, field, place, 0, steps, 200)
        end = np.floor(place + steps[heading]).astype(int)
        assert field[end[0], end[1]] < field[row, column] - 150


def test_no_heading_is_free_where_the_body_is_hemmed_in() -> None:
    walkable = np.zeros((9, 9), np.bool_)
    walkable[4, 4] = True
    field = Ways.of(walkable, 50).field(4, 4)
    assert best_heading(walkable, field, np.array((4.5, 4.5)), 3, _forward_steps(0.05), 200) == -1
