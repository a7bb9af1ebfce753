"""What came of an attempt, in one form for all escape probes: "denied: why" or "allowed: what"."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Any, Callable, Mapping

Facts = Mapping[str, Any]
Probe = Callable[[Facts], str]

_LIBC = ctypes.CDLL(None, use_errno=True)


def attempt(action: Callable[..., Any], *arguments: Any) -> str:
    """Return what came of an action: denied with the error's name, or allowed with its result."""
    try:
        return f"allowed: {action(*arguments)}"
    except OSError as error:
        return f"denied: {errno.errorcode.get(error.errno or 0, str(error))}"


def all_denied(outcomes: Mapping[str, str]) -> str:
    """Return one outcome for several attempts: allowed if any was."""
    allowed = [f"{name} ({outcome[9:]})" for name, outcome in outcomes.items() if outcome.startswith("allowed")]
    return f"allowed: {'; '.join(allowed)}" if allowed else f"denied: {sorted(set(outcomes.values()))}"


def call(name: str, *arguments: Any) -> int:
    """Call a function of the C library; raise OSError when it fails."""
    ctypes.set_errno(0)
    result: int = getattr(_LIBC, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def in_child(action: Callable[[], Any]) -> str:
    """Return what came of an action in a forked process, which it may change."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, attempt(action).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        outcome = said.read()
    os.waitpid(child, 0)
    return outcome or "denied: killed"
