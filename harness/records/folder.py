"""The run folder: `run.json`, the journal, and one folder an episode.

`RunFolder.open` is the one way to open a folder, of this machine or of a stranger: names are checked, links are not
followed, sizes are bounded, and nothing that the folder names is run.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import time
from pathlib import Path
from typing import Any, Callable, List, Mapping, Tuple

from harness.contracts.digest import digest_of_json, to_plain
from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain
from harness.contracts.metrics import MetricSpec, check_metrics
from harness.contracts.results import PLANNED, PLAYED, EpisodeResult
from harness.contracts.search import search_of
from harness.contracts.seeds import MAX_SEED
from harness.records.atomic import write_atomic
from harness.records.chain import Break
from harness.records.episode_files import EpisodeRecord, check_name, read_episode, remove_leftovers
from harness.records.errors import RecordError, disk_errors
from harness.records.identity import FORMAT, EpisodeKey, Provenance, RunIdentity, RunRecord
from harness.records.journal import MAX_ROWS, Journal, JournalRow, lost_plan
from harness.records.lock import FolderLock
from harness.records.notes import NOTES
from harness.records.roots import trajectory_root
from harness.records.safe_files import UnsafeEntry, check_kind, read_json_inside, reason

RECORD = "run.json"
JOURNAL = "journal.sqlite"
EPISODES = "episodes"
LOGS = "logs"
LOCK = "lock"
STATES = "states"
"""Folder of a measurement on a decision bank that has the form of a run folder (`harness.records.banks`)."""

SPENT = "spent.txt"

RECORD_BYTES = 32 << 20
"""The largest ``run.json`` that is read; one of a thousand episodes has half a megabyte."""

_NAMES = ("suite", "task", "tier", "split", "stop", "view", "wm")
"""Fields of an identity that name files and folders, here or in the suite's data."""

LAST_TIME = 2e11
"""Seconds since 1970 that a calendar can still show."""

_SAFE_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}")


class RunFolder:
    """One run on disk. Reading needs no lock; whoever plays holds `lock` and calls `journal_to_write`.

    ``plan_digest`` is the hash of what `run.json` plans: the journal holds it too, so that neither can be exchanged.
    `run.json` is written first and never changed; everything else can be made again from it and from ``episodes/``.
    """

    def __init__(self, path: Path, record: RunRecord, plan_digest: str) -> None:
        self.path = path
        self.record = record
        self.plan_digest = plan_digest

    @classmethod
    def create(
        cls,
        root: Path,
        identity: RunIdentity,
        execution: Mapping[str, Any],
        provenance: Provenance,
        run_id: str = "",
        metrics: Tuple[MetricSpec, ...] = (),
    ) -> RunFolder:
        """Make a new run folder below ``root`` with its `run.json`; refuse an existing one.

        ``execution`` is plain data of `harness.running`, ``metrics`` what is measured. Raises Refusal at
        once when ``root`` cannot be written.
        """
        for episode in identity.episodes:
            check_name(episode.id)
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            path = _new_folder(root, run_id, lambda: new_run_id(identity, provenance.created_at))
            (path / EPISODES).mkdir()
            (path / LOGS).mkdir()
        record = RunRecord(FORMAT, path.name, identity, execution, provenance, metrics)
        data = json.dumps(to_plain(record), indent=1, allow_nan=False).encode()
        write_atomic(path / RECORD, data)
        return cls(path, record, _plan_digest(json.loads(data)))

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run folder; raise Refusal when it is none, RecordError when `run.json` is damaged."""
        file = path / RECORD
        try:
            value = read_json_inside(path, RECORD, RECORD_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise _no_run(path) from None
        except ValueError as error:
            raise RecordError(f"{file} is damaged: {error}.", "Restore it, or start a new run.") from error
        except OSError as error:
            raise RecordError(f"cannot read {file}: {reason(error)}.", "Check who may read the folder.") from error
        found = value.get("format") if isinstance(value, dict) else None
        if found != FORMAT:
            raise Refusal(
                f"{file} has format {found!r}; this harness reads {FORMAT}.", "Use the version that wrote it."
            )
        try:
            record = from_plain(RunRecord, value)
            _check_record(record)
        except ValueError as error:
            raise RecordError(f"{file} is damaged: {error}.", "Restore it, or start a new run.") from error
        _check_entries(path)
        return cls(path, record, _plan_digest(value))

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
        return self.account()[0]

    def account(self) -> Tuple[Tuple[JournalRow, ...], str]:
        """Return the journal's rows as `rows` does, and the plan's digest that the journal holds ("": none)."""
        if not check_kind(self.path / JOURNAL):
            return self.planned_rows(), self.plan_digest
        journal = Journal(self.path / JOURNAL, read_only=True)
        try:
            return journal.rows(), journal.plan_digest
        finally:
            journal.close()

    def journal_breaks(self) -> List[Break]:
        """Return the rows of the journal that no run wrote as they are, and what is wrong with each."""
        if not check_kind(self.path / JOURNAL):
            return []
        journal = Journal(self.path / JOURNAL, read_only=True)
        try:
            return journal.breaks()
        finally:
            journal.close()

    def is_chained(self) -> bool:
        """Say whether what was edited in the journal's rows would be found; False without a journal."""
        if not check_kind(self.path / JOURNAL):
            return False
        journal = Journal(self.path / JOURNAL, read_only=True)
        try:
            return journal.is_chained
        finally:
            journal.close()

    def planned_rows(self) -> Tuple[JournalRow, ...]:
        """Return a planned row for each episode and seed, as a journal holds them before anything is played."""
        return tuple(
            JournalRow(key, position, 0, EpisodeResult(key.episode, home, key.seed, PLANNED, {}, ""), None)
            for position, (key, home) in enumerate(self._planned())
        )

    def trajectory_root(self) -> str:
        """Return the trajectory root of the run as it stands."""
        return trajectory_root(self.rows())

    def journal_to_write(self) -> Journal:
        """Return the open journal, made with every episode planned if there is none; hold `lock` while using it.

        Leftovers of killed workers are removed. Episodes that are complete in ``episodes/`` but not committed (the
        run was killed in between, or the journal was moved away) are imported instead of being played again, unless
        they say that another run played them. Their rows tell that they were imported.
        """
        with disk_errors(self.path):
            self.episodes.mkdir(exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            remove_leftovers(self.episodes)
        path = self.path / JOURNAL
        journal = Journal(path) if path.exists() else Journal.create(path, self._planned(), self.plan_digest)
        try:
            self._check_owner(journal)
            self._import_finished(journal)
        except BaseException:
            journal.close()
            raise
        return journal

    def _check_owner(self, journal: Journal) -> None:
        """Raise RecordError for the journal of another run, or of a `run.json` that was edited since.

        One from before journals said whose they are is bound to this run, whose it can only be.
        """
        if not journal.plan_digest:
            if lost_plan("", journal.rows()):
                raise RecordError(
                    f"{self.path} is DAMAGED: its journal does not say which plan it belongs to any more.",
                    f"Move {JOURNAL} away and resume the run: it is made again from {EPISODES}/.",
                )
            journal.bind(self.plan_digest)
        if journal.plan_digest != self.plan_digest:
            raise RecordError(
                f"{self.path} is DAMAGED: its journal belongs to another plan ({journal.plan_digest[:12]}) than "
                f"{RECORD} ({self.plan_digest[:12]}).",
                f"Restore the {RECORD} that the run began with, or start a new run.",
            )

    def _planned(self) -> Tuple[Tuple[EpisodeKey, str], ...]:
        homes = {episode.id: episode.home for episode in self.identity.episodes}
        keys = self.identity.keys()
        return tuple((key, homes[key.episode]) for key in keys)

    def _key_of(self, record: EpisodeRecord) -> EpisodeKey:
        """Return the key that the trajectory itself (which its digest protects) belongs to."""
        trajectory = record.trajectory
        return EpisodeKey(self.identity.task, self.identity.tier, trajectory.episode, trajectory.seed)

    def _import_finished(self, journal: Journal) -> None:
        with os.scandir(self.episodes) as found:
            there = {entry.name for entry in found}
        for key in journal.planned_keys():
            if key.folder_name not in there:
                continue
            try:
                record = read_episode(self.episode_folder(key))
            except RecordError:
                continue  # it is planned, so it is played again and its folder replaced
            played = record.result.state in PLAYED and record.attempts > 0
            mine = record.key == key == self._key_of(record) and record.plan_digest in ("", self.plan_digest)
            if played and mine:
                journal.commit(key, record.result, record.attempts, record.record_digest, imported=True)


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


def _no_run(path: Path) -> Refusal:
    """Return the refusal of a folder without `run.json`: what it is, where that is known."""
    if (path / STATES / RECORD).is_file():
        return Refusal(
            f"{path} is not a run folder: it is a measurement on a decision bank.",
            "Give the command that began it again (benchmark.py bank ...): it goes on, and prints what came out.",
        )
    return Refusal(f"{path} is not a run folder: it has no {RECORD}.", "See `list runs`.")


def _plan_digest(value: Mapping[str, Any]) -> str:
    """Return the hash of run id and identity in a `run.json`, as read: versions may know more fields of them."""
    return digest_of_json([value["run_id"], value["identity"]])


def _check_record(record: RunRecord) -> None:
    """Raise ValueError for names that would lead out of a folder, and for plans that no run has."""
    identity = record.identity
    words = {"run_id": record.run_id, **{name: getattr(identity, name) for name in _NAMES}}
    for name, word in words.items():
        if not _SAFE_WORD.fullmatch(word):
            raise ValueError(f"{name} {word[:80]!r} can name no file")
    if len(identity.episodes) * len(identity.seeds) > MAX_ROWS:
        raise ValueError(f"it plans more than {MAX_ROWS} rows")
    for episode in identity.episodes:
        try:
            check_name(episode.id)
        except Refusal as refusal:
            raise ValueError(refusal.what) from refusal
    if not 0.0 <= record.provenance.created_at < LAST_TIME:
        raise ValueError(f"created_at {record.provenance.created_at:g} is no time")
    if not all(0 <= seed <= MAX_SEED for seed in identity.seeds):
        raise ValueError(f"its seeds are not in 0..{MAX_SEED}")
    if len(set(identity.keys())) != len(identity.keys()):
        raise ValueError("it plans an episode or a seed twice")
    check_metrics(record.metrics)
    search_of(identity.specs)
    if identity.batch_wait_ms is not None and not 0.0 <= identity.batch_wait_ms < math.inf:
        raise ValueError(f"batch_wait_ms {identity.batch_wait_ms:g} is no time")


def _check_entries(path: Path) -> None:
    """Raise RecordError where something else than a file or folder stands in the place of one of a run's own."""
    try:
        for name in (JOURNAL, LOCK, SPENT, NOTES):
            check_kind(path / name)
        for name in (EPISODES, LOGS):
            check_kind(path / name, folder=True)
    except UnsafeEntry:
        raise
    except OSError as error:
        raise RecordError(f"cannot read {path}: {reason(error)}.", "Check who may read the folder.") from error


def list_runs(root: Path) -> Tuple[RunFolder, ...]:
    """Return the run folders below ``root`` that can be opened, oldest first; `read_runs` also tells of the others."""
    runs = []
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        try:
            runs.append(RunFolder.open(path))
        except (Refusal, RecordError):
            continue
    return tuple(sorted(runs, key=lambda run: run.record.provenance.created_at))
