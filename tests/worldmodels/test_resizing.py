"""Resizing: exact means of areas."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.worldmodels.panorama import resize


def slow(rgb: np.ndarray, height: int, width: int) -> np.ndarray:  # type: ignore[type-arg]
    """Return the same by fractions, pixel by pixel."""

    def shares(length: int, size: int, index: int) -> list[tuple[int, Fraction]]:
        low, high = Fraction(index * length, size), Fraction((index + 1) * length, size)
        overlaps = ((k, min(high, Fraction(k + 1)) - max(low, Fraction(k))) for k in range(length))
        return [(k, overlap) for k, overlap in overlaps if overlap > 0]

    result = np.zeros((height, width, 3), np.uint8)
    area = Fraction(rgb.shape[0] * rgb.shape[1], height * width)
    for y in range(height):
        for x in range(width):
            for c in range(3):
                total = sum(
                    int(rgb[r, k, c]) * a * b
                    for r, a in shares(rgb.shape[0], height, y)
                    for k, b in shares(rgb.shape[1], width, x)
                )
                result[y, x, c] = (total / area + Fraction(1, 2)).__floor__()
    return result


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_every_pixel_is_the_mean_of_the_area_it_covers(h: int, w: int, height: int, width: int, seed: int) -> None:
    rgb = np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (h, w, 3)).astype(np.uint8)
    np.testing.assert_array_equal(resize(rgb, height, width), slow(rgb, height, width))


@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_a_plain_image_stays_plain(value: int) -> None:
    plain = np.full((576, 1024, 3), value, np.uint8)
    assert (resize(plain, 128, 256) == value).all()


def test_halving_is_the_mean_of_four_rounded_half_up() -> None:
    rgb = np.array([[[0], [1]], [[0], [1]]], np.uint8).repeat(3, axis=2)
    assert resize(rgb, 1, 1).tolist() == [[[1, 1, 1]]]
