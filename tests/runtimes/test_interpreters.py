"""What another interpreter lacks is told in one message with one command."""

from __future__ import annotations

import shlex
import sys
import venv
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.runtimes.interpreters import SERVICE, check_interpreter


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("a bare one")
    venv.create(folder, with_pip=False)
    return str(folder / "bin" / "python")


def test_all_that_is_missing_is_in_one_command(bare: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_interpreter(bare, "--wm-python", {"nowhere_to_be_found": "nowhere>=1"}, {"not_needed_at_once": "later"})
    for module in (*SERVICE, "nowhere_to_be_found", "not_needed_at_once"):
        assert module in caught.value.what
    command = shlex.split(caught.value.next_step.partition(": ")[2])
    assert command[:4] == [bare, "-m", "pip", "install"]
    assert command[4:] == [*SERVICE.values(), "nowhere>=1", "later"]


def test_what_is_only_likely_needed_is_no_reason() -> None:
    check_interpreter(sys.executable, "--wm-python", {}, {"not_needed_at_once": "later"})


def test_the_users_pythonpath_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_alone.py").touch()
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("PYTHONPATH", tmp_path.name)
    check_interpreter(sys.executable, "--wm-python", {"mine_alone": "mine"})
    with pytest.raises(Refusal, match="PYTHONPATH="):
        check_interpreter(sys.executable, "--wm-python", {"not_even_there": "x"})


def test_what_is_no_python_is_refused() -> None:
    with pytest.raises(Refusal, match=r"--wm-python /bin/sh .*does not work as a Python"):
        check_interpreter("/bin/sh", "--wm-python", {})
