"""Keeps freed memory in the process, since images come and go with every call.

glibc maps each block above 128 KiB afresh and gives it back when freed, so every image is paid for in page faults. On
a virtual machine they cost more than the transfer: keeping the blocks halved the round trip of two images (see
docs/wire.md). The price is that a process stays as large as it once was, up to the limits below.
"""

from __future__ import annotations

import ctypes
import functools

# <malloc.h> of glibc
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_LARGEST_KEPT = 32 * 2**20  # glibc's own upper bound for the threshold
_KEPT_FREE = 128 * 2**20
_GROWTH = 8 * 2**20


@functools.cache
def keep_freed_memory() -> bool:
    """Have malloc keep blocks of up to 32 MiB; return False where the C library is not glibc.

    One arena serves all threads: else each thread's arena would keep its own images.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = (
        (_M_ARENA_MAX, 1),
        (_M_MMAP_THRESHOLD, _LARGEST_KEPT),
        (_M_TRIM_THRESHOLD, _KEPT_FREE),
        (_M_TOP_PAD, _GROWTH),
    )
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)
