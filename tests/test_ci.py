"""CI runs once more what failed, names what passed only then, and fails where that happened before.

What one machine skipped can be run on another.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TWICE = ROOT / ".ci" / "twice.py"
PLAIN = ("-p", "no:hypothesispytest", "-p", "no:benchmark", "-p", "no:cov", "test_it.py")

LATE = """
from pathlib import Path

def test_late():
    mark = Path("was-here")
    if not mark.exists():
        mark.touch()
        raise AssertionError("late")

def test_sure():
    pass
"""

PARTS = """
import os
import pytest

here = pytest.mark.skipif("HERE" not in os.environ, reason="this machine lacks it")

@here
@pytest.mark.parametrize("word", ["a b", "c::d"])
def test_elsewhere(word):
    pass

def test_anywhere():
    pass

@pytest.mark.xfail
def test_never():
    raise AssertionError
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text(LATE)
    return tmp_path


def twice(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "WIW_FLAKY", "WIW_PYTEST"))
    }
    return subprocess.run(
        [sys.executable, str(TWICE), *arguments],
        cwd=project, env={**environment, **variables}, capture_output=True, text=True,
    )  # fmt: skip


def test_what_passes_the_second_time_is_named_and_fails_when_it_happens_again(project: Path) -> None:
    done = twice(project, "1", "tests", *PLAIN)
    assert done.returncode == 0 and "1 failed" in done.stdout and "1 passed, 1 deselected" in done.stdout
    told = twice(project, "1", "told")
    assert (told.returncode, told.stderr) == (0, "flaky once: test_it.py::test_late\n")

    (project / "was-here").unlink()
    assert twice(project, "2", "tests", *PLAIN).returncode == 0
    told = twice(project, "2", "told")
    assert told.returncode == 1 and "flaky 2 times: test_it.py::test_late\n" in told.stderr
    assert "flaky.txt" in told.stderr
    assert (twice(project, "3", "told").returncode, twice(project, "3", "told").stderr) == (0, "")


def test_the_history_may_lie_elsewhere(project: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "history"
    kept.parent.mkdir()
    kept.write_text("0 test_it.py::test_late\n1 test_it.py::test_late\n")
    assert twice(project, "1", "told", WIW_FLAKY_HISTORY=str(kept)).returncode == 1
    assert twice(project, "1", "told").returncode == 0


def test_what_fails_twice_fails_and_is_not_flaky(project: Path) -> None:
    (project / "test_it.py").write_text("def test_wrong():\n    assert 1 == 2\n")
    assert twice(project, "1", "tests", *PLAIN).returncode == 1
    assert (twice(project, "1", "told").returncode, twice(project, "1", "told").stderr) == (0, "")


def test_what_failed_in_another_command_is_run_once_more(project: Path) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    first = [sys.executable, "-m", "pytest", *PLAIN]
    assert subprocess.run(first, cwd=project, env=plain, capture_output=True).returncode == 1
    done = twice(project, "1", "again", *PLAIN)
    assert done.returncode == 0 and "1 passed, 1 deselected" in done.stdout
    assert "flaky once: test_it.py::test_late" in twice(project, "1", "told").stderr
    assert twice(project, "2", "again", *PLAIN).returncode == 1, "nothing failed that could pass now"


def test_what_one_machine_skipped_is_run_on_another(tmp_path: Path) -> None:
    (tmp_path / "test_parts.py").write_text(PARTS)
    (tmp_path / "test_whole.py").write_text("import pytest\nos = pytest.importorskip('no_such_module')")
    command = [sys.executable, "-m", "pytest", "-p", "no:benchmark", "-p", "no:cov"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    variables |= {"PYTHONPATH": str(ROOT), "WIW_SKIPPED": "skipped"}
    subprocess.run([*command, "-n", "2", "-p", "tests.e2e.skipped"], cwd=tmp_path, env=variables, capture_output=True)
    skipped = (tmp_path / "skipped").read_text().splitlines()
    elsewhere = [f"test_parts.py::test_elsewhere[{word}]" for word in ("a b", "c::d")]
    assert sorted(skipped) == [*elsewhere, "test_whole.py"]
    done = subprocess.run(
        [*command, "@skipped"], cwd=tmp_path, env={**variables, "HERE": "1"}, capture_output=True, text=True
    )
    assert "2 passed, 1 skipped" in done.stdout
