"""The summary is complete, JSON-ready, and does not depend on the order of play."""

from __future__ import annotations

import json
from dataclasses import replace

from harness.contracts.results import Metric
from harness.records.identity import ImageRecord
from harness.records.roots import trajectory_root
from harness.scoring.summary import as_results, metric_plain, summarise
from tests.scoring.synthetic import synthetic_run


def test_results_have_every_field_of_the_design_and_no_nan() -> None:
    plain = as_results(summarise(synthetic_run(errors=2)))
    wanted = {
        "suite", "suite_hash", "task", "tier", "split", "stop", "view", "wm", "wm_manifest_hash", "planner", "seeds",
        "episodes", "homes", "metrics", "gap", "trajectory_root", "references", "timings", "test_runs", "partial",
        "schema", "stamps", "wm_overrides", "wm_facts", "episodes_subset",
    }  # fmt: skip
    assert wanted <= set(plain)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["episodes"] == {**plain["episodes"], "planned": 40, "error": 2}
    assert set(plain["metrics"]["success_rate"]) == {"value", "low", "high", "n"}


def test_a_run_is_partial_exactly_when_an_episode_did_not_finish() -> None:
    assert summarise(synthetic_run(errors=1)).partial
    assert not summarise(synthetic_run()).partial


def test_the_root_is_that_of_the_records() -> None:
    run = synthetic_run()
    assert summarise(run).trajectory_root == trajectory_root(run.rows[::-1])


def test_nan_becomes_none() -> None:
    assert metric_plain(Metric(1.0, float("nan"), float("inf"), 1)) == {"value": 1.0, "low": None, "high": None, "n": 1}


def test_the_image_of_a_submitted_world_model_is_named() -> None:
    assert as_results(summarise(synthetic_run()))["wm_image"] is None
    image = ImageRecord("lab/wm:1", "sha256:" + "a" * 64)
    plain = as_results(summarise(synthetic_run(wm_image=image)))
    assert plain["wm_image"] == {"reference": "lab/wm:1", "id": image.id, "repo_digest": ""}


def test_more_than_one_attempt_is_told_and_stamped() -> None:
    run = synthetic_run(errors=1)
    assert "retried" not in summarise(run).stamps
    rows = (replace(run.rows[0], attempts=3), replace(run.rows[1], attempts=2), *run.rows[2:])
    plain = as_results(summarise(replace(run, rows=rows)))
    assert plain["retries"] == {"episodes": 2, "most": 3}
    assert plain["stamps"] == ["retried"]
    assert plain["failures"][0]["count"] == 1
