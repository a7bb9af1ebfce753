"""The user's cache: named by variables, else in the home folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.folders import cache_root, user_cache


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
