"""The page of a comparison: what it says, what it embeds, and that a browser opens a pair with both runs."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Tuple

import pytest

import harness.reporting.comparison as comparison_module
from harness.contracts.results import FAILED, OK, Metric
from harness.records.folder import RunFolder
from harness.reporting.charts import difference_axis
from harness.reporting.comparison import write_comparison
from harness.reporting.comparison_texts import p_text, sentence, signed_interval
from harness.reporting.labels import Label
from harness.scoring.comparing import Comparison, compare
from harness.scoring.comparing_matching import Terms
from harness.scoring.data import load_run
from tests.reporting.chromium import dump_dom, needs_chromium, ready_ms
from tests.reporting.synthetic_folder import write_run
from tests.scoring.synthetic import synthetic_run

NUMBERS = Label("", "", 1)


def two_runs(root: Path) -> Tuple[RunFolder, ...]:
    """Write runs of two world models on six episodes in three homes; they differ in at least one."""
    runs = (synthetic_run(wm, rate, homes=3, per_home=2) for wm, rate in (("warp", 0.2), ("gtsim", 0.9)))
    return tuple(write_run(root, run) for run in runs)


def compared(folders: Tuple[RunFolder, ...]) -> Comparison:
    return compare([load_run(folder) for folder in folders], terms=Terms(allow_partial=True))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Tuple[RunFolder, ...]:
    return two_runs(tmp_path_factory.mktemp("runs"))


def embedded(page: Path, name: str) -> dict[str, dict[str, object]]:
    """Return the JSON that a page embeds under ``name``."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page.read_text("utf-8"), re.S)
    assert found
    return dict(json.loads(found.group(1)))


def test_the_page_holds_every_pair_and_both_runs_pictures(folders: Tuple[RunFolder, ...], tmp_path: Path) -> None:
    page = write_comparison(tmp_path, folders, compared(folders))
    table, pictures = embedded(page, "table-data"), embedded(page, "picture-data")
    assert len(table["rows"]) == 6
    assert {key.split("/")[0] for key in pictures} == {"0", "1"}
    html = page.read_text("utf-8")
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "") and "https://" not in html


def test_pairs_that_one_run_solved_come_first(folders: Tuple[RunFolder, ...], tmp_path: Path) -> None:
    page = write_comparison(tmp_path, folders, compared(folders))
    states = {folder.path.name: [row.result.state for row in folder.rows()] for folder in folders}
    differ = sum(len({*pair}) > 1 for pair in zip(*states.values(), strict=True))
    names = list(embedded(page, "detail-data")["episodes"])
    rows = {row.key.folder_name: i for i, row in enumerate(folders[0].rows())}
    first = [len({each[rows[name]] for each in states.values()}) > 1 for name in names]
    assert 0 < differ < 6
    assert first == [True] * differ + [False] * (6 - differ)


def test_homes_are_drawn_once_however_many_runs(folders: Tuple[RunFolder, ...], tmp_path: Path) -> None:
    page = write_comparison(tmp_path, folders, compared(folders))
    assert len(embedded(page, "detail-data")["maps"]) == 1  # synthetic homes are all one


def test_names_are_escaped(tmp_path: Path) -> None:
    evil = "</script><b>x"
    runs = [synthetic_run("warp", homes=2, per_home=1), synthetic_run("mini", homes=2, per_home=1)]
    identity = dataclasses.replace(runs[1].record.identity, wm_overrides={"prompt": evil})
    runs[1] = dataclasses.replace(runs[1], record=dataclasses.replace(runs[1].record, identity=identity))
    written = tuple(write_run(tmp_path, run) for run in runs)
    html = write_comparison(tmp_path, written, compared(written)).read_text("utf-8")
    assert evil not in html and "&lt;/script&gt;&lt;b&gt;x" in html


def test_texts() -> None:
    assert [p_text(p) for p in (0.00004, 0.0314, 0.9999, 1.0)] == ["< .001", ".031", "1", "1"]
    assert signed_interval(Metric(2.0, -1.0, 5.0, 4), NUMBERS) == "+2.0 [−1.0, +5.0]"
    assert signed_interval(Metric(-2.0, float("nan"), float("nan"), 1), NUMBERS) == "−2.0"


def test_the_axis_holds_every_interval() -> None:
    axis = difference_axis([Metric(0.1, -0.02, 0.18, 9), Metric(0.0, float("nan"), float("nan"), 1)])
    assert axis.reach == 0.2
    assert [axis.at(d) for d in (-0.2, 0.0, 0.2, 0.9)] == [0.0, 50.0, 100.0, 100.0]
    assert difference_axis([Metric(0.9, 0.7, 0.99, 9)]).reach == 1.0


@pytest.mark.parametrize(("verdict", "words"), [("more", "solves more than"), ("undecided", "cannot be told apart")])
def test_a_sentence_says_the_verdict(folders: Tuple[RunFolder, ...], verdict: str, words: str) -> None:
    comparison = compared(folders)
    p = {"more": 0.01, "undecided": 0.4}[verdict]
    contrast = dataclasses.replace(comparison.contrasts[0], adjusted_p=p, adjusted_equivalence_p=0.9)
    assert words in sentence(comparison, contrast) and comparison.runs[0].label in sentence(comparison, contrast)


@needs_chromium
def test_a_pair_opens_with_both_walks_on_one_map(folders: Tuple[RunFolder, ...], tmp_path: Path) -> None:
    page = write_comparison(tmp_path, folders, compared(folders))
    dom = dump_dom(page, tmp_path / "profile", "episode=easy-test-0001-s0")
    assert ready_ms(dom) > 0
    dialog = dom[dom.index("<dialog") : dom.index("</dialog>")]
    strips = [len(list((f.episodes / "easy-test-0001-s0").glob("decision-*.jpg"))) for f in folders]
    assert dialog.count('class="decision"') == sum(strips)
    assert dialog.count('class="walk"') == 2 and dialog.count('class="floor"') == 1
    assert dialog.count("data:image/jpeg;base64,") == sum(strips) + 1
    assert "was not found" not in dialog


@needs_chromium
def test_filters_count_who_solved_what(folders: Tuple[RunFolder, ...], tmp_path: Path) -> None:
    comparison = compared(folders)
    dom = dump_dom(write_comparison(tmp_path, folders, comparison), tmp_path / "profile")
    outcomes = comparison.contrasts[0].outcomes
    shown = {name: int(n) for name, n in re.findall(r'data-state="([\w-]*)"[^>]*>.*?<b>(\d+)</b>', dom)}
    assert shown == {
        "": 6,
        "only-0": outcomes.only_baseline,
        "only-1": outcomes.only_other,
        "every": outcomes.both,
        "none": outcomes.neither,
    }


@needs_chromium
def test_pictures_beyond_the_limit_load_from_the_runs(
    folders: Tuple[RunFolder, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison_module, "PICTURE_BYTES", 0)
    monkeypatch.setattr(comparison_module, "DETAIL_BYTES", 0)
    beside = folders[0].path.parent / "compare-a-b"
    beside.mkdir()
    page = write_comparison(beside, folders, compared(folders))
    dom = dump_dom(page, tmp_path / "profile", "episode=easy-test-0001-s0")
    dialog = dom[dom.index("<dialog") : dom.index("</dialog>")]
    for folder in folders:
        assert f'src="../{folder.path.name}/episodes/easy-test-0001-s0/decision-00.jpg"' in dialog
    assert "was not found" not in dialog


@needs_chromium
def test_three_runs_with_an_episode_that_broke(tmp_path: Path) -> None:
    runs = [synthetic_run(wm, homes=3, per_home=2, errors=errors) for wm, errors in (("a", 0), ("bb", 1), ("ccc", 0))]
    written = tuple(write_run(tmp_path, run) for run in runs)
    page = write_comparison(tmp_path, written, compared(written))
    dom = dump_dom(page, tmp_path / "profile", "episode=easy-test-0005-s0")
    dialog = dom[dom.index("<dialog") : dom.index("</dialog>")]
    assert dialog.count('class="walk"') == 2 and ">error</p>" in dialog
    assert {"differ", "only-2"} <= set(re.findall(r'data-state="([\w-]*)"', dom))
    assert {row.result.state for row in written[0].rows()} <= {OK, FAILED}
