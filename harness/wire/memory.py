"""Keeps freed memory in the processes on both ends of a socket, since images come and go with every call.

glibc maps each block above 128 KiB afresh and gives it back when freed, so every image is paid for in page faults.
Keeping the blocks made the round trip of two RGB images of 256 x 256 about a third shorter on the client's side, and
again when the environment makes its images anew each step (docs/wire.md). The price is that a process stays as large
as it once was, up to the limits below.
"""

from __future__ import annotations

import ctypes

# <malloc.h> of glibc
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_LARGEST_KEPT = 32 * 2**20  # glibc's own upper bound for the threshold
_KEPT_FREE = 128 * 2**20


def keep_freed_memory() -> bool:
    """Have malloc keep blocks of up to 32 MiB; return False where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_M_MMAP_THRESHOLD, _LARGEST_KEPT), (_M_TRIM_THRESHOLD, _KEPT_FREE))
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)
