"""Several starts into one folder at the same moment do not get into each other's way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.cli.play import check_writable
from harness.records import folder as run_folder
from harness.records.atomic import write_atomic
from harness.running import runs
from tests.running import fake


def test_many_starts_try_whether_a_folder_can_be_written(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: check_writable(out), range(400)))
    assert list(out.iterdir()) == []


def test_a_name_that_another_start_has_just_taken_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(["ab12", "ab12", "cd34"])
    monkeypatch.setattr(run_folder, "new_run_id", lambda identity, created_at: next(names))
    made = [runs.create(fake.plan(1), tmp_path).path.name for _ in range(2)]
    assert made == ["ab12", "cd34"]


def test_one_file_written_by_processes_of_the_same_number_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two process namespaces both may be number 7."""
    monkeypatch.setattr("os.getpid", lambda: 7)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: write_atomic(tmp_path / "f", bytes([i % 251]) * 5000), range(200)))
    content = (tmp_path / "f").read_bytes()
    assert len(content) == 5000 and len(set(content)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
