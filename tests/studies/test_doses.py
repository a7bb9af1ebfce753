"""Dose curves are frozen from runs, belong to one hash, and are read by the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import results as cli_results
from harness.contracts.errors import Refusal
from harness.studies import doses as doses_module
from harness.studies.doses import DOSES, CurveData, main, make_doses, read_curves, write_doses
from tasks.suite import Suite
from tests.studies.small_suite import EPISODES, HOMES, small_suite, solved_by, write_small_run


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three doses of jitter on `precise`, one made by --set, among runs that are no dose of it."""
    folder = tmp_path_factory.mktemp("written")
    root, suite = folder / "runs", small_suite(folder / "suite")
    write_small_run(root, suite, "gtsim", solved_by(0.9))
    write_small_run(root, suite, "gtsim", solved_by(0.8), overrides={"jitter_m": 0.1})
    write_small_run(root, suite, "gtsim-jitter-20cm", solved_by(0.6), settings={"jitter_m": 0.2})
    write_small_run(root, suite, "gtsim", solved_by(0.1), overrides={"jitter_m": 0.2, "blur_px": 3.0})
    write_small_run(root, suite, "gtsim", solved_by(0.2), overrides={"hue_deg": 30.0})
    write_small_run(root, suite, "gtsim", solved_by(0.3), overrides={"jitter_m": 0.3}, seeds=(0, 1))
    write_small_run(root, suite, "warp", solved_by(0.5), overrides={"jitter_m": 0.4})
    return root


def jitter(suite: Suite, runs: Path) -> CurveData:
    curve = make_doses(suite, [runs]).curves[0]
    assert (curve.tier, curve.setting) == ("precise", "jitter_m")
    return curve


def test_a_curve_holds_the_runs_with_one_error_alone(suite: Suite, runs: Path) -> None:
    curve = jitter(suite, runs)
    assert [point.dose for point in curve.points] == [0.0, 0.1, 0.2]
    assert [point.success for point in curve.points] == pytest.approx([0.9, 0.8, 0.6])
    assert curve.suite_hash == suite.hash("precise")
    for point in curve.points:
        assert (point.n, point.homes) == (EPISODES, HOMES)
        assert point.low < point.success < point.high
    assert curve.points[1].command.endswith("--set jitter_m=0.1")


def test_doses_that_nobody_played_are_told(suite: Suite, runs: Path) -> None:
    doses = make_doses(suite, [runs])
    commands = {what: lacking.command for lacking in doses.missing for what in lacking.what.split("; ")}
    assert commands["jitter_m 0.4 on precise"].endswith("--tier precise --split test --episodes all --stop self "
                                                        "--set jitter_m=0.4")  # fmt: skip
    assert commands["through_obstacles 1 on detour"].endswith("--set through_obstacles=true")
    assert "through_obstacles 0 on detour" in commands and "jitter_m 0.2 on precise" not in commands
    assert [curve.setting for curve in doses.curves] == ["jitter_m"]


def test_walls_have_two_doses(suite: Suite, runs: Path) -> None:
    write_small_run(runs, suite, "gtsim", solved_by(0.8), tier="detour")
    write_small_run(runs, suite, "gtsim-walls", solved_by(0.1), tier="detour", settings={"through_obstacles": True})
    walls = make_doses(suite, [runs]).curves[1]
    assert [point.dose for point in walls.points] == [0.0, 1.0]
    assert [point.success for point in walls.points] == pytest.approx([0.8, 0.1])


def test_without_the_simulator_there_is_no_curve(suite: Suite, tmp_path: Path) -> None:
    write_small_run(tmp_path / "lone", suite, "gtsim", solved_by(0.8), overrides={"jitter_m": 0.1})
    with pytest.raises(Refusal, match="no dose curve can be made"):
        make_doses(suite, [tmp_path / "lone"])


def test_what_is_written_is_what_is_read(suite: Suite, runs: Path) -> None:
    assert read_curves(suite) == ()
    curve = jitter(suite, runs)
    write_doses(suite.folder / DOSES, suite, [curve])
    assert read_curves(suite) == (curve.curve(),)
    before = (suite.folder / DOSES).read_bytes()
    write_doses(suite.folder / DOSES, suite, [jitter(suite, runs)])
    assert (suite.folder / DOSES).read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"dose": 0.1', '"dose": 0.5'),
        ('"jitter_m"', '"wobble"'),
        ('"success": 0.9', '"success": 90'),
        ('"n": 120', '"n": 0'),
        ("{", "["),
    ],
)
def test_a_damaged_file_is_refused(suite: Suite, runs: Path, old: str, new: str) -> None:
    path = suite.folder / DOSES
    write_doses(path, suite, [jitter(suite, runs)])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(Refusal, match=r"doses\.json"):
        read_curves(suite)


def test_the_report_tells_what_a_world_model_is_worth(
    suite: Suite, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_results, "load_suite", lambda name, task: suite)
    own = tmp_path / "own"
    folder = write_small_run(own, suite, "mine", solved_by(0.7), files=True)
    assert not any(line.startswith("worth") for line in cli_results.finish(folder, own).lines)

    write_doses(suite.folder / DOSES, suite, [jitter(suite, runs)])
    files = cli_results.finish(folder, own)
    said = [line for line in files.lines if "worth" in line]
    assert len(said) == 1 and said[0].startswith("verdict worth gtsim with 0.15 m of jitter (")
    assert json.loads((folder.path / "results.json").read_text())["error_equivalents"][0]["dose"] == pytest.approx(0.15)
    assert "worth gtsim with 0.15 m of jitter" in (folder.path / "report.html").read_text()

    hashed = {"suite_hash": "0" * 64}
    other = write_small_run(own, suite, "mine", solved_by(0.7), run_id="other", changes=hashed, files=True)
    assert not any(line.startswith("worth") for line in cli_results.finish(other, own).lines)


def test_the_command_writes_into_the_suite(
    suite: Suite, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doses_module, "load_suite", lambda name, task: suite)
    assert main([str(runs)]) == 0
    said = capsys.readouterr()
    assert "precise jitter_m  0: 90.0 %, 0.1: 80.0 %, 0.2: 60.0 %" in said.out
    assert "missing  jitter_m 0.4 on precise" in said.err
    assert len(read_curves(suite)) == 1
