"""The report is one safe, bounded file that says what the summary says."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness.reporting.report as report_module
from harness.records.folder import RunFolder
from harness.reporting.details import embedded_json, embedded_pictures, within
from harness.reporting.report import write_report
from harness.scoring.data import RunData
from harness.scoring.summary import Context, as_results
from tests.reporting.synthetic_folder import small_run, write_run
from tests.scoring.synthetic import synthetic_run

EVIL = "</script><script>alert('x')</script>&\"<img src=x onerror=alert(1)>"


def data(page: str, element: str) -> Any:
    """Return the JSON that the page carries in a script element."""
    found = re.search(rf'<script type="application/json" id="{element}">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found.group(1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return small_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def page(folder: RunFolder) -> str:
    return write_report(folder).report.read_text("utf-8")


def test_the_page_asks_the_network_for_nothing(page: str) -> None:
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_headline_and_partial_stamp(folder: RunFolder, page: str) -> None:
    success = write_report(folder).summary.metrics["success_rate"]
    assert f"{100 * success.value:.1f}" in page
    assert "PARTIAL" in page


def test_a_complete_run_has_no_stamp(tmp_path: Path) -> None:
    complete = write_run(tmp_path, synthetic_run(homes=3, per_home=2))
    assert "PARTIAL" not in write_report(complete).report.read_text("utf-8")


def test_every_episode_has_a_row_and_played_ones_their_details(folder: RunFolder, page: str) -> None:
    table, details = data(page, "table-data"), data(page, "detail-data")
    assert [row[0] for row in table["rows"]] == [row.key.folder_name for row in folder.rows()]
    assert len(details["episodes"]) == 5
    assert len(details["maps"]) == 1
    first = next(iter(details["episodes"].values()))
    assert len(first["decisions"][0]["scores"]) == 24
    assert first["decisions"][0]["after"] == first["decisions"][1]["before"]


def test_the_report_agrees_with_the_exports(folder: RunFolder) -> None:
    written = write_report(folder)
    exported = json.loads(written.exports[0].read_text("utf-8"))
    assert {key: exported[key] for key in exported if key != "rows"} == as_results(written.summary)
    assert exported["trajectory_root"] == folder.trajectory_root()


def test_names_and_errors_are_escaped(tmp_path: Path) -> None:
    run = synthetic_run(homes=3, per_home=2, errors=1)
    broken = run.rows[-1]
    row = dataclasses.replace(broken, result=dataclasses.replace(broken.result, error=EVIL))
    identity = dataclasses.replace(run.identity, wm=EVIL, planner=EVIL, specs={EVIL: EVIL})
    record = dataclasses.replace(run.record, identity=identity)
    evil = RunData(record, (*run.rows[:-1], row), run.trajectory, metrics=run.metrics)
    reference = {EVIL + "2": synthetic_run("none", homes=3, per_home=2)}
    page = write_report(write_run(tmp_path, evil), Context(reference, {}, "none", 0)).report.read_text("utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert html.escape(EVIL, quote=False).split("&#")[0][:30] in page
    assert data(page, "table-data")["rows"][-1][5] == EVIL


def test_a_run_that_has_not_begun_gives_a_report(tmp_path: Path) -> None:
    run = synthetic_run(homes=3, per_home=2)
    folder = RunFolder.create(tmp_path, run.identity, {}, run.record.provenance, "fresh")
    written = write_report(folder)
    assert written.summary.episodes["pending"] == 6
    assert "PARTIAL" in written.report.read_text("utf-8")


def test_episodes_whose_files_were_removed_keep_their_rows(tmp_path: Path) -> None:
    folder = write_run(tmp_path, synthetic_run(homes=3, per_home=2), with_files=2)
    page = write_report(folder).report.read_text("utf-8")
    assert len(data(page, "table-data")["rows"]) == 6
    assert len(data(page, "detail-data")["episodes"]) == 2


def test_pictures_stop_at_the_budget_and_whole_episodes_are_kept(folder: RunFolder) -> None:
    names = [row.key.folder_name for row in folder.rows()[:5]]
    episodes = [(name, folder.episodes / name, 2) for name in names]
    everything = embedded_pictures(episodes, 10**9)
    first = {key: uri for key, uri in everything.items() if key.startswith(names[0])}
    size = len(json.dumps(first, separators=(",", ":")))
    some = embedded_pictures(episodes, size + 100)
    assert some == first
    assert len(everything) == 5 * 3
    assert embedded_pictures(episodes, 10) == {}


def test_small_budgets_shrink_the_file_but_never_the_summary(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PICTURE_BYTES", "DETAIL_BYTES", "MAP_BYTES"):
        monkeypatch.setattr(report_module, name, 10)
    monkeypatch.setattr(report_module, "ROW_BYTES", 300)
    page = write_report(folder).report.read_text("utf-8")
    assert data(page, "picture-data") == {}
    assert data(page, "detail-data") == {"episodes": {}, "maps": {}}
    assert 0 < len(data(page, "table-data")["rows"]) < 6
    assert "rows are shown here" in page
    assert "95 % interval" in page


def test_embedded_json_cannot_end_its_element() -> None:
    text = embedded_json({"a": EVIL}).text
    assert "<" not in text and ">" not in text
    assert json.loads(text) == {"a": EVIL}


def test_within_keeps_the_first_items() -> None:
    items = [(str(i), "x" * 100) for i in range(10)]
    kept = within(items, 350)
    assert list(kept) == ["0", "1", "2"]
    assert np.sum([len(v) for v in kept.values()]) == 300


def test_every_phase_of_the_timings_is_explained(page: str) -> None:
    timings = page[page.index("<h2>Timings</h2>") :]
    assert "Waiting for the world model" in timings and "executes the chosen actions" in timings


def test_the_page_says_the_verdict_and_what_to_play(tmp_path: Path) -> None:
    run = synthetic_run(homes=3, per_home=2)
    written = write_report(write_run(tmp_path, run), Context({}, {}, "homing", 0))
    page = written.report.read_text("utf-8")
    verdict = written.summary.verdict
    assert html.escape(verdict.text) in page and html.escape(verdict.next_step, quote=False) in page
    assert json.loads(written.exports[0].read_text("utf-8"))["verdict"]["text"] == verdict.text
