"""Finds and kills the processes of a run, as a study of kills needs it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Dict, Iterable, List, Set

from harness.records.lock import alive

WORKER = "harness.running.worker"
SERVICE = "harness.wire.host"


def descendants(pid: int) -> List[int]:
    """Return the living descendants of a process, nearest first."""
    children: Dict[int, List[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found: List[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(0), [])
        found += below
        waiting += below
    return [process for process in found if alive(process)]


def running(module: str, among: Iterable[int]) -> List[int]:
    """Return those processes that were started as ``python -m module``."""
    found = []
    for pid in among:
        with contextlib.suppress(OSError):
            if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def kill(pids: Iterable[int]) -> None:
    """Send SIGKILL to each process that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def survivors(pids: Iterable[int], patience_s: float = 10.0) -> Set[int]:
    """Return the processes that still live after ``patience_s``; return at once when none does."""
    give_up = time.monotonic() + patience_s
    living = {pid for pid in pids if alive(pid)}
    while living and time.monotonic() < give_up:
        time.sleep(0.05)
        living = {pid for pid in living if alive(pid)}
    return living
