"""Success against seconds: a point is a run and what its very model was measured to take with as many candidates."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.scoring.data import load_run
from harness.studies.pareto import Costs, costs_of, machine_of, main, make_figures, own_costs, page
from harness.throughput.resources import Resources
from harness.throughput.results import Finding, Model, Rates, encoded
from harness.throughput.scenarios import OFFLINE, Settings
from tasks.suite import Suite
from tests.scoring.synthetic import known_manifest
from tests.studies.small_suite import EPISODES, solved_by, write_small_run
from tests.studies.test_scaling import specs
from tests.throughput.test_compare import RESULT


@pytest.fixture
def runs(tmp_path: Path, suite: Suite) -> dict[str, Any]:
    made = {}
    for name, wm, ability, limits in (
        ("few", "warp", 0.4, {"candidates": 2}),
        ("all", "warp", 0.6, {}),
        ("rarely", "warp", 0.5, {"wm_share": 0.5}),
        ("worse", "copy", 0.3, {}),
    ):
        changes = specs(suite, wm, **limits)
        made[name] = write_small_run(tmp_path / "runs", suite, wm, solved_by(ability), changes=changes, run_id=name)
    return made


def measured(folder: Path, run: Any, candidates: int, seconds: float, **changes: Any) -> Path:
    model = Model(run.identity.wm, run.identity.wm_manifest_hash, "")
    settings = Settings(OFFLINE, tier=changes.pop("tier", "precise"))
    result = replace(RESULT, model=model, settings=settings, candidates=candidates)
    file = folder / f"{run.identity.wm}-{candidates}-{seconds}.json"
    file.write_bytes(encoded(replace(result, rates=Rates(1.0 / seconds, 1.0, 1.0), **changes)))
    return file


def test_points_are_runs_with_what_their_model_takes(tmp_path: Path, suite: Suite, runs: dict[str, Any]) -> None:
    most = suite.tier("precise").candidates
    few, whole, worse = (load_run(runs[name]) for name in ("few", "all", "worse"))
    files = [measured(tmp_path, few, 2, 0.1), measured(tmp_path, worse, most, 0.2)]
    files += [measured(tmp_path, whole, most, seconds) for seconds in (0.3, 0.4, 5.0)]
    (figure,), passed = make_figures(suite, [tmp_path / "runs"], costs_of(suite, files))
    found: list[Any] = [(p.name, p.candidates, pytest.approx(p.seconds), p.success.value, p.own) for p in figure.points]
    assert found == [("warp", 2, 0.1, 0.4, False), ("copy", most, 0.2, 0.3, False), ("warp", most, 0.4, 0.6, False)]
    assert (figure.machine, figure.episodes) == ("c", EPISODES)
    assert {one.run_id: one.reason for one in passed} == {"rarely": "its search is limited: wm-share-0.5"}
    text = page(suite, [figure], passed, "the command")
    assert "of the tier that was played" in text
    assert "| `warp` | 2 | 0.1 | 40.0 [" in text and text.count("| yes |") == 2
    assert "| `copy` |" in text and next(line for line in text.splitlines() if "`copy`" in line).endswith("|  |")


def test_another_model_other_candidates_and_another_tier_are_no_price(
    tmp_path: Path, suite: Suite, runs: dict[str, Any]
) -> None:
    run = load_run(runs["all"])
    retrained = SimpleNamespace(identity=replace(run.identity, wm_manifest_hash="0" * 64))
    files = [measured(tmp_path, retrained, 8, 0.1), measured(tmp_path, run, 3, 0.2)]
    files.append(measured(tmp_path, run, suite.tier("precise").candidates, 0.3, tier="detour"))
    figures, passed = make_figures(suite, [tmp_path / "runs"], costs_of(suite, files))
    assert not figures and sum("no measurement of its model" in one.reason for one in passed) == 3


def test_a_model_without_a_service_takes_what_a_run_of_it_says(tmp_path: Path, suite: Suite) -> None:
    most = suite.tier("precise").candidates
    plain = specs(suite, "gtsim")
    kept = write_small_run(tmp_path, suite, "gtsim", solved_by(0.9), changes=plain, run_id="kept")
    assert own_costs(suite, [load_run(kept)]) == {}, "an archive says no times"
    timed = load_run(kept)
    rows = tuple(
        replace(
            row, result=replace(row.result, timings={"imagine": 0.6}, metrics={**row.result.metrics, "decisions": 3.0})
        )
        for row in timed.rows
    )
    costs = own_costs(suite, [load_run(kept), replace(timed, rows=rows)])
    ((key, ((_, seconds),)),) = costs.items()
    assert key == (timed.identity.wm_manifest_hash, "precise", most) and seconds == pytest.approx(0.2)


def test_two_trainings_of_a_model_are_two_points_and_a_run_that_is_not_drawn_is_named(
    tmp_path: Path, suite: Suite
) -> None:
    made = {}
    for name, ability, sha256, at in (
        ("first", 0.4, "a" * 64, 1.0),
        ("again", 0.5, "a" * 64, 2.0),
        ("other", 0.6, "b" * 64, 3.0),
    ):
        manifest = {**known_manifest("warp"), "checkpoint": {"source": "", "revision": "", "sha256": sha256}}
        changes = {**specs(suite, "warp"), "wm_manifest": manifest, "wm_manifest_hash": digest(manifest)}
        made[name] = write_small_run(
            tmp_path / "trained",
            suite,
            "warp",
            solved_by(ability),
            changes=changes,
            run_id=name,
            created_at=1.79e9 + at,
        )
    most = suite.tier("precise").candidates
    files = [measured(tmp_path, load_run(made[name]), most, at) for name, at in (("again", 0.1), ("other", 0.2))]
    (figure,), passed = make_figures(suite, [tmp_path / "trained"], costs_of(suite, files))
    found: list[Any] = [(point.name, point.success.value) for point in figure.points]
    assert found == [("warp, weights aaaaaaaa", 0.5), ("warp, weights bbbbbbbb", 0.6)]
    assert {one.run_id: one.reason for one in passed} == {"first": "again is later and of the same model"}


def test_machines_stay_apart_and_replicas_are_refused(tmp_path: Path, suite: Suite, runs: dict[str, Any]) -> None:
    run = load_run(runs["all"])
    gpu = Resources(gpus=("H200",))
    files = [measured(tmp_path, run, 8, 0.5), measured(tmp_path, run, 8, 0.2, resources=gpu)]
    costs: Costs = costs_of(suite, files)
    assert sorted(costs[run.identity.wm_manifest_hash, "precise", 8]) == [("H200", pytest.approx(0.2)), ("c", 0.5)]
    assert machine_of(replace(RESULT, resources=gpu)) == "H200"
    with pytest.raises(Refusal, match="measured 2 replicas"):
        costs_of(suite, [measured(tmp_path, run, 8, 0.1, resources=gpu, replicas=2)])


def test_what_counts_for_nothing_is_refused(
    tmp_path: Path, runs: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = measured(tmp_path, load_run(runs["all"]), 8, 0.5, findings=(Finding("cached", "kept", True),))
    arguments = [str(tmp_path / "runs"), "--throughput", str(broken), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2 and not (tmp_path / "out").exists()
    assert "no measurement of the scenario offline that counts" in capsys.readouterr().err


def test_page_and_pictures_are_written(
    tmp_path: Path, suite: Suite, runs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.studies.pareto.load_suite", lambda name, task: suite)
    files = [measured(tmp_path, load_run(runs["few"]), 2, 0.1)]
    files.append(measured(tmp_path, load_run(runs["all"]), suite.tier("precise").candidates, 0.4))
    out = tmp_path / "out"
    assert main([str(tmp_path / "runs"), "--throughput", *map(str, files), "--out", str(out)]) == 0
    drawn = ElementTree.parse(out / "pareto-0.svg").getroot()
    assert "seconds a decision" in "".join(drawn.itertext())
    assert "![Success against seconds a decision on c: precise" in (out / "pareto.md").read_text()
