"""No interval reaches beyond what its number can be."""

from __future__ import annotations

import math

import pytest

from harness.scoring.bounds import OF, UNBOUNDED, bounds_of, bounds_of_difference
from harness.scoring.comparing import OVER_ALL, OVER_BOTH_PLAYED
from harness.scoring.intervals import Sample, mean_interval
from harness.scoring.metrics import OVER_PLAYED, mean


def test_contacts_are_not_negative_and_a_difference_of_shares_is_no_more_than_one() -> None:
    few = Sample.of([0.0, 0.0, 11.0], ["a", "b", "c"])
    assert mean_interval(few)[0] < 0.0 and mean(few, bounds_of("collisions")).low == 0.0
    opposite = Sample.of([-1.0, -1.0, 0.0], ["a", "b", "c"])
    assert mean_interval(opposite)[0] < -1.0
    low, high = mean_interval(opposite, bounds_of_difference("reached"))
    assert low == -1.0 and high == pytest.approx(mean_interval(opposite)[1])


def test_every_number_that_is_averaged_has_bounds() -> None:
    assert {*OVER_PLAYED, *OVER_ALL, *OVER_BOTH_PLAYED, "ssim", "psnr", "lpips"} <= set(OF)
    assert bounds_of("another") == UNBOUNDED == bounds_of_difference("path_m")


def test_no_interval_stays_none() -> None:
    assert all(map(math.isnan, mean_interval(Sample.of([3.0], ["a"]), bounds_of("collisions"))))
