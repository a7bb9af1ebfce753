"""SHA-256 of large files: with progress, and read once while they stay as they are.

Checkpoints are tens of gigabytes and every run asks for their hashes. So a digest is kept beside the size, the inode
and the times of the last change of content and of status that the file had; when one of them differs, the file is read
again. The last of them nobody sets: a file that was written over and given its old time is read again too.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, Optional, Sequence

from harness.contracts.folders import user_cache

Progress = Callable[[int, int], None]
"""Called now and then with the bytes that are done and the bytes in all."""

_CHUNK = 2**22
_SETTLED_NS = 2_000_000_000
"""A file that changed less than two seconds ago may change again within one tick of its clock: it is not remembered."""


def quiet(done: int, total: int) -> None:
    """Show nothing."""


def hash_files(files: Sequence[Path], progress: Progress = quiet, cache: Optional[Path] = None) -> dict[Path, str]:
    """Return the SHA-256 of each file; ``cache`` is the folder of remembered digests (default: the user's)."""
    folder = user_cache() / "hashes" if cache is None else cache
    total = sum(file.stat().st_size for file in files)
    done = 0
    hashes: dict[Path, str] = {}
    for file in files:
        before = state_of(file)
        known = _remembered(folder, file, before)
        hashes[file] = known or _read(file, lambda read, start=done: progress(start + read, total))  # type: ignore[misc]
        if not known and state_of(file) == before and time.time_ns() - before[1] > _SETTLED_NS:
            _remember(folder, file, before, hashes[file])
        done += before[0]
        if known:
            progress(done, total)
    return hashes


State = tuple[int, int, int, int]
"""Of a file: size in bytes, time of the last change of its content in nanoseconds, inode, and that of its status."""


def state_of(file: Path) -> State:
    """Return what tells whether a file may have changed; OSError where it is gone."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def _read(file: Path, on_read: Callable[[int], None]) -> str:
    result = hashlib.sha256()
    read = 0
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            result.update(chunk)
            read += len(chunk)
            on_read(read)
    return result.hexdigest()


def _entry(folder: Path, file: Path) -> Path:
    return folder / f"{hashlib.sha256(os.fsencode(file.resolve())).hexdigest()}.json"


def _remembered(folder: Path, file: Path, state: State) -> str:
    """Return the digest of ``file`` in this state, "" where it is not known."""
    try:
        entry = json.loads(_entry(folder, file).read_text(encoding="utf-8"))
        return str(entry["sha256"]) if tuple(entry["state"]) == state else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _remember(folder: Path, file: Path, state: State, sha256: str) -> None:
    """Write an entry whole or not at all; a cache that cannot be written costs time, and no run."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder)
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            json.dump({"path": str(file.resolve()), "state": state, "sha256": sha256}, target)
        Path(name).replace(_entry(folder, file))
