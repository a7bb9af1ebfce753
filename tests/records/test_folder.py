"""A run folder is made whole, opened with clear messages, and repairs itself from its episodes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.results import EpisodeResult
from harness.records.episode_files import make_record, write_record
from harness.records.errors import CorruptJournal, DiskFull, RecordError, disk_errors
from harness.records.folder import RunFolder, list_runs
from harness.records.identity import EpisodeKey
from harness.records.provenance import provenance
from harness.scoring.data import load_run
from tests.running import fake


def create(root: Path, count: int = 3, run_id: str = "") -> RunFolder:
    plan = fake.plan(count)
    return RunFolder.create(root, plan.identity, plan.execution(), provenance(["benchmark.py"], Path()), run_id)


def record(folder: RunFolder, key: EpisodeKey) -> EpisodeResult:
    episode = folder.identity.episode(key.episode)
    played = fake.played(episode, key.seed)
    state = "ok" if played.trajectory.solved else "failed"
    result = EpisodeResult(episode.id, episode.home, key.seed, state, played.metrics, played.trajectory.digest())
    write_record(folder.episodes, make_record(key, played, result, 1, folder.plan_digest), played)
    return result


def test_a_folder_opens_as_it_was_made(tmp_path: Path) -> None:
    made = create(tmp_path)
    opened = RunFolder.open(made.path)
    assert opened.record == made.record
    assert [row.result.state for row in opened.rows()] == ["planned"] * 3
    assert made.record.provenance.versions["python"]
    assert made.record.provenance.hardware["cores"] >= 1


def test_runs_are_listed_oldest_first_without_strange_folders(tmp_path: Path) -> None:
    first, second = create(tmp_path, run_id="b"), create(tmp_path, run_id="a")
    (tmp_path / "other").mkdir()
    assert [run.path for run in list_runs(tmp_path)] == [first.path, second.path]
    assert list_runs(tmp_path / "none") == ()


def test_an_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    create(tmp_path, run_id="a")
    with pytest.raises(Refusal, match=r"exists already.*--resume"):
        create(tmp_path, run_id="a")


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="not a run folder"):
        RunFolder.open(tmp_path)
    path = create(tmp_path).path
    value = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**value, "format": 99}))
    with pytest.raises(Refusal, match="format 99"):
        RunFolder.open(path)
    (path / "run.json").write_text("{")
    with pytest.raises(RecordError, match="damaged"):
        RunFolder.open(path)


def test_an_unwritable_root_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match=r"cannot write .*--out"):
        create(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Refusal, match=r"cannot write"):
        create(tmp_path)


def test_the_systems_full_disk_becomes_a_message(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="no space left"), disk_errors(tmp_path):
        Path("/dev/full").write_bytes(b"x" * 100_000)


def test_finished_episodes_are_imported_and_leftovers_removed(tmp_path: Path) -> None:
    folder = create(tmp_path)
    keys = folder.identity.keys()
    done = record(folder, keys[1])
    (folder.episodes / ".tmp-e002-s0-99").mkdir()
    (folder.episodes / "e000-s0").mkdir()
    journal = folder.journal_to_write()
    states = [row.result.state for row in journal.rows()]
    journal.close()
    assert states == ["planned", done.state, "planned"]
    assert sorted(path.name for path in folder.episodes.iterdir()) == ["e000-s0", "e001-s0"]


def test_imported_episodes_are_told_and_those_of_another_run_are_played_again(tmp_path: Path) -> None:
    folder, other = create(tmp_path / "a"), create(tmp_path / "b")
    keys = folder.identity.keys()
    done = record(folder, keys[0])
    record(other, keys[1])
    shutil.copytree(other.episode_folder(keys[1]), folder.episode_folder(keys[1]))
    record(folder, keys[2])
    path = folder.episode_folder(keys[2]) / "trajectory.json"
    value = json.loads(path.read_bytes())
    path.write_text(json.dumps({**value, "plan_digest": "", "record_digest": ""}))  # as from before both
    folder.journal_to_write().close()
    rows = folder.rows()
    assert [row.result.state for row in rows] == [done.state, "planned", "ok"]
    assert [row.imported for row in rows] == [True, False, True]
    data = load_run(folder)
    assert "imported" in data.stamps
    assert data.notes == ("2 episodes imported from episodes/ (finished before the run was stopped)",)


@pytest.mark.parametrize("edit", [{"result": {"state": "bogus"}}, {"result": {"state": "error"}}, {"attempts": 0}])
def test_files_that_no_played_episode_has_are_not_imported(tmp_path: Path, edit: dict[str, Any]) -> None:
    folder = create(tmp_path)
    key = folder.identity.keys()[0]
    record(folder, key)
    path = folder.episode_folder(key) / "trajectory.json"
    value = json.loads(path.read_bytes())
    result = {**value["result"], **edit.pop("result", {})}
    path.write_text(json.dumps({**value, **edit, "result": result, "record_digest": ""}))
    folder.journal_to_write().close()
    assert {row.result.state for row in folder.rows()} == {"planned"}


def test_a_damaged_journal_moved_away_loses_nothing(tmp_path: Path) -> None:
    folder = create(tmp_path)
    keys = folder.identity.keys()
    for key in keys:
        record(folder, key)
    folder.journal_to_write().close()
    rows, root = folder.rows(), folder.trajectory_root()
    path = folder.path / "journal.sqlite"
    path.write_bytes(b"\xff" * 5000)
    with pytest.raises(CorruptJournal):
        folder.journal_to_write()
    path.rename(path.with_suffix(".damaged"))
    folder.journal_to_write().close()
    assert [row.result for row in folder.rows()] == [row.result for row in rows]
    assert folder.trajectory_root() == root


def test_two_runs_cannot_use_one_folder(tmp_path: Path) -> None:
    folder = create(tmp_path)
    with folder.lock(), pytest.raises(Refusal, match=f"another run .process {os.getpid()}. is using"):
        RunFolder.open(folder.path).lock().acquire()
    with folder.lock():
        pass


def test_a_killed_owner_frees_the_folder(tmp_path: Path) -> None:
    folder = create(tmp_path)
    code = (
        "import os, signal, sys; from pathlib import Path; from harness.records.lock import FolderLock\n"
        "FolderLock(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder.path)], cwd=Path(__file__).parents[2])
    assert done.returncode == -9
    with folder.lock():
        pass
