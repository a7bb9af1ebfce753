"""Gives the ends of a Unix socket send buffers that hold a message with two images.

Linux's default of 208 KiB takes half of two RGB images of 256 x 256: the rest waits until the reader has been woken and
has read, and the writer has been woken again, twice. With room for all of it the writer never waits (docs/wire.md
has the figures). gRPC has no option for this, so the descriptors of the process are searched for the socket.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

SEND_BUFFER_BYTES = 208 * 2**10
"""The kernel doubles it, and by default allows no more (net.core.wmem_max). Buffers of megabytes made rollouts slower:
their bytes no longer stay in the processor's cache between the two processes."""

_DESCRIPTORS = Path("/proc/self/fd")


def widen_send_buffers(path: Path) -> int:
    """Widen what this process has connected to or accepted at ``path``; return how many sockets that were.

    None are found where there is no /proc: bytes then travel in smaller portions.
    """
    names = [entry.name for entry in _DESCRIPTORS.iterdir()] if _DESCRIPTORS.is_dir() else []
    return sum(_widen(int(name), str(path)) for name in names)


def _widen(descriptor: int, path: str) -> bool:
    """Widen one descriptor if it is a connected socket whose own or other end is ``path``."""
    try:
        copy = os.dup(descriptor)  # ours to close, and the same socket whatever becomes of the number
    except OSError:
        return False
    try:
        end = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)  # no socket
        return False
    with end:
        try:
            if end.family != socket.AF_UNIX or path not in (end.getpeername(), end.getsockname()):
                return False
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        except OSError:  # not connected, or not any more
            return False
    return True
