"""A command works whatever encoding, working folder and interpreter flags surround it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.surroundings import FOLDERS, from_home, settle

ROOT = Path(__file__).parents[2]
SHOWN = "import sys; from harness.cli.console import note, say; from harness.cli.surroundings import settle; settle()"


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, timeout=120)


@pytest.mark.parametrize(
    ("encoding", "expected"), [("utf-8", "a → · ρ ü\n"), ("latin-1", "a -> · ? ü\n"), ("ascii", "a -> - ? ?\n")]
)
def test_every_text_can_be_printed(encoding: str, expected: str) -> None:
    done = python("-c", f"{SHOWN}; say('a → · ρ ü'); note('b → ρ')", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding) == expected
    assert done.stderr.startswith(b"b ")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252:strict"])
def test_tables_and_help_print(encoding: str) -> None:
    table = "from harness.cli.console import print_table as p; p('T → ρ', ('a', 'b'), [('…' * 9, 'x → y' * 40)])"
    for columns in ("40", "80"):
        done = python("-c", f"{SHOWN}; {table}", PYTHONIOENCODING=encoding, COLUMNS=columns)
        assert done.returncode == 0 and b"x -> y" in done.stdout.replace(b"\n", b""), done.stderr


def test_the_entry_point_needs_no_folder_on_the_path(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-P", str(ROOT / "benchmark.py"), "--help"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 0 and b"--resume" in done.stdout, done.stderr


def test_relative_folders_of_the_environment_are_settled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for name in FOLDERS:
        monkeypatch.setenv(name, "here")
    monkeypatch.setenv("HF_HOME", "~/hub")
    monkeypatch.setenv("PYTHONPATH", f"lib{os.pathsep}/abs")
    settle()
    assert all(os.environ[name] == str(tmp_path / "here") for name in FOLDERS if name != "HF_HOME")
    assert os.environ["HF_HOME"] == str(tmp_path / "me" / "hub")
    assert os.environ["PYTHONPATH"] == f"{tmp_path / 'lib'}{os.pathsep}/abs"


def test_a_home_that_the_shell_left_in_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/me")
    words = ["--out=~/runs", "~/p", "--set=code=~/c", "code=~/c", "~", "a~/b", "--wm=x", "x ~/y"]
    expected = ["--out=/me/runs", "/me/p", "--set=code=/me/c", "code=/me/c", "/me", "a~/b", "--wm=x", "x ~/y"]
    assert [from_home(word) for word in words] == expected
