"""Cleaning removes what nobody plays any more, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.running import cleaning, runs
from harness.runtimes import docker_engine
from harness.runtimes.sockets import make_socket_folder
from tests.running import fake


def test_only_unfinished_runs_that_nobody_plays_are_removed(tmp_path: Path) -> None:
    finished = runs.start(fake.plan(1), tmp_path, run_id="finished").path
    abandoned = runs.create(fake.plan(1), tmp_path, run_id="abandoned")
    playing = runs.create(fake.plan(1), tmp_path, run_id="playing")
    (tmp_path / "notes").mkdir()
    with playing.lock():
        (one,) = cleaning.find_unfinished(tmp_path)
        assert (one.path, one.played, one.planned) == (abandoned.path, 0, 1) and one.size > 0
        assert abandoned.path.is_dir()
        assert cleaning.remove_unfinished([one]) == (abandoned.path,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["finished", "notes", "playing"]
    assert (finished / "run.json").exists()
    found = cleaning.find_unfinished(tmp_path)
    assert [run.path for run in found] == [playing.path]
    with playing.lock():
        assert cleaning.remove_unfinished(found) == ()
    runs.resume(playing.path, fake.plan(1))
    assert cleaning.remove_unfinished(found) == () and playing.path.is_dir()


def test_sockets_of_dead_owners_go_and_a_missing_engine_is_no_error(
    short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_engine() -> None:
        raise Refusal("no Docker engine is reachable.", "Start it.")

    monkeypatch.setattr("tempfile.tempdir", str(short_tmp_path))
    monkeypatch.setattr(docker_engine, "connect", no_engine)
    mine = make_socket_folder()
    made = "from harness.runtimes.sockets import make_socket_folder; from pathlib import Path; import sys\n"
    made += "print(make_socket_folder(Path(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", made, str(short_tmp_path)], capture_output=True, text=True, check=True)
    dead = done.stdout.strip()
    assert Path(dead).is_dir()
    assert cleaning.remove_leftovers() == cleaning.Leftovers((dead,), (), "no Docker engine is reachable.")
    assert mine.is_dir() and not Path(dead).exists()


def test_what_cannot_be_removed_is_named_and_links_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = runs.create(fake.plan(1), tmp_path / "here", run_id="a-stuck").path
    other = runs.create(fake.plan(1), tmp_path / "here", run_id="b-other").path
    elsewhere = runs.create(fake.plan(1), tmp_path / "there", run_id="elsewhere").path
    (tmp_path / "here" / "link").symlink_to(elsewhere)
    found = cleaning.find_unfinished(tmp_path / "here")
    assert sorted(run.path for run in found) == [stuck, other]
    remove = shutil.rmtree

    def refuse(path: Path) -> None:
        if path == stuck:
            raise PermissionError(13, "Permission denied", str(path))
        remove(path)

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(Refusal, match="a-stuck cannot be removed: Permission denied"):
        cleaning.remove_unfinished(found)
    assert stuck.is_dir() and not other.exists() and elsewhere.is_dir()


def test_episodes_of_a_lost_journal_count_as_played(tmp_path: Path) -> None:
    path = runs.start(fake.plan(1), tmp_path).path
    (path / "journal.sqlite").unlink()
    assert [(run.played, run.planned) for run in cleaning.find_unfinished(tmp_path)] == [(1, 1)]
