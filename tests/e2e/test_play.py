"""The main command through the command line: play, repeat, resume, look at it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Command, results_of

pytest.importorskip("numba")

README = Path(__file__).parents[2] / "README.md"
PLAY = ("--task", "ignav", "--episodes", "2", "--json")


@pytest.mark.parametrize("wm", ["none", "copy", "warp", "gtsim"])
def test_every_world_model_plays_and_repeats(benchmark_py: Command, tmp_path: Path, wm: str) -> None:
    one = benchmark_py("--wm", wm, *PLAY)
    assert one.returncode == 0, one.stderr
    results = results_of(one)
    counts = results["episodes"]
    assert counts["planned"] == 2 == counts["ok"] + counts["failed"]
    assert 0.0 <= results["metrics"]["success_rate"]["low"] <= results["metrics"]["success_rate"]["high"] <= 1.0
    two = results_of(benchmark_py("--wm", wm, *PLAY, "--workers", "2"))
    assert two["trajectory_root"] == results["trajectory_root"]
    folder = next(Path(tmp_path / "runs").iterdir())
    for name in ("run.json", "journal.sqlite", "results.json", "results.csv", "results.parquet", "report.html"):
        assert (folder / name).is_file(), name
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [r["episode"] for r in rows] == [
        r["episode"] for r in json.loads((folder / "results.json").read_text())["rows"]
    ]
    for row in rows:
        assert (folder / "episodes" / f"{row['episode']}-s0" / "trajectory.json").is_file()


def test_another_seed_is_another_run_on_the_same_episodes(benchmark_py: Command) -> None:
    zero = results_of(benchmark_py("--wm", "none", *PLAY))
    one = results_of(benchmark_py("--wm", "none", *PLAY, "--seed", "1"))
    both = results_of(benchmark_py("--wm", "none", *PLAY, "--seeds", "0-1"))
    assert one["suite_hash"] == zero["suite_hash"] and one["trajectory_root"] != zero["trajectory_root"]
    assert both["episodes"]["planned"] == 4


def test_a_finished_run_can_be_reported_watched_listed_and_resumed(benchmark_py: Command, tmp_path: Path) -> None:
    first = results_of(benchmark_py("--wm", "copy", *PLAY))
    run = str(next(Path(tmp_path / "runs").iterdir()))
    assert results_of(benchmark_py("report", run, "--json"))["trajectory_root"] == first["trajectory_root"]
    assert results_of(benchmark_py("--resume", run, "--json"))["trajectory_root"] == first["trajectory_root"]
    assert "2/2 episodes" in benchmark_py("watch", run, "--once").stderr
    listed = json.loads(benchmark_py("runs", "--json").stdout)["runs"]
    assert [(r["wm"], r["planned"], r["played"]) for r in listed] == [("copy", 2, 2)]
    assert json.loads(benchmark_py("--wm", "copy", *PLAY, "--dry-run").stdout)["estimate_from"] == Path(run).name


def test_references_are_played_once_and_reused(benchmark_py: Command) -> None:
    arguments = ("--wm", "warp", "--task", "ignav", "--episodes", "1", "--references", "--json")
    first = benchmark_py(*arguments)
    assert first.returncode == 0, first.stderr
    assert {r["name"] for r in results_of(first)["references"]} == {"none", "copy", "warp", "gtsim"}
    again = benchmark_py(*arguments)
    assert again.stderr.count("reused from") == 3


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
    assert results["episodes"]["error"] == 2 and results["partial"]
    assert results["metrics"]["success_rate"]["value"] == 0.0 and results["metrics"]["success_rate"]["n"] == 2
    assert "no weights today" in results_rows(tmp_path)[0]["error"]


def test_the_readme_plugin_plays(benchmark_py: Command, tmp_path: Path) -> None:
    text = README.read_text()
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "plugin.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    (folder / "mine.py").write_text(text.split("```python\n")[1].split("```")[0])
    mine = benchmark_py("--wm", "mine", *PLAY, "--plugins", str(folder))
    assert mine.returncode == 0, mine.stderr
    copied = results_of(benchmark_py("--wm", "copy", *PLAY))
    assert results_of(mine)["metrics"]["path_m"] == copied["metrics"]["path_m"]


def results_rows(folder: Path) -> list[dict[str, str]]:
    """Return the episode rows of the only run below ``folder``."""
    run = next((folder / "runs").iterdir())
    rows: list[dict[str, str]] = json.loads((run / "results.json").read_text())["rows"]
    return rows


def test_a_damaged_home_is_built_again(benchmark_py: Command, homes: Path, tmp_path: Path) -> None:
    before = results_of(benchmark_py("--wm", "copy", *PLAY))
    own = tmp_path / "homes"
    shutil.copytree(homes, own)
    damaged = max((p for p in own.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    for file in own.rglob("*"):
        if file.is_file() and file.stat().st_size > 1_000_000:
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(data)
    assert damaged.exists()
    done = benchmark_py("--wm", "copy", *PLAY, WIW_CACHE=str(own))
    assert done.returncode == 0, done.stderr
    assert results_of(done)["trajectory_root"] == before["trajectory_root"]
    logs = "".join(p.read_text() for p in (tmp_path / "runs").rglob("*.log"))
    assert "checksum" in logs


def test_doctor_and_lists_speak_json(benchmark_py: Command) -> None:
    checks = {c["name"]: c["state"] for c in json.loads(benchmark_py("doctor", "--json").stdout)["checks"]}
    assert checks["python"] == checks["compiler"] == checks["suite: embedded-v1"] == "ok"
    assert checks["suite: wiw-v1"] == "absent"
    names = [r["name"] for r in json.loads(benchmark_py("list", "wms", "--json").stdout)["wms"]]
    assert names == ["copy", "gtsim", "none", "warp"]
    assert json.loads(benchmark_py("list", "tasks", "--json").stdout)["tasks"][0]["name"] == "ignav"
