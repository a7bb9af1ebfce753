"""`compare` and `cite` as a user types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.records.folder import RunFolder
from tasks.suite import load_suite
from tests.reporting.synthetic_folder import write_run
from tests.scoring.synthetic import synthetic_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    root = tmp_path_factory.mktemp("runs")
    rates = (("warp", 0.3), ("gtsim", 0.9), ("mine", 0.5))
    return [write_run(root, synthetic_run(wm, rate, homes=20, per_home=3), with_pictures=2) for wm, rate in rates]


def test_two_runs_are_compared_on_the_page_and_in_words(
    runs: list[RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(runs[0].path), str(runs[1].path)]) == 0
    printed = capsys.readouterr().out
    assert "gtsim solves more than warp" in printed
    assert "20 homes are few" in printed
    page = Path(re.findall(r"page +(\S+)", printed)[0])
    assert page.name == "compare.html" and page.is_file()
    assert page.parent.parent == runs[0].path.parent and page.parent.name.startswith("compare-warp-gtsim-")
    assert json.loads((page.parent / "compare.json").read_text())["contrasts"][0]["verdict"] == "more"


def test_json_is_one_object(runs: list[RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(run.path) for run in runs]
    assert main(["compare", *paths, "--baseline", paths[1], "--out", str(tmp_path / "here"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["baseline"] == 1 and [contrast["other"] for contrast in found["contrasts"]] == [0, 2]
    assert found["contrasts"][0]["adjusted_p"] >= found["contrasts"][0]["p"]
    assert found["page"] == str(tmp_path / "here" / "compare.html")


def test_a_baseline_that_was_not_listed_joins(
    runs: list[RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(runs[1].path), "--baseline", str(runs[0].path), "--out", str(tmp_path), "--json"]
    assert main(["compare", *words]) == 0
    assert [run["wm"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["warp", "gtsim"]


@pytest.mark.parametrize(
    ("count", "extra", "says"),
    [(1, [], "one run cannot be compared"), (2, ["/no/such/run"], "not a run folder"), (1, ["same"], "given twice")],
)
def test_wrong_words_cost_one_sentence(
    runs: list[RunFolder], count: int, extra: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(run.path) for run in runs[:count]] + [str(runs[0].path) if e == "same" else e for e in extra]
    assert main(["compare", *paths]) == 2
    assert says in capsys.readouterr().err


def test_a_run_of_another_split_is_refused_with_both_values(
    runs: list[RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_run(tmp_path, synthetic_run("mine", homes=20, per_home=3, split="validation"), with_pictures=0)
    assert main(["compare", str(runs[0].path), str(other.path)]) == 2
    printed = capsys.readouterr().err
    assert "split differs: test in warp" in printed and "validation in mine" in printed and "--split" in printed


def test_a_partial_run_is_compared_when_asked(
    runs: list[RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    partial = write_run(tmp_path, synthetic_run("mine", homes=20, per_home=3, errors=2), with_pictures=0)
    words = ["compare", str(runs[0].path), str(partial.path), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "PARTIAL" in capsys.readouterr().err
    assert main([*words, "--allow-partial"]) == 0
    assert "note    PARTIAL" in capsys.readouterr().out
    assert "PARTIAL" in (tmp_path / "out" / "compare.html").read_text("utf-8")


# ---- cite


def test_cite_names_every_frozen_tier_with_its_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cite"]) == 0
    printed = capsys.readouterr().out
    suite = load_suite("embedded")
    for tier in (name for name, known in suite.tiers.items() if known.status == "frozen"):
        assert f"{tier}: {suite.name}@{suite.hash(tier)}" in printed
    assert "@misc{wiwbench-embedded-v1-ignav," in printed
    assert "2510.18135" in printed and printed.index("wiwbench") < printed.index("2510.18135")


def test_cite_braces_are_balanced_and_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cite", "--suite", "embedded-v1", "--task", "ignav", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bibtex"].count("{") == found["bibtex"].count("}")
    assert len(re.findall(r"^@misc\{[\w.-]+,$", found["bibtex"], re.M)) == 2
    assert all(len(value) == 64 for value in found["tiers"].values())


def test_a_suite_whose_episodes_are_not_here_is_cited_without_a_hash(capsys: pytest.CaptureFixture[str]) -> None:
    suite = load_suite("wiw")
    if suite.episode_path("published", "test").exists():
        pytest.skip("the published episodes are here")
    assert main(["cite", "--suite", "wiw"]) == 0
    captured = capsys.readouterr()
    assert "wiwbench-wiw-v1-ignav" in captured.out and "tier published has no hash here" in captured.err


@pytest.mark.parametrize(("words", "says"), [(("--suite", "embeded"), "embedded"), (("--task", "ignv"), "ignav")])
def test_cite_knows_the_nearest_name(words: tuple[str, str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cite", *words]) == 2
    assert says in capsys.readouterr().err
