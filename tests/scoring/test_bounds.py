"""No interval reaches beyond what its number can be."""

from __future__ import annotations

import math

import pytest

from harness.contracts.metrics import NOT_NEGATIVE, SHARE, MetricSpec
from harness.scoring.intervals import Sample, mean_interval
from harness.scoring.metrics import mean

CONTACTS = MetricSpec("contacts", "Contacts", bounds=NOT_NEGATIVE)
REACHED = MetricSpec("reached", "Reached", bounds=SHARE)


def test_contacts_are_not_negative_and_a_difference_of_shares_is_no_more_than_one() -> None:
    few = Sample.of([0.0, 0.0, 11.0], ["a", "b", "c"])
    assert mean_interval(few)[0] < 0.0 and mean(few, CONTACTS.interval).low == 0.0
    opposite = Sample.of([-1.0, -1.0, 0.0], ["a", "b", "c"])
    assert mean_interval(opposite)[0] < -1.0
    low, high = mean_interval(opposite, REACHED.interval_of_difference)
    assert low == -1.0 and high == pytest.approx(mean_interval(opposite)[1])


def test_a_difference_of_what_nothing_ends_is_unbounded() -> None:
    assert CONTACTS.interval_of_difference == (-math.inf, math.inf) == MetricSpec("another", "Another").interval


def test_no_interval_stays_none() -> None:
    assert all(map(math.isnan, mean_interval(Sample.of([3.0], ["a"]), CONTACTS.interval)))
