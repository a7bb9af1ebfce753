"""What a container can put into the folder that it shares with the harness, in the place of its socket or beside it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Mapping

SHARED = Path("/run/wiw")
SOCKET = SHARED / "service.sock"
KINDS = ("link to a file", "link to a socket", "dangling link", "link to itself", "fifo", "folder", "file", "hard link")


def put(kind: str, facts: Mapping[str, Any]) -> str:
    """Put something of ``kind`` where the socket belongs, in one step; what is there is replaced."""
    made = SHARED / "made"
    if kind == "folder":
        made.mkdir()
        (made / "inside").touch()
    elif kind == "fifo":
        os.mkfifo(made)
    elif kind == "file":
        made.write_text("no socket")
    elif kind == "hard link":
        (SHARED / "first name").write_text("no socket")
        os.link(SHARED / "first name", made)
    else:
        targets = {
            "link to a file": facts.get("file", "/etc/passwd"),
            "link to a socket": facts.get("socket", "/var/run/docker.sock"),
            "dangling link": "/nowhere",
            "link to itself": str(SOCKET),
        }
        made.symlink_to(targets[kind])
    made.rename(SOCKET)
    return "put"


def leave_chain(depth: int) -> None:
    """Make folders within folders, a closed one, links out, and a socket in the deepest."""
    closed = SHARED / "closed"
    (closed / "inner").mkdir(parents=True)
    (SHARED / "out").symlink_to("/etc")
    before = Path.cwd()
    os.chdir(SHARED)
    for _ in range(depth):
        Path("deeper").mkdir()
        os.chdir("deeper")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    os.chdir(before)
    closed.chmod(0)
    print(f"left {depth} folders")


def leave_files() -> None:
    """Make empty files with long names until it is denied; say how many there are."""
    made = 0
    try:
        while True:
            (SHARED / f"{made:0250d}").touch()
            made += 1
    except OSError as error:
        (SHARED / f"{0:0250d}").unlink()  # leaves room for the socket
        print(f"made {made} files, then {error}", flush=True)
