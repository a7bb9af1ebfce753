"""Test − fresh: what a world model solves less where nobody could have seen the homes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from harness.scoring.independent import welch
from harness.scoring.intervals import Sample
from harness.studies.contamination import main, make_excess, table
from tasks.suite import Suite
from tests.studies.small_suite import solved_by, write_small_run

SPLIT = "fresh-00ff00ff12345678"
WHOLE = {"split": SPLIT, "episodes_subset": "all"}


def test_a_model_that_knows_the_test_homes_is_told_from_one_that_does_not(tmp_path: Path, suite: Suite) -> None:
    for wm, test, fresh in (("gtsim", 0.8, 0.8), ("warp", 0.9, 0.4)):
        write_small_run(tmp_path, suite, wm, solved_by(test), run_id=f"{wm}-test")
        write_small_run(tmp_path, suite, wm, solved_by(fresh), run_id=f"{wm}-fresh", changes=WHOLE)
    rows, passed = make_excess(suite, [tmp_path])
    honest, knowing = rows
    assert (honest.name, knowing.name, honest.split, passed) == ("gtsim", "warp", SPLIT, ())
    assert honest.excess.value == 0.0 and honest.excess.low < 0.0 < honest.excess.high and honest.holm_p == 1.0
    assert knowing.excess.value == pytest.approx(0.5) and knowing.excess.low > 0.2 and knowing.holm_p < 1e-6
    assert "| `precise` | `warp` | 90.0" in table(rows)


def test_parts_of_a_split_and_runs_without_the_other_kind_are_not_used(tmp_path: Path, suite: Suite) -> None:
    write_small_run(tmp_path, suite, "gtsim", solved_by(0.8), run_id="test")
    part = {**WHOLE, "episodes_subset": "120"}
    write_small_run(tmp_path, suite, "gtsim", solved_by(0.8), run_id="part", changes=part)
    write_small_run(tmp_path, suite, "warp", solved_by(0.8), run_id="alone", changes=WHOLE)
    write_small_run(tmp_path, suite, "gtsim", solved_by(0.8), run_id="other", changes={"split": "validation"})
    rows, passed = make_excess(suite, [tmp_path])
    reasons = {one.run_id: one.reason for one in passed}
    assert rows == () and set(reasons) == {"test", "part", "alone", "other"}
    assert "no run of the other kind" in reasons["test"] and "120 episodes" in reasons["part"]


def test_the_difference_is_that_of_welch_with_homes_as_units() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random(12), generator.random(30) * 0.5
    found, p = welch(*(Sample.of(values.tolist(), [f"{i}" for i in range(len(values))]) for values in (first, second)))
    theirs = stats.ttest_ind(first, second, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert p == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_where_nothing_varies_luck_is_told_from_knowing_all_the_same() -> None:
    every, none = (Sample.of([solved] * 40, [str(home // 4) for home in range(40)]) for solved in (1.0, 0.0))
    same, p = welch(every, every)
    assert same.value == 0.0 and same.low < 0.0 < same.high and p == 1.0
    apart, p = welch(every, none)
    assert apart.value == 1.0 and apart.low > 0.8 and p < 1e-6
    few, p = welch(*(Sample.of(each.values[:2].tolist(), ["a", "b"]) for each in (every, none)))
    assert few.low <= 0.0 and p > 0.05, "two homes show nothing"


def test_the_command_prints_json(tmp_path: Path, suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    write_small_run(tmp_path, suite, "gtsim", solved_by(0.8), run_id="test")
    assert main([str(tmp_path), "--json"]) == 0
    (unused,) = json.loads(capsys.readouterr().out)["not_used"]
    assert unused["run_id"] == "test" or "hash" in unused["reason"]
    assert main([str(tmp_path / "nothing")]) == 2
