"""The main command through the command line: play, repeat, resume, look at it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from tests.e2e.conftest import PLAY, VALIDATE, WORLD_MODELS, Command, Played, results_of

pytest.importorskip("numba")

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize("wm", WORLD_MODELS)
def test_every_world_model_plays(played: dict[str, Played], wm: str) -> None:
    folder, results = played[wm].folder, played[wm].results
    counts = results["episodes"]
    assert counts["planned"] == 1 == counts["ok"] + counts["failed"]
    assert 0.0 <= results["metrics"]["success_rate"]["low"] <= results["metrics"]["success_rate"]["high"] <= 1.0
    for name in ("run.json", "journal.sqlite", "results.json", "results.csv", "results.parquet", "report.html"):
        assert (folder / name).is_file(), name
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [r["episode"] for r in rows] == [r["episode"] for r in results["rows"]]
    for row in rows:
        assert (folder / "episodes" / f"{row['episode']}-s0" / "trajectory.json").is_file()


@pytest.mark.parametrize("wm", ["copy", "warp", "gtsim"])
def test_the_first_report_has_all_references_and_a_verdict(
    validated: dict[str, Played], tmp_path: Path, capsys: pytest.CaptureFixture[str], wm: str
) -> None:
    """Alone in its folder a run has those that are shipped, and they are what was played here, bit for bit.

    Those that are not played here are played again by a slow test of what is shipped.
    """
    alone = shutil.copytree(validated[wm].folder, tmp_path / wm)
    assert main(("report", str(alone))) == 0
    assert "verdict " in capsys.readouterr().out
    results = json.loads((alone / "results.json").read_text())
    assert {row["name"] for row in results["references"]} == set(WORLD_MODELS)
    for row in results["references"]:
        assert row["this_run"] or "shipped" in row["source"]
        if row["name"] in validated:
            assert row["success"]["value"] == validated[row["name"]].results["metrics"]["success_rate"]["value"]
    assert results["verdict"]["text"] in (alone / "report.html").read_text()


@pytest.mark.slow
def test_two_workers_play_what_one_played(benchmark_py: Command, validated: dict[str, Played]) -> None:
    """That outcomes depend on no number of workers, fast tests of runs and of measurements show too.

    `none`, `copy` and `gtsim` are repeated by the tests of seeds, of a damaged home and of references.
    """
    done = benchmark_py("--wm", "warp", *VALIDATE, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert results_of(done)["trajectory_root"] == validated["warp"].results["trajectory_root"]


def test_another_seed_is_another_run_on_the_same_episodes(
    benchmark_py: Command, played: dict[str, Played], tmp_path: Path
) -> None:
    done = benchmark_py("--wm", "none", *PLAY, "--seeds", "0-1")
    assert done.returncode == 0, done.stderr
    both, before = results_of(done), played["none"].results
    assert both["suite_hash"] == before["suite_hash"]
    assert both["episodes"]["planned"] == 2
    digests = {row["episode"]: row["trajectory_digest"] for row in before["rows"]}
    zero, one = sorted(rows_of(tmp_path), key=lambda row: int(row["seed"]))
    assert zero["episode"] == one["episode"]
    assert zero["trajectory_digest"] == digests[zero["episode"]] != one["trajectory_digest"]


def test_a_finished_run_can_be_reported_watched_listed_and_resumed(
    benchmark_py: Command,
    played: dict[str, Played],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Resumed by a process of its own; what only looks at the run is asked inside this one."""
    first = played["copy"]
    run = str(shutil.copytree(first.folder, tmp_path / "runs" / first.folder.name))
    root = first.results["trajectory_root"]
    assert results_of(benchmark_py("--resume", run, "--json"))["trajectory_root"] == root
    monkeypatch.chdir(tmp_path)
    assert main(("report", run, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["trajectory_root"] == root
    assert main(("watch", run, "--once")) == 0
    assert "1/1 episodes" in capsys.readouterr().err
    assert main(("runs", "--json")) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    assert [(r["wm"], r["planned"], r["played"]) for r in listed] == [("copy", 1, 1)]
    assert main(("--wm", "copy", *PLAY, "--dry-run")) == 0
    assert json.loads(capsys.readouterr().out)["estimate_from"] == first.folder.name


def test_references_are_played_once_and_reused(
    benchmark_py: Command, runs: Path, played: dict[str, Played], tmp_path: Path
) -> None:
    first = played["gtsim"].results
    assert {r["name"] for r in first["references"]} == set(WORLD_MODELS)
    own = shutil.copytree(runs, tmp_path / "runs")
    again = benchmark_py("--wm", "gtsim", *PLAY, "--references", "--out", str(own))
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("reused from") == len(WORLD_MODELS) - 1
    assert results_of(again)["trajectory_root"] == first["trajectory_root"]


def test_a_dead_plugin_is_an_error_row_and_a_partial_run(benchmark_py: Command, tmp_path: Path) -> None:
    family = tmp_path / "plugins" / "crash"
    family.mkdir(parents=True)
    (family / "plugin.toml").write_text(
        '[family]\nname = "crash"\nentry_point = "crash_model:Crash"\n[[model]]\nname = "crash"\n'
    )
    (family / "crash_model.py").write_text(
        "from harness.wire.sdk import WorldModel\n"
        "class Crash(WorldModel):\n"
        "    def imagine(self, request):\n"
        "        raise RuntimeError('no weights today')\n"
    )
    done = benchmark_py("--wm", "crash", *PLAY, "--plugins", str(family.parent))
    assert done.returncode == 3, done.stderr
    results = results_of(done)
    assert results["episodes"]["error"] == 1 and results["partial"]
    assert results["metrics"]["success_rate"]["value"] == 0.0 and results["metrics"]["success_rate"]["n"] == 1
    assert "no weights today" in rows_of(tmp_path)[0]["error"]


def test_the_readme_plugin_plays(benchmark_py: Command, played: dict[str, Played], tmp_path: Path) -> None:
    text = README.read_text()
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "plugin.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    (folder / "mine.py").write_text(text.split("```python\n")[1].split("```")[0])
    mine = benchmark_py("--wm", "mine", *PLAY, "--plugins", str(folder))
    assert mine.returncode == 0, mine.stderr
    assert results_of(mine)["metrics"]["path_m"] == played["copy"].results["metrics"]["path_m"]


@pytest.mark.slow
def test_a_damaged_home_is_built_again(
    benchmark_py: Command, homes: Path, played: dict[str, Played], tmp_path: Path
) -> None:
    own = shutil.copytree(homes, tmp_path / "homes")
    files = list(own.glob("*.home"))
    assert files
    for file in files:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    done = benchmark_py("--wm", "copy", *PLAY, WIW_CACHE=str(own))
    assert done.returncode == 0, done.stderr
    digests = {row["episode"]: row["trajectory_digest"] for row in played["copy"].results["rows"]}
    (row,) = rows_of(tmp_path)
    assert row["trajectory_digest"] == digests[row["episode"]]
    logs = "".join(p.read_text() for p in (tmp_path / "runs").rglob("*.log"))
    assert "checksum" in logs


def test_lists_speak_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("list", "wms", "--json")) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["wms"]]
    assert {"copy", "gtsim", "none", "warp", "FTcosmos"} <= set(names) and names == sorted(names)
    assert main(("list", "tasks", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["tasks"][0]["name"] == "ignav"


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Return the episode rows of the only run below ``folder``."""
    run = next((folder / "runs").iterdir())
    rows: list[dict[str, Any]] = json.loads((run / "results.json").read_text())["rows"]
    return rows
