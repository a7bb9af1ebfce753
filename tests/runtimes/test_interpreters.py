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


def script(folder: Path, text: str) -> str:
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("exit 0", "it ends with 0 and does not answer"),
        ("echo no licence >&2; exit 3", "no licence"),
        ("echo '[2, 7]'", "does not work as a Python"),
        ("printf '\\377\\n' >&2", "does not work as a Python"),
        ("""echo '[[2, 7], []]'""", "is Python 2.7; services need 3.9"),
    ],
)
def test_a_program_that_answers_oddly_is_told_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Refusal, match="--env-python") as refused:
        check_interpreter(script(tmp_path, text), "--env-python", {})
    assert says in refused.value.what and "index out of range" not in refused.value.what


def test_one_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.runtimes.interpreters._PROBE_S", 0.5)
    with pytest.raises(Refusal, match=r"does not answer within 0\.5 s"):
        check_interpreter(script(tmp_path, "exec sleep 600"), "--env-python", {})
