"""Portable trigonometry: accurate, and the same bits when compiled."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts import portable

angles = st.floats(-1e4, 1e4, allow_nan=False)
coordinates = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)


@given(angles)
def test_sincos_is_accurate(x: float) -> None:
    s, c = portable.sincos(x)
    assert abs(s - math.sin(x)) < 1e-14
    assert abs(c - math.cos(x)) < 1e-14


@given(coordinates, coordinates)
def test_atan2_is_accurate(y: float, x: float) -> None:
    if abs(x) + abs(y) > 1e-290:
        expected = math.atan2(y, x)
        assert min(abs(portable.atan2(y, x) - expected), abs(abs(expected) - math.pi)) < 1e-14


def test_axes() -> None:
    assert portable.atan2(0.0, 0.0) == 0.0
    assert portable.atan2(0.0, -1.0) == portable.PI
    assert portable.atan2(1.0, 0.0) == portable.HALF_PI
    assert portable.atan2(-1.0, 0.0) == -portable.HALF_PI


def test_compiled_bits_are_equal() -> None:
    numba = pytest.importorskip("numba")
    sincos, atan2, exp = (numba.njit(f) for f in (portable.sincos, portable.atan2, portable.exp))
    for k in range(2000):
        x = (k - 1000) * 0.37
        assert sincos(x) == portable.sincos(x)
        assert atan2(x, 3.1 - x) == portable.atan2(x, 3.1 - x)
        assert exp(x) == portable.exp(x)


@given(st.floats(-700.0, 700.0))
def test_exp_is_accurate(x: float) -> None:
    assert portable.exp(x) == pytest.approx(math.exp(x), rel=1e-14)
    assert portable.exp(0.0) == 1.0
