"""One run at a time on one folder."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Optional, Type

from harness.contracts.errors import Refusal
from harness.contracts.hosts import boot_id
from harness.records.errors import disk_errors

NAME = "lock"
_POLL_S = 0.05


class FolderLock:
    """An exclusive lock on a run folder, held until `release` or until every process that holds it is gone.

    `flock` belongs to the open file, so a SIGKILL frees it and no stale lock can remain. Workers inherit the
    descriptor: after the main process was killed, the folder is free only once its workers are gone as well, and no
    late writer can meet a resumed run. That takes milliseconds, so a lock whose owner is dead is waited for.
    """

    def __init__(self, folder: Path, patience_s: float = 10.0) -> None:
        self._path = folder / NAME
        self._patience_s = patience_s
        self._descriptor: Optional[int] = None
        self.last_boot = ""
        """The kernel on which the lock was held before it was acquired; "" where nobody knows."""

    @property
    def descriptor(self) -> int:
        """Return the open file's descriptor, to be inherited by workers; the lock must be held."""
        if self._descriptor is None:
            raise ValueError("the lock is not held")
        return self._descriptor

    def acquire(self) -> None:
        """Take the lock; raise Refusal at once when a living run holds it."""
        with disk_errors(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            self._wait(descriptor)
            with disk_errors(self._path):
                self.last_boot = str(_content(descriptor).get("boot", ""))
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "boot": boot_id()}).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Free the lock; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _wait(self, descriptor: int) -> None:
        give_up = time.monotonic() + self._patience_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                owner = _owner(descriptor)
            if alive(owner) or time.monotonic() > give_up:
                raise Refusal(
                    f"another run (process {owner}) is using {self._path.parent}.",
                    "Wait for it or stop it, then resume; or start a new run in another folder.",
                )
            time.sleep(_POLL_S)

    def __enter__(self) -> FolderLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.release()


def alive(pid: int) -> bool:
    """Say whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"


def is_held(folder: Path) -> bool:
    """Say whether a process plays in ``folder`` now."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _owner(descriptor: int) -> int:
    """Return the pid written in the lock file; 0 while its owner has not written it yet."""
    pid = _content(descriptor).get("pid")
    return pid if type(pid) is int else 0


def _content(descriptor: int) -> Dict[str, Any]:
    try:
        value = json.loads(os.pread(descriptor, 200, 0))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
