"""How a process ended, in words that say what to do next."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.contracts.errors import DeadlineExceeded, MachineError, Refusal, ServiceError, WiwError
from harness.runtimes.service import ServiceLimits
from harness.wire.host import ENVIRONMENT, MACHINE_FAILED, WORLD_MODEL
from harness.wire.progress import last_told

LOG_LINES = 20
REFUSED = 2
"""The exit code of a service that refuses to start (`harness.wire.host`): asked again it would refuse again."""
_REFUSAL = "error: "
"""What such a service writes before its reason; other programs end with 2 as well (a shell, Python itself)."""

_MANY_LINES = 400
_LINES_BEFORE_CRASH = 5
_TAIL_BYTES = 64 * 1024
_PROGRESS_BYTES = 4096
_LOOK_S = 0.25
"""How often a log is read for progress."""
_STACK_LOOK_S = 0.05
_CRASH = "Fatal Python error:"
_STACK = re.compile(r"(Current thread|Thread) 0x[0-9a-f]+.*\(most recent call first\):$")
_WAITING_FRAME = re.compile(r'"<frozen|/lib/python3\.\d+/(?!site-packages|dist-packages)|/harness/wire/|/grpc/_')

_SIGNAL_HINTS = {
    signal.SIGKILL: "Out of memory? Look at `dmesg` or the container's memory limit, and use fewer workers.",
    signal.SIGSEGV: "Native code crashed: check that its libraries fit this machine; the log has the Python stack.",
    signal.SIGABRT: "Native code aborted itself: the log has its message and the Python stack.",
    signal.SIGILL: "Native code was built for another CPU: rebuild it here.",
    signal.SIGBUS: "A mapped file or shared memory ran out: check the space of /dev/shm and of the disk.",
}


@dataclass(frozen=True)
class ServiceLog:
    """What one process wrote: the part of the file ``path`` from byte ``start`` on.

    Logs are appended to, so that a restart does not erase why the last one was needed; what an earlier process
    wrote must not explain this one's end.
    """

    path: Path
    start: int

    def tail(self, lines: int = LOG_LINES) -> str:
        """Return the last ``lines`` non-empty lines; "" where there are none."""
        kept = [line.rstrip() for line in self._end(_TAIL_BYTES).splitlines() if line.strip()]
        return "\n".join(kept[-lines:])

    def progress(self) -> str:
        """Return what the process last said of its start (`harness.wire.progress`); "" where it said nothing."""
        return last_told(self._end(_PROGRESS_BYTES))

    def size(self) -> int:
        """Return how long the file is now."""
        return self.path.stat().st_size if self.path.exists() else 0

    def has_stack(self, since: int, wait_s: float) -> bool:
        """Wait until a Python stack was written behind byte ``since``, and to its end; say whether one was."""
        until = time.monotonic() + wait_s
        written = ServiceLog(self.path, since)
        size, before = since, -1
        while time.monotonic() < until and not (size > since and size == before and written.stacks()):
            time.sleep(_STACK_LOOK_S)
            size, before = self.size(), size
        return written.stacks()

    def stacks(self) -> bool:
        """Say whether the process wrote a Python stack (faulthandler)."""
        return any(_STACK.match(line) for line in self._end(_TAIL_BYTES).splitlines())

    def _end(self, most_bytes: int) -> str:
        try:
            with self.path.open("rb") as log:
                size = log.seek(0, 2)
                log.seek(max(self.start, size - most_bytes))
                return log.read(most_bytes).decode("utf-8", errors="replace")
        except OSError:
            return ""


class StartProgress:
    """Tells what a service says of its start, when it says something new, and knows when it is late.

    Where the limits say so, a service that says something new has its time again from then on.
    """

    def __init__(self, log: ServiceLog, limits: ServiceLimits, told: Callable[[str], None]) -> None:
        self._log = log
        self._told = told
        self._start_s = limits.start_s
        self._last = ""
        self._look_at = 0.0
        self._deadline = time.monotonic() + limits.start_s
        self._latest = time.monotonic() + max(limits.start_s, limits.longest_start_s)

    def left_s(self) -> float:
        """Read the log, unless that was done just now; return how long the service may still take."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            said = self._log.progress()
            if said != self._last:
                self._last = said
                self._told(said)
                self._deadline = max(self._deadline, min(now + self._start_s, self._latest))
        return self._deadline - now


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


def died_error(name: str, returncode: int, log: ServiceLog, when: str) -> ServiceError:
    """Return the error for a service that ended by itself ``when`` (such as "while starting")."""
    how, hint = describe_exit(returncode)
    return ended_error(repr(name), how, hint, log, when)


def ended_error(service: str, how: str, hint: str, log: ServiceLog, when: str) -> ServiceError:
    """Return the error for a service whose end is already in words; ``service`` is its name as it shall appear."""
    last, excerpt = _excerpt(log)
    said = f"after saying: {last.rstrip('.')}." if last else "without a word."
    return ServiceError(f"service {service} ended {when}: {how}, {said}", _with_log(hint, log, excerpt))


def refusal_of(service: str, returncode: int, log: ServiceLog) -> Refusal | None:
    """Return the refusal of a service that ended with `REFUSED` and said why; None for any other end.

    ``service`` is its name as it shall appear. The whole reason is passed on: it may have several lines.
    """
    said = _said(log)
    if returncode != REFUSED or not said:
        return None
    return Refusal(f"service {service} refused to start: {said}", f"Whole log: {log.path}")


def chosen_end(kind: str, service: str, returncode: int, log: ServiceLog) -> WiwError | None:
    """Return the refusal or the failed disk that a service of ``kind`` ended with; None for any other end.

    Only an environment is believed that a disk failed: a world model could stop any run by saying so.
    """
    said = _said(log)
    if kind == ENVIRONMENT and returncode == MACHINE_FAILED:
        why = said or "a disk failed, and its log cannot be written either."
        return MachineError(f"service {service} could not start: {why}", f"Whole log: {log.path}")
    return refusal_of(service, returncode, log)


def _said(log: ServiceLog) -> str:
    """Return the reason that a service gave last, all its lines; "" where it gave none."""
    lines = log.tail(_MANY_LINES).splitlines()
    begins = [number for number, line in enumerate(lines) if line.startswith(_REFUSAL)]
    return "\n".join(lines[begins[-1] :]).removeprefix(_REFUSAL) if begins else ""


def late_error(kind: str, name: str, seconds: float, log: ServiceLog) -> DeadlineExceeded:
    """Return the error for a service that did not become ready in ``seconds`` and was made to write its stack.

    The user limits the start of one ``kind`` alone, a world model.
    """
    hint, limit = "The stack below shows where it was.", f"{round(seconds, 1):g} s"
    if kind == WORLD_MODEL:
        hint += " If it only needs longer, give it more: --start-timeout SECONDS."
        limit += f" (--start-timeout {seconds:g})"
    return DeadlineExceeded(
        f"service {name!r} was not ready within {limit} and was killed.",
        _with_log(hint, log, _excerpt(log)[1]),
    )


def _excerpt(log: ServiceLog) -> tuple[str, str]:
    """Return the telling line of a log, and the lines worth showing.

    A Python stack that a crash left, or that was asked for, lists every thread (faulthandler); only the frames of the
    service's own code and its libraries are kept, because waiting threads of the standard library and of the host
    tell nothing.
    """
    lines = log.tail(_MANY_LINES).splitlines()
    crashes = [number for number, line in enumerate(lines) if line.startswith(_CRASH)]
    stacks = [number for number, line in enumerate(lines) if _STACK.match(line)]
    if not crashes and not stacks:
        return (lines[-1] if lines else ""), "\n".join(lines[-LOG_LINES:])
    crash = crashes[-1] if crashes else stacks[0]
    stack = lines[crash + 1 :]
    frames = [line for line in stack if line.startswith("  File ") and not _WAITING_FRAME.search(line)]
    shown = lines[max(0, crash - _LINES_BEFORE_CRASH) : crash + 1] + (frames or stack)[-LOG_LINES:]
    return lines[crash], "\n".join(shown)


def _with_log(hint: str, log: ServiceLog, excerpt: str) -> str:
    return "\n".join(part for part in (hint, f"Whole log: {log.path}", excerpt) if part)
