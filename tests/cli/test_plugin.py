"""`plugin new` and `plugin check` as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.app import main

ROOT = Path(__file__).parents[2]
CHEATS = ROOT / "tests" / "conformance" / "cheats"


def benchmark(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmark.py", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_a_new_plugin_conforms_plays_and_passes_its_own_test(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="the embedded homes need numba")
    made = benchmark("plugin", "new", "evening", "--into", str(tmp_path))
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "evening"
    checked = benchmark("plugin", "check", str(folder), "--json")
    assert checked.returncode == 0, checked.stdout
    report = json.loads(checked.stdout)
    assert report["conforms"] and report["model"] == "evening"
    assert {check["state"] for check in report["checks"]} == {"passed", "reported"}
    assert "22/22 checks" in checked.stderr
    words = ["--wm", "evening", "--task", "ignav", "--plugins", str(folder), "--episodes", "1"]
    played = benchmark(*words, "--workers", "1", "--out", str(tmp_path / "runs"), "--json")
    assert played.returncode == 0, played.stderr
    assert json.loads(played.stdout)["episodes"]["error"] == 0
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", str(folder), "-q", "-p", "no:cacheprovider", "-o", "addopts="],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "3 passed" in tested.stdout, tested.stdout


@pytest.mark.slow
def test_a_cheat_costs_exit_code_1_and_says_what_to_do() -> None:
    pytest.importorskip("numba", reason="the embedded homes need numba")
    words = ("--model", "cached", "--only", "handshake", "--only", "view used")
    checked = benchmark("plugin", "check", str(CHEATS), *words)
    assert checked.returncode == 1, checked.stderr
    assert "does not conform: 1 of 2 checks failed" in checked.stdout
    assert "never cache replies" in checked.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check", "wrap"), "warp"),
        (("check", "gtsim"), "kind 'environment'"),
        (("check", str(CHEATS)), "--model"),
        (("check", str(CHEATS), "--model", "swaped"), "swapped"),
        (("check", "warp", "--only", "speeed"), "speed"),
        (("check", str(ROOT / "tests")), "plugin.toml"),
        (("check", "/no-such-folder"), "there is no folder /no-such-folder."),
        (("check", str(ROOT / "wm_plugins" / "difusers")), f"Did you mean '{ROOT / 'wm_plugins' / 'diffusers'}'?"),
        (("new", "warp"), "already"),
        (("new", "no name"), "letters"),
    ],
)
def test_wrong_words_are_refused(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("plugin", *words)) == 2
    said = capsys.readouterr().err
    assert says in said and "Traceback" not in said
