"""The verdict never says more than its interval, and names the command that would tell more."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.results import Metric
from harness.records.damage import Damage, Findings
from harness.scoring.data import RunData
from harness.scoring.dose_curves import DoseCurve, DosePoint
from harness.scoring.summary import Context, as_results, summarise
from harness.scoring.verdict import DAMAGED, HELPS, HURTS, MISSING, OPEN, PARTIAL, REFERENCE, WORTH, Verdict
from tests.scoring.synthetic import synthetic_run

SPLITS = {"validation": 100, "test": 400}


def judged(run: RunData, *references: RunData, **context: Any) -> Verdict:
    runs = {reference.identity.wm: reference for reference in references}
    return summarise(run, Context(runs, {}, "homing", 0, splits=SPLITS, folder="runs/mine", **context)).verdict


def run_of(wm: str, rate: float, **changes: Any) -> RunData:
    return synthetic_run(wm, rate, homes=24, per_home=1, **changes)


HOMING, GTSIM = run_of("homing", 0.1), run_of("gtsim", 0.95)


def test_a_model_between_the_references_helps() -> None:
    verdict = judged(run_of("FTmini", 0.7), HOMING, GTSIM)
    assert verdict.kind == HELPS and verdict.next_step == ""
    assert verdict.text.startswith("helps: ") and verdict.text.endswith(" of the way from homing to the simulator")


def test_a_model_below_the_baseline_hurts() -> None:
    verdict = judged(run_of("FTmini", 0.02), run_of("homing", 0.6), GTSIM)
    assert verdict.kind == HURTS and "homing imagines nothing and solves more" in verdict.text


@given(rates=st.tuples(*[st.floats(0.02, 0.98)] * 3))
@settings(max_examples=25, deadline=None)
def test_kind_and_interval_never_disagree(rates: tuple[float, float, float]) -> None:
    mine, low, high = rates
    run = run_of("FTmini", mine)
    runs = {"homing": run_of("homing", low), "gtsim": run_of("gtsim", high)}
    summary = summarise(run, Context(runs, {}, "homing", 0, splits=SPLITS))
    gain = next(row.gain for row in summary.references if row.is_this_run)
    if gain is None:
        assert summary.verdict.kind == OPEN and "nothing lies between" in summary.verdict.text
        return
    expected = HELPS if gain.low > 0 else HURTS if gain.high < 0 else OPEN
    assert summary.verdict.kind == expected
    assert bool(summary.verdict.next_step) == (expected == OPEN)


@pytest.mark.parametrize(
    ("facts", "split", "more"),
    [
        ({"split": "validation"}, "validation", True),
        ({"split": "test"}, "test", True),
    ],
)
def test_what_cannot_be_told_names_the_larger_run(facts: dict[str, Any], split: str, more: bool) -> None:
    homing, gtsim = run_of("homing", 0.1, **facts), run_of("gtsim", 0.95, **facts)
    verdict = judged(run_of("FTmini", 0.1, **facts), homing, gtsim)
    assert verdict.kind == OPEN and verdict.text.startswith("not told yet: ")
    words = shlex.split(verdict.next_step)
    assert words[words.index("--split") + 1] == split and words[words.index("--episodes") + 1] == "all"
    assert "--references" in words


def test_the_whole_validation_split_is_followed_by_the_test_split_and_that_by_nothing() -> None:
    for split, step in (("validation", "--split test"), ("test", "")):
        runs = [run_of(wm, rate, split=split) for wm, rate in (("FTmini", 0.1), ("homing", 0.1), ("gtsim", 0.9))]
        context = Context({r.identity.wm: r for r in runs[1:]}, {}, "homing", 0, splits={"validation": 24, "test": 24})
        verdict = summarise(runs[0], context).verdict
        assert verdict.kind == OPEN
        assert (step in verdict.next_step) if step else verdict.next_step == ""


@pytest.mark.parametrize("there", [(), (HOMING,), (GTSIM,)])
def test_missing_references_are_named_with_the_command_that_plays_them(there: tuple[RunData, ...]) -> None:
    run = run_of(
        "FTmini", 0.5, wm_overrides={"jitter_m": 0.2, "through_obstacles": True}, episodes_subset="24", seeds=(3,)
    )
    verdict = judged(run, *there)
    assert verdict.kind == MISSING
    here = {reference.identity.wm for reference in there}
    assert all((name in verdict.text) == (name not in here) for name in ("homing", "gtsim"))
    words = shlex.split(verdict.next_step)
    assert words[:2] == ["python", "benchmark.py"] and words[-1] == "--references"
    assert "jitter_m=0.2" in words and "through_obstacles=true" in words
    assert words[words.index("--episodes") + 1] == "24" and words[words.index("--seed") + 1] == "3"


def test_what_the_run_was_given_beside_its_identity_is_given_again_and_quoted() -> None:
    run = run_of("FTmini", 0.5)
    command = (
        "benchmark.py",
        "--wm",
        "FTmini",
        "--plugins",
        "/my models",
        "--wm-python=/v e/python",
        "--json",
        "--workers",
        "9",
    )
    provenance = dataclasses.replace(run.record.provenance, command=command)
    again = judged(dataclasses.replace(run, record=dataclasses.replace(run.record, provenance=provenance))).next_step
    words = shlex.split(again)
    assert "/my models" in words and "--wm-python=/v e/python" in words
    assert "--json" not in words and "--workers" not in words


def test_a_partial_run_tells_nothing_but_how_to_go_on() -> None:
    verdict = judged(run_of("FTmini", 0.7, errors=2), HOMING, GTSIM)
    assert verdict.kind == PARTIAL and "2 of 24" in verdict.text and "%" not in verdict.text
    assert verdict.next_step == "python benchmark.py --resume runs/mine --retry-errors"


@pytest.mark.parametrize("wm", ["gtsim", "homing"])
def test_the_ends_of_the_scale_are_no_models_to_judge(wm: str) -> None:
    assert judged(run_of(wm, 0.5), HOMING, GTSIM).kind == REFERENCE


def test_a_reference_that_imagines_nothing_is_not_judged_but_a_changed_simulator_is() -> None:
    assert judged(run_of("look", 0.5, wm_manifest={"kind": "none"}), HOMING, GTSIM).kind == REFERENCE
    assert judged(run_of("gtsim", 0.7, wm_overrides={"jitter_m": 0.4}), HOMING, GTSIM).kind in (HELPS, OPEN)


def test_without_references_a_dose_curve_tells_the_worth_of_runs_that_it_fits() -> None:
    run = run_of("FTmini", 0.5)
    identity = run.identity
    points = tuple(
        DosePoint(dose, Metric(rate, rate - 0.05, rate + 0.05, 400)) for dose, rate in ((0.0, 0.9), (0.4, 0.1))
    )
    curve = DoseCurve("jitter_m", identity.tier, identity.suite_hash, identity.split, identity.stop, points)
    verdict = judged(run, curves=(curve,))
    assert verdict.kind == WORTH and verdict.text.startswith("worth gtsim with ")
    assert "--references" in verdict.next_step
    for other in ({"split": "validation"}, {"suite_hash": "0" * 64}, {"stop": "oracle"}):
        assert judged(run_of("FTmini", 0.5, **other), curves=(curve,)).kind == MISSING


def test_random_weights_say_nothing_of_the_trained_model() -> None:
    verdict = judged(run_of("FTmini", 0.7, stamps=("random-weights",)), HOMING, GTSIM)
    assert "its weights are random" in verdict.text


def test_results_hold_the_verdict() -> None:
    summary = summarise(run_of("FTmini", 0.7), Context({"homing": HOMING, "gtsim": GTSIM}, {}, "homing", 0))
    assert as_results(summary)["verdict"] == dataclasses.asdict(summary.verdict)


def test_a_damaged_record_tells_nothing() -> None:
    damaged = dataclasses.replace(run_of("FTmini", 0.7), findings=Findings((Damage("easy-test-0001-s0", "flipped"),)))
    verdict = judged(damaged, HOMING, GTSIM)
    assert verdict.kind == DAMAGED and "DAMAGED" in verdict.text and "%" not in verdict.text


def test_after_a_small_try_the_default_number_is_named_and_for_a_reference_nothing() -> None:
    runs = [
        synthetic_run(wm, rate, homes=3, per_home=1) for wm, rate in (("warp", 0.4), ("homing", 0.1), ("gtsim", 0.9))
    ]
    verdict = judged(*runs)
    words = shlex.split(verdict.next_step)
    assert verdict.kind == OPEN and words[words.index("--episodes") + 1] == "24"
    assert judged(*runs, references=("warp", "homing")).next_step == ""


def test_where_nothing_was_played_no_number_is_told() -> None:
    run = run_of("FTmini", 0.7)
    rows = [dataclasses.replace(row, result=dataclasses.replace(row.result, state="planned")) for row in run.rows]
    verdict = judged(dataclasses.replace(run, rows=tuple(rows)), HOMING, GTSIM)
    assert verdict.kind == PARTIAL and verdict.text == "nothing played yet of 24 episodes"
    assert verdict.next_step == "python benchmark.py --resume runs/mine"


def test_the_command_that_tells_more_searches_as_the_run_did() -> None:
    run = run_of("FTmini", 0.6, specs={"search": {"candidates": 4, "wm_share": 0.5}})
    assert " --candidates 4 --wm-share 0.5 " in judged(run).next_step
