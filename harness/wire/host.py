"""Runs one environment, world model or policy as a service: ``python -m harness.wire.host --spec FILE``.

FILE is JSON: ``kind`` (environment | world_model | policy), ``entry_point`` (module:Class), ``path`` (folders to import
from), ``socket``, ``options`` (keyword arguments of an environment), ``manifest`` (fields of a model's manifest) and
``parent_pid``, which is 0 in a container. The object exists before the socket does: a service that can be reached is
ready.

The process ends when its parent is gone, on SIGTERM and on SIGINT; it closes its object first. Parent death is noticed
by polling and, on Linux, by a signal. That signal comes already when the parent's *thread* that started this process
ends, so it only makes the poll look at once. Native code that holds the interpreter lock for good would hide both: a
timer of the C library ends the process then. In a container no parent can be seen: the harness holds a lock on a file
beside the socket instead, which the kernel releases when the harness dies.

A thread reads the signals from a pipe, which the interpreter fills in whichever thread the kernel interrupts. What
`signal.signal` sets runs in the main thread alone, and never while that waits for a lock and another thread was
interrupted, or when the signal came just before the wait.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import faulthandler
import fcntl
import importlib
import json
import os
import select
import signal
import stat
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain
from harness.contracts.kernel_folders import name_folder_of_service
from harness.contracts.manifests import ModelManifest
from harness.contracts.storage import storage_error
from harness.wire.foreign_calls import end_on_foreign_calls
from harness.wire.memory import keep_freed_memory
from harness.wire.progress import tell

ENVIRONMENT = "environment"
WORLD_MODEL = "world_model"
POLICY = "policy"
MODELS = (WORLD_MODEL, POLICY)
"""The kinds of service whose object is made of a manifest."""

CLOSE_S = 3.0
"""How long the object may take to close; then the process ends without it."""
POLL_S = 0.2
STUCK_S = 900.0
"""No call may hold the interpreter lock longer: the longest default deadline is 600 s."""

MACHINE_FAILED = 74
"""The exit status of a service that ended because a disk failed (EX_IOERR of sysexits.h)."""

LOG_BYTES = 64 * 2**20
"""What is kept of the output of a service that is a process."""

STACK_SIGNAL = signal.SIGUSR1
"""On this signal the process writes the Python stack of every thread, and lives on. The init process of a container
passes it on, unlike SIGABRT."""
LEASE_NAME = "lease"
"""The file beside the socket that a harness keeps locked, for as long as it lives, while a container serves it."""

_PR_SET_PDEATHSIG = 1
_WAKE = signal.SIGHUP
_END = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class HostSpec:
    """What to run and where; the fields of the spec file."""

    kind: str
    entry_point: str
    socket: str
    parent_pid: int
    path: Tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)


def read_spec(file: Path) -> HostSpec:
    """Return the spec in a JSON file; raise Refusal if it is not one."""
    try:
        spec = from_plain(HostSpec, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise Refusal(f"{file} is no service spec: {error}.", "See harness/wire/host.py for its fields.") from error
    if spec.kind not in (ENVIRONMENT, *MODELS):
        raise Refusal(f"{file} names the kind {spec.kind!r}.", f"Use {ENVIRONMENT}, {WORLD_MODEL} or {POLICY}.")
    return spec


def load_class(entry_point: str, path: Sequence[str]) -> Any:
    """Import the class behind ``module:Class``, looking into ``path`` first."""
    module_name, _, class_name = entry_point.partition(":")
    sys.path[:0] = list(path)
    module = importlib.import_module(module_name)
    if not hasattr(module, class_name):
        raise Refusal(f"{module_name} has no class {class_name!r}.", "Fix the entry point.")
    return getattr(module, class_name)


def construct(spec: HostSpec) -> Any:
    """Return the service of the object that ``spec`` names, made in the calling thread."""
    from harness.wire.services import service_of

    if spec.kind in MODELS:
        _name_kernel_folder(spec)
    kind = load_class(spec.entry_point, spec.path)
    if spec.kind in MODELS:
        return service_of(kind(from_plain(ModelManifest, dict(spec.manifest))))
    made = kind(**spec.options)
    service = service_of(made)
    made.prepare(tell)
    return service


def _name_kernel_folder(spec: HostSpec) -> None:
    """Give what a plugin compiles with numba a folder of its sources: its own, and its authors' (setting ``code``)."""
    code = spec.manifest.get("settings", {}).get("code")
    folders = [Path(folder) for folder in [*spec.path, code] if folder]
    module = spec.entry_point.partition(":")[0].partition(".")[0]
    found = PathFinder.find_spec(module, [*map(str, folders), *sys.path])
    files = [Path(found.origin)] if found and found.origin and found.origin.endswith(".py") else []
    name_folder_of_service(files, folders)


class Watch:
    """Sets ``stop`` on SIGTERM, SIGINT, and when the parent is gone: process ``parent_pid``, or if that is 0 the holder
    of ``lease``."""

    def __init__(self, parent_pid: int, lease: Path, stop: threading.Event) -> None:
        self._parent_pid = parent_pid
        self._lease = lease
        self._stop = stop
        self._signals, self._noted = os.pipe()

    def start(self) -> None:
        """Begin to watch; call from the main thread."""
        os.set_blocking(self._noted, False)
        signal.set_wakeup_fd(self._noted)
        for number in (_WAKE, *_END):
            signal.signal(number, lambda *_: None)  # what counts is the number in the pipe
        if self._parent_pid and sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(_WAKE), 0, 0, 0)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def _watch(self) -> None:
        armed = -STUCK_S
        while self._parent_lives():
            if time.monotonic() - armed > STUCK_S / 10:
                armed = time.monotonic()
                faulthandler.dump_traceback_later(STUCK_S, exit=True)
            if self._parent_pid:  # the output of a container is read, and cut, by the harness
                cut_long_log()
            if self._asked_to_end():
                break
        self._stop.set()

    def _asked_to_end(self) -> bool:
        """Wait for signals, at most ``POLL_S``; say whether one of them ends the service."""
        ready, _, _ = select.select([self._signals], [], [], POLL_S)
        return bool(ready) and not set(os.read(self._signals, 512)).isdisjoint(_END)

    def _parent_lives(self) -> bool:
        if self._parent_pid:
            return os.getppid() == self._parent_pid
        return is_locked(self._lease)


def cut_long_log(limit: int = LOG_BYTES) -> None:
    """Throw further output of this process away once the log file that it is written to holds ``limit`` bytes.

    A model that prints without end would fill the disk. Over all starts, since they share the file.
    """
    status = os.fstat(1)
    if not stat.S_ISREG(status.st_mode) or status.st_size <= limit:
        return
    with contextlib.suppress(OSError):  # the disk may be full already
        os.write(1, f"\n[log: cut here after {limit} bytes; the service's further output is lost]\n".encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def is_locked(lease: Path) -> bool:
    """Say whether another process holds the lock on ``lease``; a file that is gone is held by nobody."""
    try:
        with lease.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _constructed(spec: HostSpec, thread: ThreadPoolExecutor, stop: threading.Event) -> Any:
    """Return the service that ``thread`` constructed, or None if the process must end before that."""
    construction = thread.submit(construct, spec)
    while not stop.is_set():
        try:
            return construction.result(timeout=POLL_S)
        except FutureTimeout:
            if construction.done():  # the object's own timeout, not ours
                raise
    return None


def _start(service: Any, socket: Path, thread: ThreadPoolExecutor) -> Any:
    """Serve on a socket that only this user can open."""
    from harness.wire.server import start_server

    mask = os.umask(0o177)
    try:
        return start_server(service, socket, thread)
    finally:
        os.umask(mask)


def serve(spec: HostSpec) -> None:
    """Construct, serve until it is time to end, and close."""
    keep_freed_memory()
    if not spec.parent_pid:  # in a container, before there is another thread
        end_on_foreign_calls()
        os.dup2(2, 1)  # an engine hands two streams on in any order: what native code says goes before the stack
    stop = threading.Event()
    faulthandler.register(STACK_SIGNAL)
    Watch(spec.parent_pid, Path(spec.socket).with_name(LEASE_NAME), stop).start()
    thread = ThreadPoolExecutor(1, thread_name_prefix="object")
    service = _constructed(spec, thread, stop)
    if service is None:
        return
    server = _start(service, Path(spec.socket), thread)
    stop.wait()
    server.stop(grace=None)
    Path(spec.socket).unlink(missing_ok=True)
    try:
        thread.submit(service.close).result(timeout=CLOSE_S)
    except Exception:  # the object's code may raise anything; the process ends all the same
        traceback.print_exc(file=sys.stderr)


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line; return the exit status.

    0 ended in order, 1 the object failed, 2 the spec is wrong or the object refuses, `MACHINE_FAILED` a disk failed.
    """
    parser = argparse.ArgumentParser(prog="python -m harness.wire.host", description="Serve one object.")
    parser.add_argument("--spec", type=Path, required=True, help="JSON file that says what to serve and where")
    try:
        serve(read_spec(parser.parse_args(arguments).spec))
    except Refusal as error:
        machine = storage_error(error)
        with contextlib.suppress(OSError):
            print(f"error: {machine or error}", file=sys.stderr)
        return 2 if machine is None else MACHINE_FAILED
    except Exception as error:  # the object's code may raise anything
        with contextlib.suppress(OSError):  # the log may lie on the disk that failed
            traceback.print_exc(file=sys.stderr)
            machine = storage_error(error)
            if machine is None:
                return 1
            print(f"error: {machine}", file=sys.stderr)
        return MACHINE_FAILED
    return 0


if __name__ == "__main__":
    status = main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)  # a call that never ends must not keep the process
