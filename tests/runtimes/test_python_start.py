"""A service may import what the user's PYTHONPATH names, from wherever the user is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.contracts.from_source import CHECKOUT
from harness.runtimes.interpreters import python_path


def test_the_users_folders_come_after_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["lib", "", "/opt/mine", str(CHECKOUT), "lib"]))
    assert python_path().split(os.pathsep) == [str(CHECKOUT), str(tmp_path / "lib"), "/opt/mine"]


def test_none_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert python_path() == str(CHECKOUT)
