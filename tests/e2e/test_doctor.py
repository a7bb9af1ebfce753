"""`doctor` through the command line: the exit code says whether the embedded suite can run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness.cli.app import main
from tests.e2e.conftest import Command

pytest.importorskip("numba")


def checks(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    """Return the findings that `doctor --json` printed, by name."""
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_a_machine_without_docker_is_healthy_enough(benchmark_py: Command, tmp_path: object) -> None:
    done = benchmark_py("doctor", "--json", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    found = checks(done)
    assert done.returncode == 0, found
    assert {check["state"] for check in found.values()} <= {"ok", "warning", "skipped"}
    for name in ("python", "compiler", "suite: embedded-v1"):
        assert found[name]["state"] == "ok", found[name]
    assert found["frame: embedded on the CPU"]["state"] in ("ok", "warning")  # a busy machine is slow: no fault
    assert found["suite: wiw-v1"]["state"] == "warning"
    assert found["docker engine"]["state"] == "warning"
    assert "systemctl start docker" in found["docker engine"]["next_step"]
    for check in found.values():
        assert check["state"] == "ok" or check["meaning"] or check["next_step"] or check["state"] == "skipped", check


def test_a_cache_that_cannot_be_written_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"WIW_CACHE": "/proc/homes", "DOCKER_HOST": "tcp://192.0.2.1:2375", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    assert main(("doctor",)) == 1
    said = capsys.readouterr().out
    assert "Choose another folder: WIW_CACHE=FOLDER" in said
    assert "Unset DOCKER_HOST" in said
