"""The run folder: `run.json`, the journal, and one folder an episode."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence, Tuple

from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.contracts.results import PLANNED, EpisodeResult
from harness.records.atomic import write_atomic
from harness.records.episode_files import EpisodeRecord, check_name, read_episode, remove_leftovers
from harness.records.errors import RecordError, disk_errors
from harness.records.identity import FORMAT, EpisodeKey, Provenance, RunIdentity, RunRecord
from harness.records.journal import Journal, JournalRow
from harness.records.lock import FolderLock
from harness.records.plain import from_plain
from harness.records.roots import trajectory_root

RECORD = "run.json"
JOURNAL = "journal.sqlite"
EPISODES = "episodes"
LOGS = "logs"
SPENT = "spent.txt"


class RunFolder:
    """One run on disk. Reading needs no lock; whoever plays holds `lock` and calls `journal_to_write`.

    `run.json` is written first and never changed; everything else can be made again from it and from ``episodes/``.
    """

    def __init__(self, path: Path, record: RunRecord) -> None:
        self.path = path
        self.record = record

    @classmethod
    def create(
        cls, root: Path, identity: RunIdentity, execution: Mapping[str, Any], provenance: Provenance, run_id: str = ""
    ) -> RunFolder:
        """Make a new run folder below ``root`` with its `run.json`; refuse an existing one.

        ``execution`` is plain data of `harness.running`. Raises Refusal at once when ``root`` cannot be written.
        """
        for episode in identity.episodes:
            check_name(episode.id)
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            path = _new_folder(root, run_id, lambda: new_run_id(identity, provenance.created_at))
            (path / EPISODES).mkdir()
            (path / LOGS).mkdir()
        record = RunRecord(FORMAT, path.name, identity, execution, provenance)
        write_atomic(path / RECORD, json.dumps(to_plain(record), indent=1, allow_nan=False).encode())
        return cls(path, record)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run folder; raise Refusal when it is none, RecordError when `run.json` is damaged."""
        file = path / RECORD
        try:
            value = json.loads(file.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise Refusal(f"{path} is not a run folder: it has no {RECORD}.", "See `list runs`.") from None
        except ValueError as error:
            raise RecordError(f"{file} is damaged: {error}.", "Restore it, or start a new run.") from error
        found = value.get("format") if isinstance(value, dict) else None
        if found != FORMAT:
            raise Refusal(
                f"{file} has format {found!r}; this harness reads {FORMAT}.", "Use the version that wrote it."
            )
        try:
            return cls(path, from_plain(RunRecord, value))
        except ValueError as error:
            raise RecordError(f"{file} is damaged: {error}.", "Restore it, or start a new run.") from error

    @property
    def identity(self) -> RunIdentity:
        """Return what the run asks."""
        return self.record.identity

    @property
    def episodes(self) -> Path:
        """Return the folder of the episodes' folders."""
        return self.path / EPISODES

    @property
    def logs(self) -> Path:
        """Return the folder of the workers' and services' logs."""
        return self.path / LOGS

    def worker_log(self, number: int) -> Path:
        """Return the log of one worker process."""
        return self.logs / f"worker-{number}.log"

    @property
    def spent(self) -> Path:
        """Return the file in which a model that costs money keeps what this run has spent; others have none."""
        return self.path / SPENT

    def episode_folder(self, key: EpisodeKey) -> Path:
        """Return the folder of one episode, whether it exists or not."""
        return self.episodes / key.folder_name

    def lock(self) -> FolderLock:
        """Return the lock that a playing run holds (a context manager)."""
        return FolderLock(self.path)

    def rows(self) -> Tuple[JournalRow, ...]:
        """Return the journal's rows in the order of the plan, read-only; all planned where no journal exists yet."""
        if not (self.path / JOURNAL).exists():
            return tuple(
                JournalRow(key, position, 0, EpisodeResult(key.episode, home, key.seed, PLANNED, {}, ""), None)
                for position, (key, home) in enumerate(self._planned())
            )
        journal = Journal(self.path / JOURNAL, read_only=True)
        try:
            return journal.rows()
        finally:
            journal.close()

    def trajectory_root(self) -> str:
        """Return the trajectory root of the run as it stands."""
        return trajectory_root(self.rows())

    def journal_to_write(self) -> Journal:
        """Return the open journal, made with every episode planned if there is none; hold `lock` while using it.

        Leftovers of killed workers are removed. Episodes that are complete in ``episodes/`` but not committed (the
        run was killed in between, or the journal was moved away) are imported instead of being played again.
        """
        with disk_errors(self.path):
            self.episodes.mkdir(exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            remove_leftovers(self.episodes)
        path = self.path / JOURNAL
        journal = Journal(path) if path.exists() else Journal.create(path, self._planned())
        try:
            self._import_finished(journal)
        except BaseException:
            journal.close()
            raise
        return journal

    def _planned(self) -> Tuple[Tuple[EpisodeKey, str], ...]:
        homes = {episode.id: episode.home for episode in self.identity.episodes}
        keys = self.identity.keys()
        return tuple((key, homes[key.episode]) for key in keys)

    def _key_of(self, record: EpisodeRecord) -> EpisodeKey:
        """Return the key that the trajectory itself (which its digest protects) belongs to."""
        trajectory = record.trajectory
        return EpisodeKey(self.identity.task, self.identity.tier, trajectory.episode, trajectory.seed)

    def _import_finished(self, journal: Journal) -> None:
        for row in journal.rows():
            if row.result.state != PLANNED or not self.episode_folder(row.key).exists():
                continue
            try:
                record = read_episode(self.episode_folder(row.key))
            except RecordError:
                continue  # it is planned, so it is played again and its folder replaced
            if record.key == row.key == self._key_of(record):
                journal.commit(row.key, record.result, record.attempts)


def new_run_id(identity: RunIdentity, created_at: float) -> str:
    """Return a readable, unique name: UTC time, task, tier, WM, seeds, and four random hex digits."""
    stamp = time.strftime("%Y%m%d-%H%M", time.gmtime(created_at))
    seeds = identity.seeds
    seed = f"s{seeds[0]}" if len(seeds) == 1 else f"s{seeds[0]}-{seeds[-1]}"
    return "-".join((stamp, identity.task, identity.tier, identity.wm, seed, secrets.token_hex(2)))


def _new_folder(root: Path, run_id: str, new_name: Callable[[], str]) -> Path:
    """Make the folder called ``run_id``, or one with a new name: another start may take the same one just now."""
    while True:
        path = root / (run_id or new_name())
        try:
            path.mkdir()
        except FileExistsError:
            if run_id:
                raise Refusal(f"{path} exists already.", "Resume it with --resume, or choose another name.") from None
            continue
        return path


def list_runs(root: Path) -> Tuple[RunFolder, ...]:
    """Return the run folders below ``root``, oldest first; folders that are none are passed over."""
    folders: Sequence[Path] = sorted(root.iterdir()) if root.is_dir() else []
    runs = []
    for folder in folders:
        try:
            runs.append(RunFolder.open(folder))
        except (Refusal, RecordError):
            continue
    return tuple(sorted(runs, key=lambda run: run.record.provenance.created_at))
