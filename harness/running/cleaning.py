"""What killed harnesses left behind: processes, sockets, containers; and runs never finished, where asked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

from harness.contracts.errors import Refusal
from harness.contracts.hosts import boot_id, is_local
from harness.contracts.results import PLANNED
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


def remove_unfinished(root: Path) -> Tuple[Path, ...]:
    """Remove the run folders below ``root`` with episodes still to be played, unless a living run plays them."""
    removed = []
    for listed in read_runs(root).runs:
        folder = listed.folder
        if all(row.result.state != PLANNED for row in listed.rows):
            continue
        lock = folder.lock()
        try:
            lock.acquire()
        except Refusal:
            continue  # it is being played
        try:
            if lock.last_boot not in ("", boot_id()) and not is_local(folder.path):
                continue  # another machine may play it: network file systems can keep locks to each machine
            shutil.rmtree(folder.path)
            removed.append(folder.path)
        finally:
            lock.release()
    return tuple(removed)
