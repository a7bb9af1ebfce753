"""What a user sees of weights, overrides and missing parts: one message, and results that say what was played."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from harness.cli.app import main
from tests.e2e.conftest import Command, results_of

needs_models = pytest.mark.skipif(
    importlib.util.find_spec("diffusers") is None, reason="the extra models is not installed; its own step of CI has it"
)

FT = ("--wm", "FTcosmos", "--task", "ignav")
BASE = "nvidia/Cosmos-Predict2-2B-Video2World"
HEAVY = {"torch", "diffusers", "transformers", "huggingface_hub", "yaml", "scipy", "numba", "av", "pyarrow"} | {
    "grpc", "google.protobuf", "jinja2", "rich", "PIL", "harness.runtimes.images.declared",
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache of the hub and an empty data folder."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("WIW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def test_everything_that_is_missing_is_said_at_once(benchmark_py: Command, tmp_path: Path) -> None:
    done = benchmark_py(*FT, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 2
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "typer" in loaded and not loaded & HEAVY
    said = "\n".join(line for line in done.stderr.splitlines() if not line.startswith("import time:"))
    for part in (
        "FTcosmos on ignav of suite wiw-v1 cannot run here",
        "datasets fetch ignav", "datasets hm3d-val", "FTcosmos's own weights", "--weights /path/to/FTcosmos",
        BASE, f"hf download {BASE}", "NVIDIA", str(tmp_path / "hub"), "--suite embedded --weights random",
    ):  # fmt: skip
        assert part in said
    if "habitat_eval" in said:  # built on some machines
        assert "Docker image" in said or "docker" in said
    assert not list(tmp_path.rglob("run.json"))


@needs_models
def test_weights_alone_are_missing_in_the_embedded_suite(capsys: pytest.CaptureFixture[str]) -> None:
    assert main((*FT, "--suite", "embedded")) == 2
    said = capsys.readouterr().err
    assert "2 things are missing" in said and "--suite embedded --weights random" in said and "dataset" not in said


@needs_models
def test_a_trial_with_random_weights_is_planned_and_stamped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main((*FT, "--suite", "embedded", "--weights", "random", "--set", "steps=3", "--dry-run", "--json")) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["stamps"], facts["weights"], facts["wm_overrides"]) == (["random-weights"], "random", {"steps": 3})


@needs_models
def test_an_uncarded_folder_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / "weights.safetensors").write_text("x")
    arguments = (*FT, "--suite", "embedded", "--weights", str(folder), "--dry-run", "--json")
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "has no card" in said and "--allow-uncarded" in said
    assert main((*arguments, "--allow-uncarded")) == 0
    assert json.loads(capsys.readouterr().out)["stamps"] == ["uncarded"]


def test_a_perspective_model_is_told_at_once_which_suites_can_judge_it(capsys: pytest.CaptureFixture[str]) -> None:
    tier = ("--suite", "embedded", "--tier", "easy")
    assert main(("--wm", "ltx", "--task", "ignav", *tier, "--weights", "random", "--dry-run")) == 2
    said = capsys.readouterr().err
    for part in ("perspective", "embedded-v1/easy", "'classical'", "--suite wiw", "plugin check ltx"):
        assert part in said


def test_a_model_of_a_robot_arm_is_told_at_once_that_navigation_is_not_for_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for suite, said in (((), "wiw-v1, its home suite,"), (("--suite", "embedded"), "embedded-v1 has ignav")):
        assert main(("--wm", "FTsvd-manip", "--task", "ignav", *suite, "--weights", "random", "--dry-run")) == 2
        told = capsys.readouterr().err
        for part in ("'ee_pose8'", said, "'navigation'", "plugin check FTsvd-manip"):
            assert part in told


def test_no_trial_is_advised_that_would_be_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("--wm", "ltx", "--task", "ignav")) == 2
    said = capsys.readouterr().err
    assert "hf download" in said and "python benchmark.py plugin check ltx --weights random" in said
    assert "--suite embedded --weights random" not in said


@pytest.mark.parametrize("name", ["nwm", "se3ds", "pathdreamer"])
def test_code_that_the_user_has_to_supply_is_asked_for_before_anything_starts(
    name: str, benchmark_py: Command, tmp_path: Path
) -> None:
    suite = () if name == "nwm" else ("--suite", "embedded")
    done = benchmark_py("--wm", name, "--task", "ignav", *suite, "--weights", "random", PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.returncode == 2 and "typer" in loaded and not loaded & HEAVY
    for part in ("authors' own code", "git clone https://github.com/", "licence: ", "--set code=/path"):
        assert part in done.stderr
    assert "Without all that" not in done.stderr
    assert not list(tmp_path.rglob("run.json"))


def test_a_model_that_needs_a_network_is_refused_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("--wm", "gen4", "--task", "ignav", "--runtime", "docker")) == 2
    said = capsys.readouterr().err
    assert "needs a network, and a container has none" in said and "--runtime process" in said


def test_the_list_says_home_suite_and_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("list", "wms", "--json")) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["wms"]}
    expected = {"suite": "wiw", "conditioning": "text", "view": "panorama", "weights": "absent"}
    assert expected.items() <= rows["FTcosmos"].items()
    assert rows["warp"]["weights"] == "-"


@pytest.mark.slow
def test_overrides_are_echoed_in_the_results(benchmark_py: Command) -> None:
    options = ("--episodes", "1", "--workers", "1", "--json", "--set", "depth_m=2")
    done = benchmark_py("--wm", "warp", "--task", "ignav", *options)
    assert done.returncode == 0, done.stderr
    results = results_of(done)
    assert results["wm_overrides"] == {"depth_m": 2.0}
    assert results["wm_facts"]["settings"]["depth_m"] == 2.0
    assert results["stamps"] == []
