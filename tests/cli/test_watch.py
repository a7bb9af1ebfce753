"""`watch` ends when there is nothing more to wait for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from harness.cli import progress as watch
from harness.records.lock import is_held
from harness.running import runs
from tests.running import fake


def test_a_run_that_nobody_plays_is_said_so_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "PATIENCE_S", 0.2)
    monkeypatch.setattr(watch, "PERIOD_S", 0.05)
    folder = runs.create(fake.plan(3), tmp_path / "my runs")
    assert watch.watch(folder.path, once=False) == 3
    printed = capsys.readouterr().err
    assert "nobody plays" in printed and f"--resume '{folder.path}'" in printed and "0 of 3" in printed


def test_a_run_that_is_played_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PATIENCE_S", 0.2)
    monkeypatch.setattr(watch, "PERIOD_S", 0.05)
    folder = runs.create(fake.plan(1), tmp_path)
    ended = threading.Event()

    def follow() -> None:
        watch.watch(folder.path, once=False)
        ended.set()

    with folder.lock():
        assert is_held(folder.path)
        threading.Thread(target=follow, daemon=True).start()
        assert not ended.wait(1.0)
    assert ended.wait(10.0)
    assert not is_held(folder.path)


def test_what_is_no_lock_is_held_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "none")
