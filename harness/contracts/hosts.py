"""Which kernel this is, and whether a folder can be seen by another one."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

LOCAL = frozenset(
    ("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "tmpfs", "xfs", "zfs")
)
"""File systems that one kernel mounts at a time. Of any other kind another machine may hold files open."""


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Return the name that Linux gave itself at its start: one for all containers of a machine, new at each boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def is_local(folder: Path) -> bool:
    """Say whether ``folder`` lies in a file system of this kernel alone; False where that cannot be told.

    Of the mounts that hold the folder the innermost counts, and of several at one place the last (proc(5), mounts).
    """
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    place = folder.resolve()
    best, kind = -1, ""
    for fields in (line.split() for line in lines):
        at = Path(_unescaped(fields[1]))
        if len(at.parts) >= best and (at == place or at in place.parents):
            best, kind = len(at.parts), fields[2]
    return kind in LOCAL


def _unescaped(text: str) -> str:
    """Return a path of /proc/self/mounts, which writes spaces and the like as three octal digits."""
    return os.fsdecode(os.fsencode(text).decode("unicode_escape", "surrogateescape").encode("latin-1", "replace"))
