"""Archives of records: the tables read them as they read the runs, and the same runs give the same bytes."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from harness.studies.archive import main
from harness.studies.run_selection import find_runs
from tasks.suite import Suite
from tests.studies.small_suite import solved_by, write_small_run


def test_an_archive_is_read_as_the_runs_are(tmp_path: Path, suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out" / "a.tar.xz"
    out.parent.mkdir()
    timings = {"episode": 4.123456, "imagine": 1.0}
    folder = write_small_run(runs, suite, "warp", solved_by(0.4), files=True, timings=timings)
    part = write_small_run(runs, suite, "copy", solved_by(0.1), played=3)
    assert main([str(runs), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert f"{out}: 1 runs" in said.out and f"left out {part.record.run_id}" in said.err
    first = out.read_bytes()
    assert main([str(runs), "--out", str(out)]) == 0 and out.read_bytes() == first
    with tarfile.open(out) as archive:
        assert len(archive.getnames()) == 2
        archive.extractall(tmp_path / "again")
    found = find_runs([tmp_path / "again"], suite)
    assert found.passed_over == () and folder.record.run_id == found.runs["precise", "self", "warp"].record.run_id
    before = find_runs([runs], suite).runs["precise", "self", "warp"].results
    after = found.runs["precise", "self", "warp"].results
    assert [(r.episode, r.state, r.metrics) for r in after] == [(r.episode, r.state, r.metrics) for r in before]
    assert {tuple(result.timings.items()) for result in after} == {(("episode", 4.123),)}


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path / "a.tar.xz")]) == 2
    assert not (tmp_path / "a.tar.xz").exists()
