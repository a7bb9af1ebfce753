"""Finds out whether a failure that speaks of the disk is one of this machine's disks, or of the project's caches.

A service's word alone does not count: a world model could stop a run by it, or have its own failure forgotten.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.contracts.errors import MachineError, WiwError
from harness.contracts.folders import cache_root, user_cache
from harness.contracts.kernel_folders import kernels_base
from harness.contracts.storage import FIX, storage_error

_SPEAKS_OF_IT = re.compile(
    r"No space left|Disk quota|Read-only file system|Input/output error|Permission denied|No such file or directory|"
    r"Not a directory|Errno (2|5|13|20|28|30|122)\b|SIGBUS",
    re.IGNORECASE,
)
_NAMED = re.compile(r"['\"](/[^'\"\n]+)['\"]")
"""How Python's errors name a file."""

MEND_CACHE = (
    "Let it be written again, or set WIW_CACHE and XDG_CACHE_HOME (NUMBA_CACHE_DIR for compiled code) to folders that "
    "can be; then resume the run."
)
_NEARLY_FULL_BYTES = 1 << 20
_PROBE_BYTES = 1 << 16


def disk_behind(error: WiwError, logs: Path) -> MachineError | None:
    """Return the error of the machine that ``error`` of a service comes from; None where no disk is to blame.

    ``logs`` is the folder of the services' logs, which is in the run folder.
    """
    if not _SPEAKS_OF_IT.search(str(error)):
        return None
    caches = (cache_root(), user_cache(), *filter(None, (kernels_base(),)))
    disk = failed_disk((logs, Path(tempfile.gettempdir())), (cache_root(), Path("/dev/shm")))
    return disk or failed_cache(str(error), caches)


def failed_cache(words: str, caches: Sequence[Path]) -> MachineError | None:
    """Return the error of the first file named in ``words`` that lies in a cache and whose folder cannot be written.

    A cache may be read-only by intention: only who wanted to write there names its file.
    """
    for named in map(Path, _NAMED.findall(words)):
        if not any(named.is_relative_to(cache) for cache in caches):
            continue
        try:
            with tempfile.TemporaryFile(dir=named.parent):
                pass
        except OSError as error:
            return MachineError(f"cannot write {named}, in a cache of this project: {error.strerror}.", MEND_CACHE)
    return None


def failed_disk(written: Sequence[Path], looked_at: Sequence[Path]) -> MachineError | None:
    """Return the error of the first disk that is full or cannot be written, None where all can.

    ``written`` get a file of 64 KiB for a moment; ``looked_at`` are only asked for their space, because they may be
    read-only by intention.
    """
    for folder in (*written, *looked_at):
        if _is_nearly_full(folder):
            return MachineError(f"no space left on the disk of {folder}.", FIX)
    for folder in written:
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(_PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            found = storage_error(error)
            if found is not None:
                return MachineError(f"cannot write to {folder}: {error.strerror}.", FIX)
    return None


def _is_nearly_full(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_blocks > 0 and disk.f_bavail * disk.f_frsize < _NEARLY_FULL_BYTES
