"""The bank's table sets the same world model beside itself, ranks as scipy does, and tells what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from harness.scoring.bank import differences
from harness.scoring.data import load_run
from harness.studies.all_tables import Tables
from harness.studies.bank_agreement import BankLine, BankTable
from harness.studies.tables import write_tables
from tasks.suite import Suite
from tests.studies.small_bank import STATES_HASH, regrets, write_small_bank
from tests.studies.small_suite import EPISODES, HOMES, small_suite, small_tables, solved_by, write_small_run

ABILITIES = {"gtsim": 0.9, "gtsim-jitter-20cm": 0.8, "warp": 0.5, "none": 0.1}
LOST = {"gtsim": 0.1, "gtsim-jitter-20cm": 0.2, "warp": 0.5, "none": 1.0}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    root, suite = folder / "runs", small_suite(folder / "suite")
    for wm, ability in ABILITIES.items():
        write_small_run(root, suite, wm, solved_by(ability))
        write_small_bank(root, suite, wm, regrets(LOST[wm]), ranked=wm != "none")
    return root


def table_of(tables: Tables) -> BankTable:
    (table,) = tables.bank
    return table


def value(line: BankLine, name: str) -> float:
    found = line.measures[name]
    assert found is not None
    return found.value


def test_each_line_is_one_world_model_on_the_bank_and_in_the_loop(tables: Tables) -> None:
    table = table_of(tables)
    assert (table.tier, table.states_hash, table.states, table.bank_homes) == ("precise", STATES_HASH, 40, 10)
    assert (table.episodes, table.homes) == (EPISODES, HOMES)
    assert [line.name for line in table.lines] == list(LOST)
    for line in table.lines:
        assert line.success.value == pytest.approx(ABILITIES[line.name])
        assert value(line, "regret_m") == pytest.approx(sum(regrets(LOST[line.name])) / 40)
        assert value(line, "self_regret_m") == pytest.approx(value(line, "regret_m") + 0.01)
        assert (line.measures["rank_correlation"] is None) == (line.name == "none")
        assert line.commands[0] == f"python benchmark.py bank --wm {line.name} --suite embedded-v1 --tier precise"
        assert f"--wm {line.name} " in line.commands[1] and "--stop self" in line.commands[1]


def test_regret_over_the_simulators_is_paired_by_state(written: Path, tables: Tables) -> None:
    lines = {line.name: line for line in table_of(tables).lines}
    assert lines["gtsim"].over_ceiling["regret_m"] is None
    found = lines["warp"].over_ceiling["regret_m"]
    folders = [written / lines[name].measurement / "states" for name in ("warp", "gtsim")]
    from harness.records.folder import RunFolder

    expected = differences(*(load_run(RunFolder.open(folder)) for folder in folders))["regret_m"]
    assert lines["warp"].over_ceiling["self_regret_m"] is not None
    assert lines["gtsim"].over_ceiling["self_regret_m"] is None
    assert found == expected and found is not None and found.value.value > 0.0 and found.p < 0.01


def test_agreement_is_that_of_scipy_and_signs_are_turned(suite: Suite, runs: Path) -> None:
    write_small_run(runs, suite, "copy", solved_by(0.85))  # second in the loop, third on the bank
    write_small_bank(runs, suite, "copy", regrets(0.3))
    table = table_of(small_tables(suite, runs))
    success = [line.success.value for line in table.lines]
    for agreement, values in (
        (table.agreements[0], [-value(line, "regret_m") for line in table.lines]),
        (table.agreements[2], [value(line, "top_1") for line in table.lines]),
    ):
        assert agreement.kendall.value == pytest.approx(stats.kendalltau(values, success).statistic)
        assert agreement.spearman.value == pytest.approx(stats.spearmanr(values, success).statistic)
        assert agreement.kendall.low <= agreement.kendall.value <= agreement.kendall.high
        assert agreement.kendall.n == 5
    assert [agreement.measure for agreement in table.agreements] == ["regret_m", "self_regret_m", "top_1"]
    assert 0.0 < table.agreements[0].kendall.value < 1.0


def test_what_one_side_lacks_is_told_with_its_command(suite: Suite, runs: Path) -> None:
    write_small_run(runs, suite, "gtsim", solved_by(0.7), overrides={"jitter_m": 0.3})
    write_small_bank(runs, suite, "homing", regrets(0.9))
    told = {lacking.what: lacking.command for lacking in small_tables(suite, runs).missing}
    command = told["bank of precise: gtsim (jitter_m=0.3)"]
    assert command == "python benchmark.py bank --wm gtsim --suite embedded-v1 --tier precise --set jitter_m=0.3"
    assert "--wm homing --task ignav" in next(c for w, c in told.items() if "homing on precise, self-stop" in w)
    assert not any(what.startswith("bank of detour") for what in told)


def test_another_manifest_is_another_world_model(suite: Suite, runs: Path) -> None:
    write_small_run(runs, suite, "wm", solved_by(0.7), settings={"steps": 4})
    write_small_bank(runs, suite, "wm", regrets(0.2), settings={"steps": 8})
    tables = small_tables(suite, runs)
    assert "wm" not in {line.name for line in tables.bank[0].lines}
    assert any("wm as it was played (its manifest is another)" in lacking.what for lacking in tables.missing)


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "other-states": ({"states_hash": "ab" * 32, "created_at": 1.0}, "states abababababab, and the bank's are"),
    "partial": ({"broken": 3}, "PARTIAL: 37 of 40"),
    "another-hash": ({"changes": {"suite_hash": "0" * 64}}, "suite hash 000000000000, and the tier's is"),
    "another-suite": ({"changes": {"suite": "embedded-v2"}}, "measured on embedded-v2"),
    "older": ({"created_at": 1.0, "wm": "warp"}, "is taken in its place"),
}


@pytest.fixture(scope="module")
def beside_odd_ones(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder = tmp_path_factory.mktemp("odd")
    runs, suite = Path(shutil.copytree(written, folder / "runs")), small_suite(folder / "suite")
    for name, (arguments, _) in ODD.items():
        write_small_bank(runs, suite, **{"wm": "copy", "lost": regrets(0.1), "name": name, **arguments})
    return small_tables(suite, runs)


@pytest.mark.parametrize("name", ODD)
def test_a_measurement_of_something_else_is_passed_over(beside_odd_ones: Tables, name: str) -> None:
    passed = {run.run_id: run.reason for run in beside_odd_ones.passed_over}
    assert ODD[name][1] in passed[name]
    assert {line.name for line in beside_odd_ones.bank[0].lines} == set(LOST)


def test_two_world_models_are_shown_and_not_ranked(suite: Suite, tmp_path: Path) -> None:
    for wm in ("gtsim", "warp"):
        write_small_run(tmp_path / "two", suite, wm, solved_by(ABILITIES[wm]))
        write_small_bank(tmp_path / "two", suite, wm, regrets(LOST[wm]))
    table = table_of(small_tables(suite, tmp_path / "two"))
    assert len(table.lines) == 2 and table.agreements == ()


def test_measurements_may_lie_in_a_folder_of_their_own(suite: Suite, runs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "banks"
    elsewhere.mkdir()
    for folder in runs.glob("bank-*"):
        folder.rename(elsewhere / folder.name)
    assert [line.name for line in table_of(small_tables(suite, runs, elsewhere)).lines] == list(LOST)


def test_the_page_has_the_section_where_there_are_measurements_alone(
    suite: Suite, runs: Path, tables: Tables, tmp_path: Path
) -> None:
    page, numbers = write_tables(tables, tmp_path / "out")
    text = page.read_text()
    assert "## Does the decision bank rank as the loop does?" in text and "### `precise` on the bank" in text
    assert f"| `none` | {sum(regrets(1.0)) / 40:.3f} [" in text and f"`{STATES_HASH[:12]}…`" in text
    assert "python benchmark.py bank --wm warp" in text
    plain = json.loads(numbers.read_text(), parse_constant=pytest.fail)
    assert plain["bank"][0]["lines"][3]["measures"]["rank_correlation"] is None
    for folder in runs.glob("bank-*"):
        folder.rename(tmp_path / folder.name)
    without = small_tables(suite, runs)
    page, numbers = write_tables(without, tmp_path / "out")
    assert "## Does the decision bank" not in page.read_text() and json.loads(numbers.read_text())["bank"] == []
    assert not any("bank" in lacking.what for lacking in without.missing)
