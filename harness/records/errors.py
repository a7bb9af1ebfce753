"""What can go wrong with a run folder, each as one message that loses nothing."""

from __future__ import annotations

import errno
import os
import shlex
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from harness.contracts.errors import Refusal, WiwError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNWRITABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG,
)  # fmt: skip
_SQLITE_READONLY = 8
_SQLITE_IOERR = 10
_SQLITE_CORRUPT = 11
_SQLITE_FULL = 13
_SQLITE_CANTOPEN = 14
_SQLITE_NOTADB = 26
_NEARLY_FULL_BYTES = 1 << 20


class RecordError(WiwError):
    """A run folder cannot be read or written as it should."""


class DiskFull(RecordError):
    """No space is left; what was committed before stays valid and the run can be resumed."""


class CorruptJournal(RecordError):
    """The journal is not a readable database; the episode folders beside it are not touched."""


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write under ``path`` into messages.

    A full disk, a folder without permission, and a place that something else takes are what users meet; anything else
    is passed on as it is.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path) from error
        if error.errno in _UNWRITABLE:
            raise Refusal(
                f"cannot write {path}: {error.strerror}.", "Choose a folder that you may write to with --out."
            ) from error
        raise


@contextmanager
def journal_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says about the journal at ``path`` into messages.

    On a full disk SQLite reports either FULL or, when it cannot grow its shared-memory file, an I/O error; the free
    space tells the two kinds of I/O error apart.
    """
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == _SQLITE_FULL or (code == _SQLITE_IOERR and _nearly_full(path)):
            raise _full(path) from error
        if code in (_SQLITE_CORRUPT, _SQLITE_NOTADB):
            raise corrupt(path, str(error)) from error
        if code in (_SQLITE_READONLY, _SQLITE_CANTOPEN):
            raise Refusal(f"cannot write {path}: {error}.", "Check the permissions of the run folder.") from error
        raise RecordError(f"the journal {path} failed: {error}.", "Check the disk, then resume the run.") from error


def corrupt(path: Path, why: str) -> CorruptJournal:
    """Return the error for a journal that cannot be read, with the way out."""
    return CorruptJournal(
        f"the journal {path} is damaged: {' '.join(why.split())}. Nothing was changed.",
        f"Move it away ({shlex.join(['mv', str(path), f'{path}.damaged'])}; "
        f"{shlex.join(['rm', '-f', f'{path}-wal', f'{path}-shm'])}) and resume: finished episodes "
        f"are imported again from {path.parent / 'episodes'}, the others are played.",
    )


def _full(path: Path) -> DiskFull:
    return DiskFull(
        f"no space left on the disk of {path}.",
        "Free some space, then resume the run: every committed episode is kept.",
    )


def _nearly_full(path: Path) -> bool:
    try:
        free = os.statvfs(path.parent)
    except OSError:
        return False
    return free.f_bavail * free.f_frsize < _NEARLY_FULL_BYTES
