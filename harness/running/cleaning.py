"""What killed harnesses left behind: processes, sockets, containers; and runs never finished, where asked."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.hosts import boot_id, is_local
from harness.contracts.results import PLANNED
from harness.records.folder import RunFolder
from harness.records.journal import JournalRow
from harness.records.listing import read_runs
from harness.records.safe_files import reason
from harness.runtimes.sockets import reap_stale


@dataclass(frozen=True)
class Leftovers:
    """What was removed: socket folders with the services in them, and what an engine held (containers, networks,
    volumes). ``engine`` says why no engine was asked, "" where one was."""

    sockets: Tuple[str, ...]
    containers: Tuple[str, ...]
    engine: str


def remove_leftovers() -> Leftovers:
    """Remove what belongs to owners that no longer live; what a living harness uses is never touched."""
    sockets = tuple(str(folder) for folder in reap_stale())
    from harness.runtimes import docker_engine, docker_folder

    try:
        engine = docker_engine.connect()
    except Refusal as refusal:
        return Leftovers(sockets, (), refusal.what)
    return Leftovers(sockets, tuple(docker_folder.reap_stale_containers(engine)), "")


@dataclass(frozen=True)
class Unfinished:
    """A run with episodes still to be played that nobody plays: its folder, how many of its rows were played, and the
    bytes of its files. Episodes whose files are complete count as played: they are imported by a resume."""

    path: Path
    played: int
    planned: int
    size: int


def find_unfinished(root: Path) -> Tuple[Unfinished, ...]:
    """Return the runs below ``root`` with episodes still to be played, oldest first, unless a living run plays them.

    A link leads to a run of somewhere else, which stays.
    """
    found = []
    for listed in read_runs(root).runs:
        path = listed.folder.path
        if path.is_symlink() or all(row.result.state != PLANNED for row in listed.rows):
            continue
        with _nobodys(listed.folder) as free:
            if free:
                found.append(Unfinished(path, _played(listed.folder, listed.rows), len(listed.rows), _size(path)))
    return tuple(found)


def remove_unfinished(runs: Sequence[Unfinished]) -> Tuple[Path, ...]:
    """Remove the folders of ``runs`` and return them; one that was played on since it was found is left alone.

    Refusal names those that cannot be removed, after the others are.
    """
    removed: List[Path] = []
    left: List[str] = []
    for run in runs:
        folder = RunFolder.open(run.path)
        with _nobodys(folder) as free:
            if free and _played(folder, folder.rows()) == run.played:
                try:
                    shutil.rmtree(run.path)
                    removed.append(run.path)
                except OSError as error:
                    left.append(f"{run.path} cannot be removed: {reason(error)}")
    if left:
        raise Refusal(f"{'; '.join(left)}.", f"Check who may write there. Removed: {len(removed)} of {len(runs)}.")
    return tuple(removed)


def _played(folder: RunFolder, rows: Sequence[JournalRow]) -> int:
    return sum(row.result.state != PLANNED or folder.episode_folder(row.key).exists() for row in rows)


@contextmanager
def _nobodys(folder: RunFolder) -> Iterator[bool]:
    """Hold the lock of a run; give False where it is being played, here or, for all that can be known, elsewhere."""
    lock = folder.lock()
    try:
        lock.acquire()
    except Refusal:
        yield False
        return
    try:
        # another machine may play it: network file systems can keep locks to each machine
        yield lock.last_boot in ("", boot_id()) or is_local(folder.path)
    finally:
        lock.release()


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
