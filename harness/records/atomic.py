"""Files that are either there completely or not at all, also after a power cut."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from harness.records.errors import disk_errors

TEMPORARY = ".tmp-"
"""Prefix of unfinished files and folders; whoever holds the run's lock may remove them."""


def write_synced(path: Path, data: bytes) -> None:
    """Write ``data`` to the new file ``path``, never through a link, and wait until it is on the disk."""
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the entries of a folder (new names, renames) are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old bytes or the new ones, never a part.

    The temporary name lies in the same folder, because a rename is atomic only inside one file system.
    """
    # Two processes may write the same file, and where they see different process namespaces have the same number.
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    with disk_errors(path):
        try:
            write_synced(temporary, data)
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
