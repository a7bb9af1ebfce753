"""The tables say what the runs say, tell what is missing or passed over, and keep to what was declared beforehand."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from harness.contracts.errors import Refusal
from harness.scoring.comparing import compare
from harness.scoring.comparing_tests import holm
from harness.scoring.data import load_run
from harness.studies import tables as tables_module
from harness.studies.all_tables import Tables, make_tables
from harness.studies.markdown_sections import HEADING, overview
from harness.studies.paired_differences import cost
from harness.studies.rank_agreement import agree
from harness.studies.resolution import read_declared, verdict
from harness.studies.run_selection import find_runs
from harness.studies.tables import main, write_tables
from tasks.subsets import mini
from tasks.suite import Suite, load_suite
from tests.studies.small_suite import EPISODES, HOMES, small_suite, small_tables, solved_by, write_small_run

ROOT = Path(__file__).parents[2]
ABILITIES = {"gtsim": 0.9, "warp": 0.5, "none": 0.1, "gtsim-motion-50": 0.4, "gtsim-jitter-20cm": 0.8}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    root, suite = folder / "runs", small_suite(folder / "suite")
    for wm, ability in ABILITIES.items():
        write_small_run(root, suite, wm, solved_by(ability), settings={"jitter_m": 0.2} if "jitter" in wm else {})
    write_small_run(root, suite, "gtsim-null-1cm", solved_by(0.9))
    return root


def test_references_and_range_are_those_of_the_runs(suite: Suite, runs: Path) -> None:
    write_small_run(runs, suite, "gtsim", solved_by(0.95), stop="oracle")
    tables = small_tables(suite, runs)
    lines = {(line.name, line.stop): line for line in tables.references}
    assert set(lines) == {("gtsim", "self"), ("gtsim", "oracle"), ("warp", "self"), ("none", "self")}
    for name in ("gtsim", "warp", "none"):
        line = lines[name, "self"]
        assert line.success.value == pytest.approx(ABILITIES[name])
        assert line.success.low < line.success.value < line.success.high
        assert (line.success.n, line.homes) == (EPISODES, HOMES)
        assert f"--wm {name} " in line.command and "--tier precise --split test --episodes all" in line.command
    points = {(line.stop, line.other): line.points.value for line in tables.ranges}
    assert points == {("self", "none"): pytest.approx(0.8), ("self", "warp"): pytest.approx(0.4)}
    assert [line.wanted for line in tables.ranges] == [0.65, 0.45]


def test_a_reference_of_several_seeds_is_averaged_by_episode(suite: Suite, runs: Path) -> None:
    write_small_run(runs, suite, "none", solved_by(0.1), seeds=(0, 1, 2))
    tables = small_tables(suite, runs)
    line = next(line for line in tables.references if line.name == "none")
    assert (line.success.n, line.seeds) == (3 * EPISODES, (0, 1, 2)) and line.command.endswith("--seeds 0-2")
    lead = next(line.points for line in tables.ranges if line.other == "none")
    assert lead.value == pytest.approx(0.8) and lead.n == EPISODES
    assert any("is taken in its place" in passed.reason for passed in tables.passed_over)


def test_what_is_missing_is_told_with_its_command(tables: Tables) -> None:
    missing = tables.missing
    told = {what: lacking.command for lacking in missing for what in lacking.what.split("; ")}
    commands = [lacking.command for lacking in missing if lacking.command]
    assert len(set(commands)) == len(commands) < len(told)
    assert "python benchmark.py --wm oracle --task ignav" in told["reference oracle on precise, self-stop"]
    assert told["reference gtsim on precise, oracle-stop"].endswith("--stop oracle")
    assert {"gtsim-walls on detour, self-stop", "gtsim on detour, self-stop"} <= set(told)
    assert "detour: no run to take mini from" in told
    assert "reference gtsim on precise, self-stop" not in told


ODD_RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "another-hash": ({"changes": {"suite_hash": "0" * 64}}, "suite hash 000000000000, and the tier's is"),
    "another-split": ({"changes": {"split": "validation"}}, "validation split"),
    "another-tier": ({"changes": {"tier": "easy"}}, "no tier 'easy'"),
    "another-suite": ({"changes": {"suite": "embedded-v2"}}, "played on embedded-v2"),
    "another-loop": ({"changes": {"specs": {"loop": {}}}}, "another loop"),
    "fewer-episodes": ({"kept": 96}, "96 episodes, not the split's 120"),
    "partial": ({"played": 100}, "PARTIAL: 100 of 120"),
    "files-gone": ({"files": True}, "DAMAGED"),
}


@pytest.fixture(scope="module")
def beside_odd_runs(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder = tmp_path_factory.mktemp("odd")
    runs, suite = Path(shutil.copytree(written, folder / "runs")), small_suite(folder / "suite")
    for name, (arguments, _) in ODD_RUNS.items():
        write_small_run(runs, suite, "copy", solved_by(0.3), run_id=name, **arguments)
    shutil.rmtree(next((runs / "files-gone" / "episodes").iterdir()))
    return small_tables(suite, runs)


@pytest.mark.parametrize("name", ODD_RUNS)
def test_a_run_on_something_else_or_a_part_of_one_is_passed_over(beside_odd_runs: Tables, name: str) -> None:
    passed = {run.run_id: run.reason for run in beside_odd_runs.passed_over}
    assert ODD_RUNS[name][1] in passed[name]
    assert "copy" not in {line.name for line in beside_odd_runs.references}
    assert set(passed) == set(ODD_RUNS)


def test_an_archive_of_records_without_trajectories_enters_the_tables(suite: Suite, tmp_path: Path) -> None:
    runs = tmp_path / "whole"
    for wm in ("gtsim", "warp"):
        write_small_run(runs, suite, wm, solved_by(ABILITIES[wm]), files=True)
    whole = small_tables(suite, runs)
    for folder in runs.iterdir():
        shutil.rmtree(folder / "episodes")
    assert small_tables(suite, runs).references == whole.references != ()


def test_resolution_is_judged_by_what_was_declared(suite: Suite, tables: Tables) -> None:
    family = tables.resolution
    findings = {finding.wm: finding for finding in family.findings}
    assert family.declared == 4 and set(findings) == {"gtsim-motion-50", "gtsim-jitter-20cm", "gtsim-null-1cm"}
    assert findings["gtsim-motion-50"].cost.points.value == pytest.approx(0.5)
    assert all(finding.as_expected for finding in findings.values())
    assert findings["gtsim-null-1cm"].verdict == "does not fire"
    plain = [findings[wm].cost.p if wm in findings else 1.0 for wm in (e.wm for e in read_declared(suite).errors)]
    assert [finding.adjusted_p for finding in family.findings] == list(holm(plain))[:3]


def test_a_missing_error_never_makes_the_others_look_better(suite: Suite, runs: Path, tables: Tables) -> None:
    before = {finding.wm: finding.adjusted_p for finding in tables.resolution.findings}
    write_small_run(runs, suite, "gtsim", solved_by(0.9), tier="detour")
    write_small_run(runs, suite, "gtsim-walls", solved_by(0.2), tier="detour")
    after = {finding.wm: finding.adjusted_p for finding in small_tables(suite, runs).resolution.findings}
    assert len(after) == 4 and all(after[wm] <= p for wm, p in before.items())


@pytest.mark.parametrize(
    ("expected", "points", "p", "holds", "words"),
    [
        ("large", 0.20, 0.001, True, "20 points or more, significant"),
        ("large", 0.19, 0.001, False, "less than 20 points, significant"),
        ("large", 0.30, 0.06, False, "20 points or more, not significant"),
        ("small", 0.05, 0.05, True, "significant"),
        ("small", -0.10, 0.01, False, "significant"),
        ("tolerated", 0.05, 0.01, True, "at most 5 points, significant"),
        ("tolerated", 0.06, 0.50, False, "more than 5 points, not significant"),
        ("anything", 0.30, 0.01, True, "significant"),
        ("anything", 0.00, 0.90, True, "not significant"),
        ("null", 0.01, 0.06, True, "does not fire"),
        ("null", -0.03, 0.04, False, "fires"),
    ],
)
def test_a_verdict_can_go_either_way(expected: str, points: float, p: float, holds: bool, words: str) -> None:
    assert verdict(expected, points, p) == (holds, words)


def test_a_cost_is_the_contrast_of_compare_with_the_other_sign(suite: Suite, tmp_path: Path) -> None:
    folders = [
        write_small_run(tmp_path / "two", suite, "gtsim", solved_by(0.9)),
        write_small_run(tmp_path / "two", suite, "gtsim-motion-75", solved_by(0.7)),
    ]
    clean, wrong = map(load_run, folders)
    found, contrast = cost(clean, wrong), compare((clean, wrong)).contrasts[0]
    assert found.points.value == -contrast.difference.value
    assert (found.points.low, found.points.high) == pytest.approx((-contrast.difference.high, -contrast.difference.low))
    assert (found.p, found.equivalence_p) == pytest.approx((contrast.p, contrast.equivalence_p))
    assert found.detectable == pytest.approx(contrast.detectable)


def test_runs_that_may_not_be_compared_are_told(suite: Suite, runs: Path) -> None:
    write_small_run(runs, suite, "gtsim-motion-50", solved_by(0.4), seeds=(0, 1))
    tables = small_tables(suite, runs)
    assert "gtsim-motion-50" not in {finding.wm for finding in tables.resolution.findings}
    assert any("gtsim-motion-50 on precise" in lacking.what and "seeds" in lacking.what for lacking in tables.missing)


def test_mini_is_taken_out_of_the_whole_runs(suite: Suite, written: Path, tables: Tables) -> None:
    table = next(table for table in tables.mini if table.tier == "precise")
    chosen = {episode.id for episode in mini(suite.episodes("precise", "test"))}
    found = find_runs([written], suite)
    for line in table.lines:
        run = found.run(line.name, "precise")
        assert run is not None
        solved = [result.state == "ok" for result in run.results if result.episode in chosen]
        assert (line.mini.n, line.full.n) == (96, EPISODES)
        assert line.mini.value == pytest.approx(sum(solved) / 96)
    assert table.agreement is not None
    values = [[getattr(line, name).value for line in table.lines] for name in ("mini", "full")]
    assert table.agreement.kendall.value == pytest.approx(stats.kendalltau(*values).statistic)
    assert table.agreement.spearman.value == pytest.approx(stats.spearmanr(*values).statistic)
    assert table.agreement.kendall.low <= table.agreement.kendall.value <= table.agreement.kendall.high
    assert table.agreement.kendall.n == len(table.lines)


def test_a_subset_that_turns_the_order_round_is_seen(suite: Suite, tmp_path: Path) -> None:
    """Whoever solves more of the subset solves less of the rest."""
    chosen = frozenset(episode.id for episode in mini(suite.episodes("precise", "test")))
    inside = [episode.id in chosen for episode in suite.episodes("precise", "test")]
    folders = []
    for number, share in enumerate((0.2, 0.5, 0.8)):
        many, few = solved_by(share), solved_by(1.0 - share)
        solved = tuple(many[i] if inside[i] else few[i] for i in range(EPISODES))
        folders.append(write_small_run(tmp_path / "turned", suite, f"wm-{number}", solved))
    found = agree([load_run(folder) for folder in folders], chosen, resamples=50)
    assert found.kendall_rest.value == pytest.approx(-1.0) and found.spearman_rest.value == pytest.approx(-1.0)
    assert found.kendall.value == pytest.approx(1.0)  # 96 of 120 episodes are the whole's own


def test_two_world_models_are_too_few_to_rank(suite: Suite, tmp_path: Path) -> None:
    for wm in ("gtsim", "warp"):
        write_small_run(tmp_path / "two", suite, wm, solved_by(ABILITIES[wm]))
    tables = small_tables(suite, tmp_path / "two")
    assert [table.agreement for table in tables.mini] == [None]
    assert "precise: 2 world models, too few to rank" in {lacking.what for lacking in tables.missing}


def test_seconds_are_told_for_two_cores_and_summed_over_all_tiers(suite: Suite, runs: Path, tables: Tables) -> None:
    line = next(line for line in tables.timings if line.name == "gtsim")
    assert line.seconds.value == 4.0 and (line.seconds.n, line.homes, line.workers, line.cores) == (
        EPISODES,
        HOMES,
        2,
        2,
    )
    assert line.hours == pytest.approx(4.0 * EPISODES / 2 / 3600) and line.mini_minutes == pytest.approx(4.0 * 96 / 120)
    assert tables.whole.hours is None
    write_small_run(runs, suite, "gtsim", solved_by(0.9), tier="detour")
    assert small_tables(suite, runs).whole.hours == pytest.approx(2 * line.hours)


def test_the_page_and_its_json_hold_every_table(suite: Suite, tables: Tables, tmp_path: Path) -> None:
    page, numbers = write_tables(tables, tmp_path / "out")
    text = page.read_text()
    assert "## Dose curves" in text
    for heading in ("Tiers", "References", "Range", "Resolution", "Does `mini` keep", "What playing costs", "Missing"):
        assert f"## {heading}" in text
    assert "| `gtsim` | 90.0 [" in text and "**Incomplete: 3 of 4 declared errors were played.**" in text
    assert "≥ 65.0: yes" in text and "≥ 45.0: **no**" in text
    assert "| `precise` | `jitter_m` | 0.2 | 80.0 [" in text
    assert suite.hash("precise") in text and "the command" in text
    plain = json.loads(numbers.read_text(), parse_constant=pytest.fail)
    assert plain["suite"] == suite.name and len(plain["references"]) == 3
    for row in text.splitlines():
        assert not row.startswith("| `gtsim") or "nan" not in row


def test_the_command_writes_the_files_and_refuses_an_empty_folder(
    suite: Suite, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tables_module, "load_suite", lambda name, task: suite)
    monkeypatch.setattr(tables_module, "make_tables", partial(make_tables, resamples=15))
    assert main([str(written), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert (tmp_path / "out" / "embedded-v1.md").exists() and "embedded-v1.json" in said.out
    assert "missing  reference oracle on precise, self-stop" in said.err
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) == 2
    assert "holds no run folder" in capsys.readouterr().err


def test_the_shipped_declarations_name_planted_errors_of_the_catalog_once_each_and_together_all() -> None:
    manifest = (ROOT / "wm_plugins" / "reference" / "plugin.toml").read_text()
    named: set[str] = set()
    for task in ("ignav", "manip"):
        suite = load_suite("embedded-v1", task)
        declared = read_declared(suite)
        own = {error.wm for error in declared.errors}
        assert len(own) == len(declared.errors) and {error.tier for error in declared.errors} <= set(suite.tiers)
        named |= own
    assert named == set(re.findall('name = "(gtsim-[^"]+)"', manifest))


@pytest.mark.parametrize(
    "text",
    [
        '[[errors]]\nwm = "a"\ntier = "b"\nexpected = "huge"',
        "[[errors]",
        '[[curves]]\ntier="a"\nsetting="x"\ndoses=[1.0]',
    ],
)
def test_a_damaged_declaration_is_refused(suite: Suite, text: str) -> None:
    (suite.folder / "resolution.toml").write_text(text)
    with pytest.raises(Refusal, match=r"resolution\.toml"):
        read_declared(replace(suite))


def test_the_overview_has_every_tier_in_one_line(suite: Suite, tables: Tables) -> None:
    text = "\n\n".join(overview(tables))
    solved, told = [line for line in text.splitlines() if line.startswith("| `precise` |")]
    assert solved.endswith("| 120 | 30 |") and "90.0 [" in solved and "50.0 [" in solved
    assert "40.0 [" in told  # gtsim - warp
    (error,) = [line for line in text.splitlines() if line.startswith("| `gtsim-motion-50` |")]
    assert "| large | `precise` | 50.0 [" in error and "not as expected" not in error
    assert list(overview(small_tables(suite))) == []


def test_the_document_shows_the_overview_of_the_tables() -> None:
    tables = (ROOT / "docs" / "science" / "embedded-v1.md").read_text()
    section = tables.split(f"{HEADING}\n", 1)[1].split("\n## ", 1)[0].strip()
    assert section in (ROOT / "docs" / "science.md").read_text()
