"""The measures of a measurement: errors keep their place, differences are paired, other states are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contracts.errors import Refusal
from harness.scoring.bank import as_results, differences, measure_table
from harness.scoring.data import load_run
from harness.scoring.intervals import Sample, mean_interval
from tasks.suite import Suite
from tests.studies.small_bank import regrets, write_small_bank
from tests.studies.small_suite import small_suite


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return small_suite(tmp_path / "suite")


def test_each_measure_is_a_mean_with_the_interval_over_homes(suite: Suite, tmp_path: Path) -> None:
    run = load_run(write_small_bank(tmp_path, suite, "warp", regrets(0.2)))
    table = measure_table(run)
    regret = table["regret_m"]
    assert regret is not None and regret.value == pytest.approx(np.mean(regrets(0.2))) and regret.n == 40
    sample = Sample.of(list(regrets(0.2)), [result.home for result in run.results])
    assert (regret.low, regret.high) == mean_interval(sample)
    top_1 = table["top_1"]
    assert top_1 is not None and top_1.value == sum(lost < 0.1 for lost in regrets(0.2)) / 40


def test_a_state_in_error_counts_as_a_wrong_choice_and_has_no_regret(suite: Suite, tmp_path: Path) -> None:
    run = load_run(write_small_bank(tmp_path, suite, "warp", (0.0,) * 40, broken=10))
    table = measure_table(run)
    top_1, regret = table["top_1"], table["regret_m"]
    assert top_1 is not None and (top_1.value, top_1.n) == (0.75, 40)
    assert regret is not None and (regret.value, regret.n) == (0.0, 30)
    results = as_results(run, table)
    assert results["partial"] and results["states"] == {"planned": 40, "answered": 30, "error": 10, "pending": 0}


def test_a_reference_that_scores_nothing_ranks_nothing(suite: Suite, tmp_path: Path) -> None:
    run = load_run(write_small_bank(tmp_path, suite, "none", regrets(1.0), ranked=False))
    table = measure_table(run)
    assert table["rank_correlation"] is None
    assert as_results(run, table)["measures"]["rank_correlation"] is None
    other = load_run(write_small_bank(tmp_path, suite, "warp", regrets(0.5)))
    assert differences(run, other)["rank_correlation"] is None


def test_a_difference_is_paired_and_turns_with_its_sides(suite: Suite, tmp_path: Path) -> None:
    worse = load_run(write_small_bank(tmp_path, suite, "warp", regrets(0.4)))
    better = load_run(write_small_bank(tmp_path, suite, "gtsim", regrets(0.3)))
    there, back = differences(worse, better)["regret_m"], differences(better, worse)["regret_m"]
    assert there is not None and back is not None
    assert there.value.value == pytest.approx(0.1 * np.mean(regrets(1.0))) == pytest.approx(-back.value.value)
    assert there.homes == 10 and there.p == back.p == pytest.approx(2 / 2**10)
    alone = measure_table(worse)["regret_m"]
    assert alone is not None
    assert there.value.high - there.value.low < alone.high - alone.low  # pairing takes out what a state costs anybody


def test_equal_choices_differ_by_nothing(suite: Suite, tmp_path: Path) -> None:
    one = load_run(write_small_bank(tmp_path, suite, "warp", regrets(0.4)))
    found = differences(one, one)["regret_m"]
    assert found is not None and (found.value.value, found.p) == (0.0, 1.0)


def test_other_states_are_refused(suite: Suite, tmp_path: Path) -> None:
    one = load_run(write_small_bank(tmp_path, suite, "warp", regrets(0.4)))
    other = load_run(write_small_bank(tmp_path, suite, "gtsim", regrets(0.4), states_hash="ab" * 32))
    with pytest.raises(Refusal, match=r"warp was measured on the states .*, gtsim on abab"):
        differences(one, other)
    detour = load_run(write_small_bank(tmp_path, suite, "gtsim", regrets(0.4), tier="detour"))
    with pytest.raises(Refusal, match="suite hash"):
        differences(one, detour)
