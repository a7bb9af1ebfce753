"""`bank` through the command line, on a small bank of one home that the maker's own code makes here."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from tasks.bank_files import DECISIONS, bank_bytes
from tasks.ignav.make_bank import home_jobs, states_of_home
from tasks.suite import load_suite
from tests.e2e.conftest import Command, Played, results_of, run_benchmark

pytest.importorskip("numba")

SUITE = load_suite("embedded-v1")
STATES = 4
PLUGIN = """
from harness.wire.sdk import Rollout, WorldModel
import numpy as np

class Sized(WorldModel):
    def imagine(self, request):
        if self.manifest.settings.get("breaks"):
            raise RuntimeError("no weights today")
        return Rollout(request.id, np.stack([request.view for _ in request.frames]), request.camera)
"""


@pytest.fixture(scope="session")
def bank(shared: Path, homes: Path) -> Path:
    """A bank of the first states of tier ``easy``, made once a session."""
    path = shared / "bank.zip"
    if not path.exists():
        job = home_jobs(SUITE, str(homes))[0]
        made = states_of_home(replace(job, episodes=job.episodes[: STATES // DECISIONS]))
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(bank_bytes(SUITE, {"easy": made.states}, made.images))
        temporary.replace(path)
    return path


@pytest.fixture(scope="session")
def oracle(shared: Path, homes: Path, bank: Path) -> Path:
    """A folder in which the oracle was measured on the bank, once a session; what the command printed lies beside."""
    folder = shared / "oracle"
    with (shared / "oracle-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = shared / "oracle-made"
            made.mkdir(exist_ok=True)
            done = run_benchmark(arguments("oracle", bank, "--json"), made, homes)
            assert done.returncode == 0, done.stderr
            (made / "printed.json").write_text(done.stdout)
            made.rename(folder)
    return folder


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """Plugins of three kinds: one of the large panorama, one that breaks, and a perspective one."""
    family = tmp_path / "plugins" / "sized"
    family.mkdir(parents=True)
    (family / "plugin.toml").write_text(
        '[family]\nname = "sized"\nentry_point = "sized:Sized"\n'
        '[[model]]\nname = "large"\nheight = 288\nwidth = 512\n'
        '[[model]]\nname = "broken"\nsettings = { breaks = true }\n'
        '[[model]]\nname = "narrow"\nview = "perspective"\nheight = 64\nwidth = 64\n'
    )
    (family / "sized.py").write_text(PLUGIN)
    return family.parent


def arguments(wm: str, bank: Path, *more: str) -> tuple[str, ...]:
    return ("bank", "--wm", wm, "--bank", str(bank), "--workers", "1", *more)


def measurements(folder: Path) -> list[Path]:
    return sorted((folder / "runs").glob("bank-*"))


def test_the_simulator_decides_as_in_its_run(
    benchmark_py: Command, bank: Path, validated: dict[str, Played], tmp_path: Path
) -> None:
    done = benchmark_py(*arguments("gtsim", bank, "--json"))
    assert done.returncode == 0, done.stderr
    results = results_of(done)
    assert results["states"] == {"planned": STATES, "answered": STATES, "error": 0, "pending": 0}
    assert results["simulator"] == "world model" and results["stamps"] == []
    (folder,) = measurements(tmp_path)
    for name in ("results.json", "results.csv", "results.parquet"):
        assert (folder / name).is_file()
    episode = json.loads((folder / "results.json").read_text())["rows"][0]["episode"].removesuffix("-d0")
    first = decision(folder / "states" / "episodes" / f"{episode}-d0-s0")
    loop = decision(validated["gtsim"].folder / "episodes" / f"{episode}-s0")
    assert first["scores"] == loop["scores"] and first["distance_m"] == loop["distance_m"]


def test_outcomes_are_equal_whatever_the_workers_and_go_on_where_they_stopped(
    benchmark_py: Command, bank: Path, tmp_path: Path
) -> None:
    whole = benchmark_py(*arguments("warp", bank, "--json"))
    assert whole.returncode == 0, whole.stderr
    root = results_of(whole)["trajectory_root"]
    assert results_of(whole)["simulator"] is None
    (folder,) = measurements(tmp_path)
    forget(folder, "d1")
    again = benchmark_py(*arguments("warp", bank, "--json", "--workers", "2"))
    assert again.returncode == 0, again.stderr
    assert measurements(tmp_path) == [folder]  # it went on
    assert results_of(again)["trajectory_root"] == root and "/4 states" in again.stderr
    anew = benchmark_py(*arguments("warp", bank, "--against", str(folder)))
    assert anew.returncode == 0, anew.stderr
    assert len(measurements(tmp_path)) == 2 and f"root    {root}" in anew.stdout
    assert "paired  0.000 m [0.000, 0.000]  regret_m minus that of warp  p = 1" in anew.stdout


def test_references_need_no_service_and_the_oracle_loses_nothing(
    benchmark_py: Command, bank: Path, oracle: Path
) -> None:
    none = benchmark_py(*arguments("none", bank, "--json"))
    assert none.returncode == 0, none.stderr
    best = json.loads((oracle / "printed.json").read_text())
    measures = best["measures"]
    assert measures["regret_m"]["value"] <= 1e-6 and measures["top_1"]["value"] == 1.0
    assert results_of(none)["measures"]["rank_correlation"] is None
    assert results_of(none)["bank_hash"] == best["bank_hash"]


def test_a_model_of_larger_views_is_shown_them(benchmark_py: Command, bank: Path, plugins: Path) -> None:
    done = benchmark_py(*arguments("large", bank, "--plugins", str(plugins), "--set", "steps=3", "--json"))
    assert done.returncode == 0, done.stderr
    assert "large wants a view that the bank does not hold: embedded renders it" in done.stderr
    results = results_of(done)
    assert results["simulator"] == "further view" and results["wm_overrides"] == {"steps": 3}


def test_a_model_that_breaks_is_counted_and_partial(
    benchmark_py: Command, bank: Path, plugins: Path, tmp_path: Path
) -> None:
    done = benchmark_py(*arguments("broken", bank, "--plugins", str(plugins), "--max-failures", "0"))
    assert done.returncode == 3, done.stderr
    assert f"errors  {STATES} of {STATES} states" in done.stdout and "PARTIAL: 0/4 states answered" in done.stderr
    results = json.loads((measurements(tmp_path)[0] / "results.json").read_text())
    assert results["partial"] and results["measures"]["regret_m"] is None
    assert results["measures"]["top_1"]["value"] == 0.0 and "no weights today" in results["rows"][0]["error"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--wm", "narrow"), "no decision bank"),
        (("--wm", "narrow", "--tier", "easy"), "narrow"),
        (("--wm", "warpp"), "warp"),
        (("--wm", "warp", "--tier", "precise"), "holds no states of 'precise'"),
        (("--wm", "warp", "--suite", "wiw"), "wiw-v1"),
        (("--wm", "warp", "--against", "nowhere"), "not a measurement"),
        ((), "--wm missing"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(
    bank: Path,
    plugins: Path,
    tmp_path: Path,
    more: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(("bank", "--bank", str(bank), "--plugins", str(plugins), *more)) == 2
    assert said in capsys.readouterr().err and not measurements(tmp_path)


def test_measurements_are_no_runs(
    oracle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(oracle / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    assert main(("runs", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []
    assert main(("report", str(measurements(tmp_path)[0]))) == 2
    assert "is not a run folder: it is a measurement on a decision bank" in capsys.readouterr().err


@pytest.mark.slow
def test_the_makers_states_do_not_depend_on_the_process(homes: Path, bank: Path) -> None:
    from multiprocessing import get_context

    job = home_jobs(SUITE, str(homes))[0]
    with get_context("spawn").Pool(1) as pool:
        there = pool.apply(states_of_home, (job,))
    here = states_of_home(job)
    assert (there.states, there.images) == (here.states, here.images)
    assert len(here.states) == DECISIONS * len(job.episodes)


def test_every_validation_episode_of_every_tier_is_in_a_job() -> None:
    jobs = home_jobs(SUITE, "")
    asked = [episode.id for job in jobs for episode in job.episodes]
    tiers = [tier for tier in SUITE.tiers.values() if tier.episodes_of == tier.name]
    assert asked == [episode.id for tier in tiers for episode in SUITE.episodes(tier.name, "validation")]


def decision(folder: Path) -> dict[str, Any]:
    """Return the first decision of an episode's folder."""
    record: dict[str, Any] = json.loads((folder / "trajectory.json").read_text())
    found: dict[str, Any] = record["trajectory"]["decisions"][0]
    return found


def forget(folder: Path, ending: str) -> None:
    """Make a measurement one that was interrupted before the states whose names end so."""
    states = folder / "states"
    for path in states.glob(f"episodes/*-{ending}-s0"):
        shutil.rmtree(path)
    with sqlite3.connect(states / "journal.sqlite") as journal:
        journal.execute(
            "UPDATE episodes SET state = 'planned', attempts = 0, trajectory_digest = '', metrics = '{}', "
            f"timings = '{{}}', committed_at = NULL WHERE episode LIKE '%-{ending}'"
        )
        journal.execute("DROP TABLE chain")  # which would tell that nobody was interrupted
    journal.close()
