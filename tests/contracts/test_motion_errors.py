"""Planted errors of motion: their ranges, and displacements that only seed and frame decide."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import Refusal
from harness.contracts.motion_errors import MotionError

seeds = st.integers(0, 2**64 - 1)
frames = st.integers(0, 300)


@given(seed=seeds, frame=frames, sigma=st.floats(0.0, 4.0))
def test_a_displacement_is_a_function_of_seed_and_frame_and_scales(seed: int, frame: int, sigma: float) -> None:
    one = MotionError(jitter_m=sigma).displacement(seed, frame)
    assert one == MotionError(jitter_m=sigma).displacement(seed, frame)
    unit = MotionError(jitter_m=1.0).displacement(seed, frame)
    assert one == (sigma * unit[0], sigma * unit[1])
    assert max(map(abs, unit)) <= 6.0


def test_displacements_have_the_named_deviation_and_no_direction() -> None:
    draws = [MotionError(jitter_m=0.2).displacement(seed, frame) for seed in range(300) for frame in range(1, 11)]
    assert len(set(draws)) == len(draws)
    for axis in range(2):
        values = [draw[axis] for draw in draws]
        assert abs(sum(values) / len(values)) < 0.02
        assert math.sqrt(sum(v * v for v in values) / len(values)) == pytest.approx(0.2, rel=0.05)
    assert abs(sum(x * z for x, z in draws) / len(draws)) < 0.003


def test_a_known_displacement() -> None:
    """The draws belong to every result with jitter: other numbers would make old and new results incomparable."""
    assert MotionError(jitter_m=0.4).displacement(12345, 7) == KNOWN


KNOWN = (0.025597348804987166, 0.24565938883947178)


@pytest.mark.parametrize(
    ("name", "value"),
    [("motion_scale", -0.1), ("motion_scale", 4.1), ("heading_error_deg", 181.0), ("jitter_m", -1.0),
     ("jitter_m", math.nan), ("motion_scale", math.inf)],
)  # fmt: skip
def test_errors_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(Refusal, match=rf"{name} .* is not in"):
        MotionError(**{name: value})  # type: ignore[arg-type]
