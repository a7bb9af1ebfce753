"""The report in a real browser: rows, filters, an opened episode, pictures from the file and from beside it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import harness.reporting.report as report_module
from harness.records.folder import RunFolder
from harness.reporting import details
from harness.reporting.details import EpisodeReader
from harness.reporting.report import report_html, write_report
from harness.scoring.summary import summarise
from tests.reporting.chromium import dump_dom, needs_chromium, ready_ms
from tests.reporting.synthetic_folder import small_run, write_run
from tests.scoring.synthetic import synthetic_run

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return small_run(tmp_path_factory.mktemp("runs"))


def test_a_thousand_episodes_with_filters(tmp_path: Path) -> None:
    run = synthetic_run(homes=250, per_home=4, errors=3)
    folder = RunFolder.create(tmp_path, run.identity, {}, run.record.provenance)
    page = tmp_path / "report.html"
    page.write_text(report_html(folder, run, summarise(run), EpisodeReader(folder)), "utf-8")
    dom = dump_dom(page, tmp_path / "profile")
    assert ready_ms(dom) > 0
    assert "1000 episodes" in dom
    assert len(re.findall("<tr data-folder=", dom)) >= 200
    assert len(re.findall("<option value=", dom)) == 251
    assert 'data-state="error"' in dom
    assert dom.count('<button type="button" data-state=') == 4


def test_an_episode_opens_from_the_address(folder: RunFolder, tmp_path: Path) -> None:
    dom = dump_dom(write_report(folder).report, tmp_path, "episode=easy-test-0001-s0")
    dialog = dom[dom.index("<dialog") : dom.index("</dialog>")]
    decisions = len(list((folder.episodes / "easy-test-0001-s0").glob("decision-*.jpg")))
    assert dialog.count('class="decision"') == decisions > 0
    assert dialog.count("data:image/jpeg;base64,") == decisions + 1
    assert 'class="floor"' in dialog and 'class="path"' in dialog


def test_an_episode_of_a_task_that_asks_for_no_place_opens(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(details, "_asked", lambda episode: {"goal": None, "geodesic": None})
    dom = dump_dom(write_report(folder).report, tmp_path, "episode=easy-test-0001-s0")
    dialog = dom[dom.index("<dialog") : dom.index("</dialog>")]
    assert 'class="path"' in dialog and 'class="decision"' in dialog
    assert "Shortest way" not in dialog and 'class="radius"' not in dialog[: dialog.index('class="scale"')]


def test_an_episode_that_broke_opens_with_its_error(folder: RunFolder, tmp_path: Path) -> None:
    dom = dump_dom(write_report(folder).report, tmp_path, "episode=easy-test-0005-s0")
    assert "did not answer Step within 30 s" in dom[dom.index("<dialog") :]


def test_pictures_load_from_beside_the_file(folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "PICTURE_BYTES", 0)
    dom = dump_dom(write_report(folder).report, tmp_path / "a", "episode=easy-test-0001-s0")
    dialog = dom[dom.index("<dialog") : dom.index("</dialog>")]
    assert 'src="episodes/easy-test-0001-s0/decision-00.jpg"' in dialog
    assert "was not found" not in dialog
    for strip in folder.episodes.glob("*/decision-00.jpg"):
        strip.unlink()
    dom = dump_dom(folder.path / "report.html", tmp_path / "b", "episode=easy-test-0001-s0")
    assert "decision-00.jpg was not found" in dom


def test_an_error_with_markup_stays_text(tmp_path: Path) -> None:
    run = synthetic_run(homes=3, per_home=2, errors=1)
    evil = "</script><img src=x onerror=\"document.title='owned'\">"
    row = dataclasses.replace(run.rows[-1], result=dataclasses.replace(run.rows[-1].result, error=evil))
    page = write_report(write_run(tmp_path, dataclasses.replace(run, rows=(*run.rows[:-1], row)))).report
    dom = dump_dom(page, tmp_path / "profile", "episode=easy-test-0005-s0")
    assert "<img src=x" not in dom
    assert "<title>owned" not in dom
    assert "&lt;img src=x" in dom


def opened(folder: RunFolder, profile: Path) -> str:
    dom = dump_dom(write_report(folder).report, profile, "episode=easy-test-0001-s0")
    return dom[dom.index("<dialog") : dom.index("</dialog>")]


def test_marks_of_map_and_scores_are_explained(folder: RunFolder, tmp_path: Path) -> None:
    dialog = opened(folder, tmp_path)
    for words in ("walkable", "start and its heading", "path walked", "a decision was made here", "touched something"):
        assert words in dialog
    for words in ("goal, its heading, and what counts as reached", "score of one end", "was chosen", "staying here"):
        assert words in dialog


def test_a_video_that_cannot_be_found_says_so(folder: RunFolder, tmp_path: Path) -> None:
    assert "<video" in opened(folder, tmp_path / "a")
    (folder.episodes / "easy-test-0001-s0" / "video.mp4").unlink()
    dialog = opened(folder, tmp_path / "b")
    assert "<video" not in dialog and "video.mp4 was not found" in dialog
