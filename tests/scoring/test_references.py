"""Only runs of the same suite hash, split, stop rule and episodes stand beside each other."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.contracts.results import Metric
from harness.scoring.data import ReferencePoint, RunData
from harness.scoring.references import ReferenceRow, matching_runs, reference_table
from tests.scoring.synthetic import synthetic_run

NAMES = ("none", "copy", "warp", "gtsim")


def table(run: RunData, *others: RunData, **frozen: float) -> dict[str, ReferenceRow]:
    points = {
        name: ReferencePoint(Metric(value, value - 0.05, value + 0.05, 400), "commit abc")
        for name, value in frozen.items()
    }
    rows = reference_table(run, matching_runs(run, others, NAMES), points, baseline="none")
    return {row.name: row for row in rows}


@pytest.mark.parametrize("changed", [{"suite_hash": "other"}, {"split": "validation"}, {"stop": "oracle"}])
def test_runs_of_another_kind_are_never_references(changed: dict[str, Any]) -> None:
    run = synthetic_run("FTmini")
    assert matching_runs(run, [synthetic_run("none", **changed)], NAMES) == {}


def test_runs_with_other_episodes_or_errors_are_no_references() -> None:
    run = synthetic_run("FTmini")
    assert matching_runs(run, [synthetic_run("none", homes=5)], NAMES) == {}
    assert matching_runs(run, [synthetic_run("none", errors=1)], NAMES) == {}
    assert set(matching_runs(run, [synthetic_run("none")], NAMES)) == {"none"}


def test_gain_runs_from_baseline_to_ceiling() -> None:
    rows = table(synthetic_run("FTmini", 0.6), synthetic_run("none", 0.1), synthetic_run("gtsim", 0.9))
    gains = {name: row.gain for name, row in rows.items()}
    assert gains["none"] is not None and gains["none"].value == 0.0
    assert gains["gtsim"] is not None and gains["gtsim"].value == 1.0
    assert math.isnan(gains["none"].low) and math.isnan(gains["gtsim"].low)
    assert gains["FTmini"] is not None
    assert gains["FTmini"].low < gains["FTmini"].value < gains["FTmini"].high
    assert rows["FTmini"].is_this_run


def test_a_gain_from_frozen_numbers_has_no_interval() -> None:
    gain = table(synthetic_run("FTmini", 0.6), none=0.1, gtsim=0.9)["FTmini"].gain
    assert gain is not None
    assert math.isnan(gain.low)


def test_a_played_reference_wins_over_a_frozen_one() -> None:
    rows = table(synthetic_run("FTmini"), synthetic_run("none", 0.1), none=0.5)
    assert rows["none"].source.startswith("run ")


def test_no_gain_without_both_ends_or_without_room_between_them() -> None:
    run = synthetic_run("FTmini")
    assert table(run, none=0.1)["FTmini"].gain is None
    assert table(run, none=0.5, gtsim=0.4)["FTmini"].gain is None


def test_rows_rise_by_success() -> None:
    rows = table(synthetic_run("FTmini", 0.5), none=0.01, gtsim=0.99)
    assert list(rows) == ["none", "FTmini", "gtsim"]


def test_a_changed_world_model_is_no_reference_and_stands_beside_itself_as_it_is() -> None:
    planted = synthetic_run("gtsim", 0.4, wm_overrides={"jitter_m": 0.4})
    assert matching_runs(synthetic_run("FTmini"), [planted], NAMES) == {}
    rows = table(planted, synthetic_run("none", 0.1), synthetic_run("gtsim", 0.9))
    assert set(rows) == {"gtsim", "gtsim (jitter_m=0.4)", "none"}
    assert rows["gtsim (jitter_m=0.4)"].is_this_run and not rows["gtsim"].is_this_run
    assert rows["gtsim"].success.value > rows["gtsim (jitter_m=0.4)"].success.value


def test_runs_with_another_search_are_never_references() -> None:
    def run(wm: str, candidates: int | None = None) -> RunData:
        return synthetic_run(wm, specs={} if candidates is None else {"search": {"candidates": candidates}})

    assert matching_runs(run("FTmini", 4), [run("gtsim"), run("gtsim", 3)], NAMES) == {}
    assert matching_runs(run("FTmini"), [run("gtsim", 4)], NAMES) == {}
    assert set(matching_runs(run("FTmini", 4), [run("gtsim", 4)], NAMES)) == {"gtsim"}


def test_how_often_a_model_is_asked_does_not_matter_to_references_that_ask_none() -> None:
    run = synthetic_run("FTmini", specs={"search": {"wm_share": 0.5}})
    others = [synthetic_run("none"), synthetic_run("gtsim")]
    assert set(matching_runs(run, others, NAMES)) == {"none"}
