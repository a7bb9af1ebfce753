"""Ends this process when it makes a system call of another processor mode: 32-bit calls and those of x32.

The filter that a container starts with ends only the *thread* that makes one (libseccomp does so with foreign calls,
and no profile can change it). A Python thread that vanishes with the interpreter's lock leaves a process that lives
and never answers. This second filter kills the process: of two filters the kernel obeys the stricter (seccomp(2)).
"""

from __future__ import annotations

import ctypes
import platform
import struct

# <linux/audit.h>, <linux/seccomp.h>, <linux/filter.h>, <sys/prctl.h>
_NATIVE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_PR_SET_SECCOMP, _FILTER_MODE = 22, 2


def end_on_foreign_calls() -> bool:
    """Install the filter for this thread and all that it starts; return whether the kernel took it.

    It needs "no new privileges", which every container of the harness has.
    """
    native = _NATIVE.get(platform.machine())
    if native is None:
        return False
    steps = (
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 0, 3, native),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_ANY_BIT, 1, 0, _X32_BIT),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL_PROCESS),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(code)))
    return bool(ctypes.CDLL(None).prctl(_PR_SET_SECCOMP, _FILTER_MODE, program, 0, 0) == 0)
