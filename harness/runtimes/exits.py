"""How a process ended, in words that say what to do next."""

from __future__ import annotations

import signal
from pathlib import Path

from harness.contracts.errors import DeadlineExceeded, ServiceError

LOG_LINES = 20
_TAIL_BYTES = 64 * 1024

_SIGNAL_HINTS = {
    signal.SIGKILL: "Out of memory? Look at `dmesg` or the container's memory limit, and use fewer workers.",
    signal.SIGSEGV: "Native code crashed: check that its libraries fit this machine; the log has the Python stack.",
    signal.SIGABRT: "Native code aborted itself: the log has its message and the Python stack.",
    signal.SIGILL: "Native code was built for another CPU: rebuild it here.",
    signal.SIGBUS: "A mapped file or shared memory ran out: check the space of /dev/shm and of the disk.",
}


def describe_exit(returncode: int) -> tuple[str, str]:
    """Return what a ``subprocess`` return code means, and a next step ("" where only the log can tell)."""
    number = -returncode if returncode < 0 else returncode - 128
    if returncode >= 0 and not 0 < number < 65:
        return f"exit code {returncode}", ""
    try:
        name = signal.Signals(number).name
        hint = _SIGNAL_HINTS.get(signal.Signals(number), "")
    except ValueError:
        name, hint = f"signal {number}", ""
    return (f"killed by {name}", hint) if returncode < 0 else (f"exit code {returncode} ({name})", hint)


def read_tail(log_path: Path, lines: int = LOG_LINES) -> str:
    """Return the last ``lines`` non-empty lines of a log; "" where there is none."""
    try:
        with log_path.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(0, size - _TAIL_BYTES))
            text = log.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    kept = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(kept[-lines:])


def died_error(name: str, returncode: int, log_path: Path, when: str) -> ServiceError:
    """Return the error for a service that ended by itself ``when`` (such as "while starting")."""
    how, hint = describe_exit(returncode)
    tail = read_tail(log_path)
    last = tail.rpartition("\n")[2]
    summary = f"service {name!r} ended {when}: {how}" + (f", after saying: {last}" if last else ", without a word.")
    return ServiceError(summary, _with_log(hint, log_path, tail))


def late_error(name: str, seconds: float, log_path: Path) -> DeadlineExceeded:
    """Return the error for a service that did not become ready in ``seconds``."""
    return DeadlineExceeded(
        f"service {name!r} was not ready within {seconds:g} s and was killed.",
        _with_log(
            "The stack below shows where it was; raise the start limit if it only needs longer.",
            log_path,
            read_tail(log_path),
        ),
    )


def _with_log(hint: str, log_path: Path, tail: str) -> str:
    pointer = f"Whole log: {log_path}"
    return "\n".join(part for part in (hint, pointer, tail) if part)
