"""Socket folders: private, short, and removed whatever happens.

A socket lives in a fresh folder that only its owner may enter. The folder's name carries the process that made it
(id and start time), so that a later run can tell a living owner from a dead one whose id was used again.
"""

from __future__ import annotations

import os
import signal
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.contracts.errors import Refusal
from harness.runtimes.docker_keeper import remove_tree

PREFIX = "wiw-"
SOCKET_NAME = "s.sock"
MAX_SOCKET_PATH = 100
"""Bytes. Linux allows 107 in a socket address; gRPC's own prefix and other systems leave less."""

OWNER_ONLY = 0o700


def make_socket_folder(parent: Path | None = None) -> Path:
    """Make a fresh folder of mode 0700 for one socket below ``parent`` (the system's temporary folder).

    It is checked with lstat (a folder, not a link, ours, closed to others). A path too long for a socket raises
    Refusal, because the system's own message does not say why binding failed.
    """
    base = Path(tempfile.gettempdir()) if parent is None else parent
    pid = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{pid}-{process_start_time(pid)}-", dir=base))
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == OWNER_ONLY
    if not private or status.st_uid != os.geteuid():
        folder.rmdir()
        raise Refusal(
            f"the folder {folder} is not private (mode {stat.filemode(status.st_mode)}, owner {status.st_uid}).",
            "Set TMPDIR to a folder of your own on a local file system.",
        )
    length = len(os.fsencode(folder / SOCKET_NAME))
    if length >= MAX_SOCKET_PATH:
        folder.rmdir()
        raise Refusal(
            f"the socket path below {base} would have {length} bytes; {MAX_SOCKET_PATH - 1} are allowed.",
            "Set TMPDIR to a shorter folder, such as /tmp.",
        )
    return folder


def remove_socket_folder(folder: Path) -> None:
    """Remove ``folder`` and whatever a service put in it; a folder that is gone already is fine."""
    remove_tree(os.fspath(folder))


def reap_stale(parent: Path | None = None) -> list[Path]:
    """Remove the socket folders of owners that no longer live, kill services left in them, return the folders.

    Only folders of this user are touched. This is the last line: a keeper process does the same at once when a
    harness dies, unless it was killed as well.
    """
    base = Path(tempfile.gettempdir()) if parent is None else parent
    stale = []
    for folder in base.glob(f"{PREFIX}*-*-*"):
        with suppress(OSError):
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not _owner_lives(folder.name):
                stale.append(folder)
    for folder in stale:
        for pid in processes_naming(folder):
            kill_group(pid)
        remove_socket_folder(folder)
    return stale


def processes_naming(folder: Path) -> list[int]:
    """Return the ids of the processes whose command line names a file in ``folder``."""
    needle = os.fsencode(folder) + b"/"
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if needle in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def kill_group(pid: int) -> None:
    """Kill the process group that ``pid`` leads, native code included; a group that is gone is fine."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def process_start_time(pid: int) -> int | None:
    """Return when ``pid`` started, in clock ticks since boot (field 22 of proc(5) stat); None where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the command in parentheses and may hold spaces: count after the last parenthesis.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def _owner_lives(folder_name: str) -> bool:
    """Say whether the owner named in ``wiw-<pid>-<start>-<random>`` lives; unreadable names count as living."""
    parts = folder_name[len(PREFIX) :].split("-", 2)
    if len(parts) != 3 or not parts[0].isdigit() or not parts[1].isdigit():
        return True
    return process_start_time(int(parts[0])) == int(parts[1])
