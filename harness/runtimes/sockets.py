"""Socket folders: private, short, owned, and removed whatever happens.

A socket lives in a fresh folder that only its owner may enter. The owner is whoever holds the lock on a file beside it:
a process id says nothing across process namespaces or machines that share a folder, and a lock is released by the
kernel when its holder ends, however that happens, and by nothing else. The file also names the kernel: where a network
file system keeps locks of other machines to itself, a free lock proves nothing about their owners. The folder's name
carries a process id and its start for people alone.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import signal
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.contracts.errors import Refusal
from harness.contracts.hosts import boot_id, is_local
from harness.runtimes.docker_keeper import remove_tree

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


PREFIX = "wiw-"
SOCKET_NAME = "s.sock"
SPEC_NAME = "spec.json"
MAX_SOCKET_PATH = 100
"""Bytes. Linux allows 107 in a socket address; gRPC's own prefix and other systems leave less."""

MAX_BASE = 55
"""Characters that a folder may have in which socket folders, with names of up to 39, are made."""

OTHERS = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
_ADDRESS = re.compile(rf"(?=.{{1,{MAX_BASE}}}\Z)/[A-Za-z0-9/._-]*", re.ASCII)

OWNER_ONLY = 0o700

_held: dict[Path, int] = {}
"""The descriptors with the locks of this process's folders. They are closed by `remove_socket_folder` or by the
process's end, and no child inherits them."""


def socket_base() -> Path:
    """Return the folder that socket folders are made in: the temporary one, or another where no address can name it.

    The address of a socket is short, and gRPC takes some characters of it for its own. Batch systems give jobs
    temporary folders with long names. Nothing but sockets lies in the other one. Refusal where there is none.
    """
    temporary = Path(tempfile.gettempdir())
    for base in (temporary, *OTHERS):
        if _ADDRESS.fullmatch(str(base)) and os.access(base, os.W_OK | os.X_OK):
            return base
    raise Refusal(
        f"no socket can have an address in {temporary}: a folder of at most {MAX_BASE} letters, digits, dots, dashes "
        "and underscores can.",
        "Set TMPDIR to such a folder that you can write.",
    )


def make_socket_folder(parent: Path | None = None) -> Path:
    """Make a fresh folder of mode 0700 for one socket below ``parent`` (`socket_base`).

    It is checked with lstat (a folder, not a link, ours, closed to others). A path too long for a socket raises
    Refusal, because the system's own message does not say why binding failed.
    """
    base = socket_base() if parent is None else parent
    folder = _claimed_folder(base)
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == OWNER_ONLY
    if not private or status.st_uid != os.geteuid():
        remove_socket_folder(folder)
        raise Refusal(
            f"the folder {folder} is not private (mode {stat.filemode(status.st_mode)}, owner {status.st_uid}).",
            "Set TMPDIR to a folder of your own on a local file system.",
        )
    length = len(os.fsencode(folder / SOCKET_NAME))
    if length >= MAX_SOCKET_PATH:
        remove_socket_folder(folder)
        raise Refusal(
            f"the socket path below {base} would have {length} bytes; {MAX_SOCKET_PATH - 1} are allowed.",
            "Set TMPDIR to a shorter folder, such as /tmp.",
        )
    return folder


def remove_socket_folder(folder: Path) -> None:
    """Remove ``folder`` and whatever a service put in it, and give up its lock; one that is gone already is fine."""
    remove_tree(os.fspath(folder))
    descriptor = _held.pop(folder, None)
    if descriptor is not None:
        give_up(folder, descriptor)


def reap_stale(parent: Path | None = None) -> list[Path]:
    """Remove the socket folders of owners that no longer live, kill services left in them, return the folders.

    Only folders of this user whose lock nobody holds are touched. This is the last line: a keeper process does the same
    at once when a harness dies, unless it was killed as well.
    """
    base = socket_base() if parent is None else parent
    removed = []
    for lock in sorted(base.glob(f"{PREFIX}*-*-*{SUFFIX}")):
        folder = lock.with_name(lock.name[: -len(SUFFIX)])
        descriptor = take_over(folder)
        if descriptor is None:
            continue
        try:
            if _is_own_folder(folder):
                for pid in _services_in(folder):
                    kill_group(pid)
                remove_socket_folder(folder)
                removed.append(folder)
        finally:
            give_up(folder, descriptor)
    return removed


def _claimed_folder(base: Path) -> Path:
    """Make a folder of mode 0700 with a new name, whose lock this process holds from before it exists."""
    pid = os.getpid()
    while True:
        folder = base / f"{PREFIX}{pid}-{process_start_time(pid)}-{secrets.token_hex(4)}"
        descriptor = claim(folder)
        if descriptor is None:
            continue
        try:
            folder.mkdir(mode=OWNER_ONLY)
        except BaseException:
            give_up(folder, descriptor)
            raise
        _held[folder] = descriptor
        return folder


def _is_own_folder(folder: Path) -> bool:
    with suppress(OSError):
        status = folder.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return False


def _services_in(folder: Path) -> list[int]:
    """Return the ids of the services that were started with the spec file in ``folder``."""
    return [pid for pid in processes_naming(folder) if os.fsencode(folder / SPEC_NAME) in _words(pid)]


def _words(pid: int) -> list[bytes]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []


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
