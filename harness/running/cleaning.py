"""What killed harnesses left behind: processes, sockets, containers; and runs never finished, where asked."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.hosts import boot_id, is_local
from harness.contracts.results import PLANNED
from harness.records.folder import RunFolder
from harness.records.listing import read_runs
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
    from harness.runtimes import docker_engine, docker_reaping

    try:
        engine = docker_engine.connect()
    except Refusal as refusal:
        return Leftovers(sockets, (), refusal.what)
    return Leftovers(sockets, tuple(docker_reaping.reap_stale_containers(engine)), "")


@dataclass(frozen=True)
class Unfinished:
    """A run with episodes still to be played that nobody plays: its folder, how many of its rows were played, and the
    bytes of its files."""

    path: Path
    played: int
    planned: int
    size: int


def find_unfinished(root: Path) -> Tuple[Unfinished, ...]:
    """Return the runs below ``root`` with episodes still to be played, oldest first, unless a living run plays them."""
    found = []
    for listed in read_runs(root).runs:
        left = sum(row.result.state == PLANNED for row in listed.rows)
        if left:
            with _nobodys(listed.folder) as free:
                if free:
                    path, rows = listed.folder.path, len(listed.rows)
                    found.append(Unfinished(path, rows - left, rows, _size(path)))
    return tuple(found)


def remove_unfinished(runs: Sequence[Unfinished]) -> Tuple[Path, ...]:
    """Remove the folders of ``runs`` and return them; one that was played on since it was found is left alone."""
    removed = []
    for run in runs:
        folder = RunFolder.open(run.path)
        with _nobodys(folder) as free:
            if free and sum(row.result.state != PLANNED for row in folder.rows()) == run.played:
                shutil.rmtree(run.path)
                removed.append(run.path)
    return tuple(removed)


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
