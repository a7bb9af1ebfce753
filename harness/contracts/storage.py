"""Tells the failures of a disk from all others: they are the machine's, whatever they meet first."""

from __future__ import annotations

import errno
from typing import Optional

from harness.contracts.errors import MachineError, WiwError

STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""No space, no quota, read-only, broken."""

FIX = "Free some space or fix the disk."


def storage_error(error: BaseException) -> Optional[MachineError]:
    """Return the error of the machine that ``error`` is or was caused by; None for any other.

    The words of an error that was already made for people are kept.
    """
    link: Optional[BaseException] = error
    for _ in range(20):  # a chain of exceptions may be a ring
        if link is None or isinstance(link, MachineError):
            return link
        if isinstance(link, OSError) and link.errno in STORAGE:
            if isinstance(error, WiwError):
                return MachineError(error.what, error.next_step)
            where = f" {link.filename}" if link.filename else ""
            return MachineError(f"the disk failed{where and f' at{where}'}: {link.strerror}.", FIX)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return None
