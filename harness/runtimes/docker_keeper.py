"""The keeper of a container: removes it and its socket folder as soon as the harness is gone.

Run as a bare script, ``python -I -S docker_keeper.py ENGINE_SOCKET CONTAINER FOLDER``, with a pipe from the harness as
its input, and started before the container is created. However the harness ends, kill -9 included, the kernel closes
the pipe. The harness writes ``c`` when the engine has answered that the container exists, and ``.`` when it has
removed it itself. Without the ``c`` a container may still appear after the harness's end, so the keeper looks again
for a while: the container's name is known before it exists.

The functions that remove a container use a connection of their own and the standard library alone; the harness uses
them as well, because they work when a client's connection is broken.
"""

import ctypes
import http.client
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from urllib.parse import quote

CREATED = b"c"
DONE = b"."

CALL_S = 20.0
RETRY_S = 0.1
REMOVE_S = 30.0
LINGER_S = 10.0
"""How long a container whose creation was never answered is waited for."""

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DETACH, _NO_LINK = 0x2, 0x8  # <sys/mount.h>
_NOT_FOUND = 404
_NEWEST_LISTED = 300


class EngineConnection(http.client.HTTPConnection):
    """An HTTP connection to the engine's Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=CALL_S)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CALL_S)
        self.sock.connect(self._path)


def ask(engine: str, method: str, path: str) -> "tuple[int, bytes]":
    """Send one request without a body; return status and answer. Raises OSError or HTTPException."""
    connection = EngineConnection(engine)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def try_to_remove(engine: str, name: str) -> bool:
    """Unpause, kill and remove a container with its volumes, once; say whether it is gone.

    A paused container can neither be killed nor removed, and may be paused again at any time: hence the order, and
    the caller's loop.
    """
    container = f"/containers/{quote(name, safe='')}"
    try:
        status, body = ask(engine, "GET", f"{container}/json")
        if status == _NOT_FOUND:
            return True
        if status < _NEWEST_LISTED and json.loads(body).get("State", {}).get("Paused"):
            ask(engine, "POST", f"{container}/unpause")
        ask(engine, "DELETE", f"{container}?force=1&v=1")
        return ask(engine, "GET", f"{container}/json")[0] == _NOT_FOUND
    except (OSError, http.client.HTTPException, ValueError):
        return False


def remove_container(engine: str, name: str, seconds: float = REMOVE_S) -> bool:
    """Remove a container for certain, trying for ``seconds``; say whether it is gone."""
    deadline = time.monotonic() + seconds
    while not try_to_remove(engine, name):
        if time.monotonic() >= deadline:
            return False
        time.sleep(RETRY_S)
    return True


def remove_tree(folder: str) -> None:
    """Remove a folder that a stranger filled, as far as permitted; a folder that is gone is fine. Follows no link.

    Where a file system of its own is mounted there, that goes first, with all that is in it. Folders within folders are
    moved up one by one and emptied there: a recursive removal runs out of stack or of descriptors in a chain of
    thousands, which any container can make.
    """
    ctypes.CDLL(None).umount2(os.fsencode(folder), _DETACH | _NO_LINK)
    try:
        top = os.open(folder, _OPEN_FOLDER)
    except OSError:
        return
    try:
        left: list[str] = []
        while (names := os.listdir(top)) and names != left:  # noqa: PTH208
            left = names
            for name in names:
                _remove_entry(top, name)
    finally:
        os.close(top)
    with suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106


def _remove_entry(top: int, name: str) -> None:
    """Remove one entry of the folder ``top``; folders within it move to ``top`` under new names."""
    with suppress(OSError):
        if not _made_enterable(top, name):
            os.unlink(name, dir_fd=top)
            return
        folder = os.open(name, _OPEN_FOLDER, dir_fd=top)
        try:
            for inner in os.listdir(folder):  # noqa: PTH208
                if _made_enterable(folder, inner):
                    os.rename(inner, os.urandom(16).hex(), src_dir_fd=folder, dst_dir_fd=top)
                else:
                    os.unlink(inner, dir_fd=folder)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=top)


def _made_enterable(parent: int, name: str) -> bool:
    """Say whether an entry is a folder; open it to its owner, since one that is closed cannot be emptied."""
    try:
        entry = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except NotADirectoryError:
        return False
    try:
        os.chmod(f"/proc/self/fd/{entry}", 0o700)  # noqa: PTH101 (not by name, which might be a link by now)
    finally:
        os.close(entry)
    return True


def main() -> None:
    """Wait for the harness's word or its end; in the second case clean up."""
    engine, name, folder = sys.argv[1:4]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    created = False
    while True:
        word = os.read(0, 1)
        if word == DONE:
            return
        if not word:
            break
        created = True
    remove_container(engine, name)
    remove_tree(folder)
    with suppress(OSError):
        os.unlink(f"{folder}.lock")  # noqa: PTH108 (the owner's lock, which nobody holds any more)
    deadline = time.monotonic() + LINGER_S
    while not created and time.monotonic() < deadline:
        time.sleep(RETRY_S)
        remove_container(engine, name)


if __name__ == "__main__":
    main()
