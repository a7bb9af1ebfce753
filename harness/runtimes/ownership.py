"""Who owns what a harness leaves on a machine: whoever holds the lock on a file beside it.

A process id says nothing across process namespaces or machines that share a folder; a lock is released by the kernel
when its holder ends, however that happens, and by nothing else. The file also names the kernel: where a network file
system keeps locks of other machines to itself, a free lock proves nothing about their owners.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from harness.contracts.hosts import boot_id, is_local

SUFFIX = ".lock"
_BOOT_BYTES = 100


def lock_of(folder: Path) -> Path:
    """Return the file whose lock belongs to the owner of ``folder``; it lies beside it."""
    return folder.with_name(folder.name + SUFFIX)


def claim(folder: Path) -> int | None:
    """Take the lock of a folder that does not exist yet; return its descriptor, None where the name is taken."""
    path = lock_of(folder)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, boot_id().encode())
        if _is_file(path, descriptor):
            return descriptor
    except OSError:
        pass  # whoever cleans up saw the file before it was locked, and has it now
    os.close(descriptor)
    return None


def take_over(folder: Path) -> int | None:
    """Return a descriptor with the lock of ``folder`` if its owner is gone for certain, else None.

    A lock file that is absent, another user's, or no file is left alone.
    """
    path = lock_of(folder)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            here = os.pread(descriptor, _BOOT_BYTES, 0).decode("ascii", "replace") in ("", boot_id())
            if (here or is_local(path.parent)) and _is_file(path, descriptor):
                return descriptor
    except OSError:
        pass  # held: its owner lives
    os.close(descriptor)
    return None


def is_held(folder: Path) -> bool | None:
    """Say whether the owner of ``folder`` lives; None where nobody can tell from here."""
    descriptor = take_over(folder)
    if descriptor is not None:
        os.close(descriptor)
        return False
    try:
        status = lock_of(folder).lstat()
    except OSError:
        return None
    return True if status.st_uid == os.geteuid() else None


def give_up(folder: Path, descriptor: int) -> None:
    """Remove the lock of a folder that is gone, then release it."""
    lock_of(folder).unlink(missing_ok=True)
    os.close(descriptor)


def _is_file(path: Path, descriptor: int) -> bool:
    """Say whether ``path`` is still the file behind ``descriptor``."""
    try:
        there, here = path.lstat(), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
