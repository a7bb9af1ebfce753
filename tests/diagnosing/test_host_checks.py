"""Planted faults of the machine and its Python, each named with its fix."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.diagnosing.findings import OK, PROBLEM, SKIPPED, WARNING, collect
from harness.diagnosing.host_checks import (
    check_compiler,
    check_extra,
    check_folder,
    check_python,
    check_shared_memory,
    check_versions,
)
from tests.diagnosing.disks import mounted

PROJECT = '[project]\ndependencies = ["numpy>={numpy}", "typer>=0.1"]\n[project.optional-dependencies]\nembedded = []\n'
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")


def test_an_old_python() -> None:
    found = check_python((3, 9, 2))
    assert found.state == PROBLEM and "Python 3.11" in found.next_step
    assert check_python().state == OK


def test_a_missing_extra_is_a_problem_only_where_it_is_needed() -> None:
    missing = check_extra("embedded", ("no_such_module",), "the embedded suite", needed=True)
    assert missing.state == PROBLEM and missing.next_step == "pip install -c constraints.txt -e '.[embedded]'"
    assert check_extra("models", ("no_such_module",), "learnt models", needed=False).state == SKIPPED


def versions(folder: Path, least: str, pin: str) -> tuple[str, str, str]:
    (folder / "pyproject.toml").write_text(PROJECT.format(numpy=least))
    (folder / "constraints.txt").write_text(f"# pins\nNumPy=={pin}\n")
    found = check_versions(folder / "pyproject.toml", folder / "constraints.txt")
    return found.state, found.found, found.next_step


def test_a_wrong_package_version(tmp_path: Path) -> None:
    import numpy

    install = "pip install -c constraints.txt"
    state, found, step = versions(tmp_path, "99.1", "99.1")
    assert state == PROBLEM and f"numpy {numpy.__version__} (needs 99.1 or newer)" in found and install in step
    state, found, step = versions(tmp_path, "1.0", "1.0")
    assert state == WARNING and "tested with 1.0" in found and install in step
    assert versions(tmp_path, "1.0", numpy.__version__)[0] == OK


def test_a_compiler_that_does_not_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A numba that fails as it is imported, found before the real one."""
    broken = tmp_path / "numba"
    broken.mkdir()
    (broken / "__init__.py").write_text('raise OSError("libLLVM is missing")')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = check_compiler()
    assert found.state == PROBLEM and "libLLVM is missing" in found.found
    assert "pip install -c constraints.txt -e '.[embedded]'" in found.next_step


@pytest.mark.slow
def test_the_compiler_works_here() -> None:
    assert check_compiler().state == OK


@needs_root
def test_too_little_shared_memory(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=8m"):
        found = check_shared_memory(tmp_path)
    assert found.state == WARNING and f"mount -o remount,size=1G {tmp_path}" in found.next_step
    assert check_shared_memory(tmp_path / "none").state == WARNING


@needs_root
def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=20m"):
        found = check_folder("runs", tmp_path / "not" / "yet", "--out FOLDER")
    assert found.state == PROBLEM and "Free at least 3 GB" in found.next_step and "--out FOLDER" in found.next_step


@needs_root
def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=20m,ro"):
        found = check_folder("homes cache", tmp_path / "homes", "WIW_CACHE=FOLDER")
    assert found.state == PROBLEM and "WIW_CACHE=FOLDER" in found.next_step


def test_a_folder_that_nobody_may_write() -> None:
    found = check_folder("runs", Path("/proc/runs"), "--out FOLDER")
    assert found.state == PROBLEM and "--out FOLDER" in found.next_step


def test_a_check_that_fails_is_a_finding() -> None:
    found = list(collect("machine", lambda: check_folder("x", None, "")))  # type: ignore[arg-type]
    assert [finding.name for finding in found] == ["machine"] and found[0].state == WARNING
