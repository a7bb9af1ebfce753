"""The user's cache: named by variables, else in the home folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute, cache_root, home, user_cache


def test_variables_choose_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WIW_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "wiw-bench"
    assert cache_root() == tmp_path / ".cache" / "wiw-bench" / "homes"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert cache_root() == tmp_path / "other" / "wiw-bench" / "homes"
    monkeypatch.setenv("WIW_CACHE", str(tmp_path / "named"))
    assert cache_root() == tmp_path / "named"


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without HOME, password entry or named folders; returns the temporary folder."""
    for name in ("WIW_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_entry(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", no_entry)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_user_without_a_home_has_a_private_folder(nobody: Path) -> None:
    assert home() is None
    cache = user_cache()
    assert cache.parent == nobody and stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert cache_root() == cache / "homes" == user_cache() / "homes"


@pytest.mark.parametrize("how", ["open", "link", "file"])
def test_a_temporary_folder_of_others_is_never_used(nobody: Path, how: str) -> None:
    """What is compiled there is executed later."""
    theirs = nobody / f"wiw-bench-{os.getuid()}"
    if how == "open":
        theirs.mkdir()
        theirs.chmod(0o777)
    elif how == "link":
        (nobody / "elsewhere").mkdir()
        theirs.symlink_to(nobody / "elsewhere")
    else:
        theirs.touch()
    with pytest.raises(Refusal, match="WIW_CACHE"):
        cache_root()


def test_a_home_that_cannot_be_written_is_passed_over(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc/self")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert user_cache().parent == nobody
    monkeypatch.setenv("HOME", "/nonexistent")
    assert user_cache().parent == nobody


def test_named_folders_hold_in_every_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("WIW_CACHE", "c")
    assert cache_root() == tmp_path / "c"
    monkeypatch.setenv("WIW_CACHE", "~/c")
    assert cache_root() == tmp_path / "me" / "c"
    (tmp_path / "link").symlink_to("/bin/true")
    assert absolute("link") == tmp_path / "link"


def test_a_home_that_nobody_knows_cannot_be_named(nobody: Path) -> None:
    with pytest.raises(Refusal, match="Give the whole path"):
        absolute("~/c")
