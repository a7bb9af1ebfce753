"""A metric is declared in one place: from there it comes into run.json, results, exports, report and comparison."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.auditing.audit import Audited, audit
from harness.contracts.episodes import Episode
from harness.contracts.judgements import Judgement
from harness.contracts.metrics import HIGHER, LOWER, OVER_PLANNED, PERCENT, SHARE, Column, MetricSpec
from harness.contracts.trajectories import Trajectory
from harness.records.errors import RecordError
from harness.records.folder import RunFolder
from harness.reporting.comparison import write_comparison
from harness.reporting.comparison_texts import number_rows
from harness.reporting.report import ReportFiles, write_report
from harness.scoring.comparing import as_plain, compare
from harness.scoring.data import RunData, checked_run
from tasks import registry
from tasks.task import Task
from tests.auditing.written_run import edit_json
from tests.reporting.synthetic_folder import write_run
from tests.reporting.test_report import data
from tests.scoring.synthetic import synthetic_run

SEEN = MetricSpec(
    "seen_rate", "Seen", "The toy was seen.", PERCENT, 1, HIGHER, OVER_PLANNED, SHARE, "seen",
    column=Column("Seen", 0, "the toy was seen", paired=True),
)  # fmt: skip
LOST = MetricSpec("lost_m", "Lost", "Metres lost to the toy.", "m", better=LOWER, bounds=(0.0, 5.0))


def toy_numbers(episode: Episode, trajectory: Trajectory) -> dict[str, float]:
    """Return what the toy task measures: it is seen where it is solved, and far apart otherwise."""
    return {"seen": float(trajectory.solved), "lost_m": 0.0 if trajectory.solved else 5.0, "actions": 3.0}


Numbers = Callable[[Episode, Trajectory], dict[str, float]]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a task that is image-goal navigation but for its judge and its metrics, which a test may change."""
    like = registry.load_task("ignav")
    declared = SimpleNamespace(metrics=(LOST, SEEN))

    def load(folder: Path) -> Task:
        return replace(
            like,
            name="toy",
            own_metrics=declared.metrics,
            judge=lambda episode, trajectory: Judgement(toy_numbers(episode, trajectory), ()),
        )

    monkeypatch.setattr(registry, "task_folders", lambda: {"toy": Path("toy")})
    monkeypatch.setattr(registry, "_load", load)
    return declared


def toy_run(root: Path, wm: str, rate: float, numbers: Numbers = toy_numbers) -> RunFolder:
    """Write a run of the toy task with the metrics that are declared now."""
    real = synthetic_run(wm, rate, homes=4, per_home=2, task="toy")
    episodes = {episode.id: episode for episode in real.identity.episodes}
    trajectories = {row.key.episode: real.trajectory(row) for row in real.rows}
    rows = []
    for row in real.rows:
        trajectory = trajectories[row.key.episode]
        assert trajectory is not None
        result = replace(row.result, metrics=numbers(episodes[row.key.episode], trajectory))
        rows.append(replace(row, key=replace(row.key, task="toy"), result=result))
    record = replace(real.record, metrics=registry.load_task("toy").metrics)
    return write_run(root, RunData(record, tuple(rows), lambda row: trajectories[row.key.episode]))


def looked_at(folder: RunFolder) -> tuple[Audited, ReportFiles]:
    found = audit(RunFolder.open(folder.path))
    run = checked_run(found.folder, found.rows, found.findings, found.metrics)
    return found, write_report(found.folder, checked=run)


def declared_in(folder: RunFolder, edit: Callable[[list[dict[str, object]]], None]) -> None:
    """Edit the metrics of a run.json, as anybody can."""
    edit_json(folder.path / "run.json", lambda record: edit(record["metrics"]))


def test_a_declared_metric_is_in_results_exports_and_report(toy: SimpleNamespace, tmp_path: Path) -> None:
    found, files = looked_at(toy_run(tmp_path, "warp", 0.6))
    assert not found.findings.damage
    results_json, results_csv, _ = files.exports
    results = json.loads(results_json.read_bytes())
    solved = results["metrics"]["success_rate"]
    assert results["metrics"]["seen_rate"] == solved and list(results["metrics"])[2:] == [
        "seen_rate",
        "actions",
        "lost_m",
    ]
    assert results["metrics"]["lost_m"]["value"] == pytest.approx(5.0 * (1.0 - solved["value"]))
    assert 0.0 <= results["metrics"]["lost_m"]["low"] < results["metrics"]["lost_m"]["high"] <= 5.0
    rows = list(csv.DictReader(results_csv.read_text("utf-8").splitlines()))
    assert [float(row["lost_m"]) for row in rows] == [0.0 if row["state"] == "ok" else 5.0 for row in rows]
    page = files.report.read_text("utf-8")
    assert "Metres lost to the toy." in page and "Seen" in page
    table = data(page, "table-data")
    assert {"name": "seen", "label": "Seen", "unit": "%", "digits": 0, "title": "the toy was seen"} in table["columns"]
    assert table["gapDigits"] == {"ssim": 2, "psnr": 1, "lpips": 2}
    assert {row[4]: row[6] for row in table["rows"]} == {"ok": 100.0, "failed": 0.0}


def test_it_is_compared_with_its_direction_its_bounds_and_its_words(toy: SimpleNamespace, tmp_path: Path) -> None:
    folders = [toy_run(tmp_path, "warp", 0.9), toy_run(tmp_path, "none", 0.1)]
    audits = [looked_at(folder)[0] for folder in folders]
    runs = [checked_run(found.folder, found.rows, found.findings, found.metrics) for found in audits]
    comparison = compare(runs)
    numbers = {number.name: number for number in comparison.contrasts[0].numbers}
    assert list(numbers) == ["seen", "lost_m", "actions"]  # what has a direction before what merely describes
    assert [spec.better for spec in comparison.metrics[:3]] == [HIGHER, LOWER, ""]
    assert numbers["lost_m"].difference.value > 2.0 and numbers["lost_m"].difference.high <= 5.0
    assert sorted(row[0] for row in number_rows(comparison)[1] if row[0] != "Actions") == ["Lost m", "Seen %"]
    assert "lost_m" in json.dumps(as_plain(comparison)["contrasts"])
    page = write_comparison(tmp_path, folders, comparison).read_text("utf-8")
    assert "Lost m" in page and [c["name"] for c in data(page, "table-data")["columns"]] == ["seen", "decisions"]


def test_a_task_that_is_not_here_is_read_by_what_its_run_says(
    toy: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy_run(tmp_path, "warp", 0.6)
    declared_in(folder, lambda specs: specs[0].update(label="<img src=x>\x1b[2J"))
    monkeypatch.setattr(registry, "task_folders", dict)
    found, files = looked_at(folder)
    assert [spec.name for spec in found.metrics][:1] == ["seen_rate"] and not found.findings.damage
    page = files.report.read_text("utf-8")
    assert "&lt;img src=x&gt;" in page and "<img src=x" not in page and "\x1b" not in page


def test_the_task_that_is_here_decides_what_its_metrics_mean(toy: SimpleNamespace, tmp_path: Path) -> None:
    folder = toy_run(tmp_path, "warp", 0.6)
    honest = looked_at(folder)[1].summary.metrics

    def lie(specs: list[dict[str, object]]) -> None:
        specs[:] = [spec for spec in specs if spec["name"] != "actions"]
        lost = next(spec for spec in specs if spec["name"] == "lost_m")
        lost.update(bounds=[None, None], better="", label="Won")
        specs.append({**lost, "name": "won_m", "key": "won_m"})

    declared_in(folder, lie)
    found, files = looked_at(folder)
    told = " ".join(found.findings.unchecked)
    assert "otherwise than the task here, which is followed: lost_m" in told and "not shown: won_m" in told
    assert files.summary.metrics == {name: value for name, value in honest.items() if name != "actions"}


@pytest.mark.parametrize("recorded", [True, False], ids=["run.json says", "from before run.json said"])
def test_a_metric_that_a_task_gets_later_makes_no_older_run_damaged(
    toy: SimpleNamespace, tmp_path: Path, recorded: bool
) -> None:
    def of_then(episode: Episode, trajectory: Trajectory) -> dict[str, float]:
        return {name: value for name, value in toy_numbers(episode, trajectory).items() if name != "lost_m"}

    now, toy.metrics = toy.metrics, (SEEN,)
    folder = toy_run(tmp_path, "warp", 0.6, of_then)
    if not recorded:
        edit_json(folder.path / "run.json", lambda record: record.pop("metrics"))
    toy.metrics = now
    found, files = looked_at(folder)
    assert not found.findings.damage and "lost_m" not in files.summary.metrics
    assert {"seen_rate", "actions"} < set(files.summary.metrics)


def test_a_row_without_a_metric_that_others_have_is_damage(toy: SimpleNamespace, tmp_path: Path) -> None:
    def from_the_first_alone(episode: Episode, trajectory: Trajectory) -> dict[str, float]:
        found = toy_numbers(episode, trajectory)
        return found if episode.id.endswith("0000") else {name: found[name] for name in ("seen", "actions")}

    folder = toy_run(tmp_path, "warp", 0.6, from_the_first_alone)
    edit_json(folder.path / "run.json", lambda record: record.pop("metrics"))
    damage = looked_at(folder)[0].findings.damage
    assert len(damage) == 7 and "lost_m is missing, its trajectory gives" in damage[0].what


@pytest.mark.parametrize("here", [True, False], ids=["task here", "task elsewhere"])
@pytest.mark.parametrize(("name", "value"), [("seen", 50.0), ("seen", -1e300), ("lost_m", 6.0)])
def test_a_number_beyond_its_bounds_is_damage_and_is_reported(
    toy: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: bool, name: str, value: float
) -> None:
    def beyond(episode: Episode, trajectory: Trajectory) -> dict[str, float]:
        return {**toy_numbers(episode, trajectory), name: value}

    folder = toy_run(tmp_path, "warp", 0.6, beyond)
    if not here:
        monkeypatch.setattr(registry, "task_folders", dict)
    found, files = looked_at(folder)
    assert len(found.findings.damage) == 8 and files.summary.verdict.kind == "damaged"
    assert here or "lies outside 0 to" in found.findings.damage[0].what


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "x" * 61},
        {"name": "../../x"},
        {"name": "success_rate"},
        {"name": "actions"},
        {"pooling": "planned", "better": "lower"},
        {"bounds": [1.0, 0.0]},
        {"digits": 10**6},
        {"digits": "9"},
    ],
)
def test_a_metric_that_cannot_be_is_refused(toy: SimpleNamespace, tmp_path: Path, wrong: dict[str, object]) -> None:
    folder = toy_run(tmp_path, "warp", 0.6)
    declared_in(folder, lambda specs: specs[0].update(wrong))
    with pytest.raises(RecordError, match="damaged"):
        RunFolder.open(folder.path)


def test_what_every_task_has_and_ignav_declares_is_what_it_measures() -> None:
    declared = {spec.key for spec in registry.load_task("ignav").metrics}
    run = synthetic_run()
    measured = {name for row in run.rows for name in row.result.metrics}
    assert {"success"} == measured - declared and declared - measured <= {"gap_psnr", "gap_lpips"}
