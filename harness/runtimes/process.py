"""Services as processes: start under any interpreter, wait until ready, stop for certain.

Each service leads a process group of its own, so that stopping reaches everything it started, and a Ctrl-C in the
terminal reaches the harness alone, which then stops its services in order.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from harness.contracts.errors import Refusal, ServiceError
from harness.contracts.folders import home, user_cache
from harness.runtimes import keeper
from harness.runtimes.exits import LOG_LINES, ServiceLog, StartProgress, chosen_end, died_error, late_error
from harness.runtimes.interpreters import module_command, python_path
from harness.runtimes.service import ServiceLimits, ServiceSpec, unheard
from harness.runtimes.sockets import (
    SOCKET_NAME,
    SPEC_NAME,
    kill_group,
    make_socket_folder,
    reap_stale,
    remove_socket_folder,
)
from harness.wire.host import STACK_SIGNAL

REPO_ROOT = Path(__file__).resolve().parents[2]
BYTECODE = "PYTHONPYCACHEPREFIX"
"""The variable that names the folder in which an interpreter keeps its bytecode."""

POLL_S = 0.01
HEALTH_TIMEOUT_S = 1.0
STACK_DUMP_S = 1.0
"""How long a hanging service gets to write its Python stack (faulthandler, on SIGABRT) before it is killed."""

DEATH_WAIT_S = 0.5
KILL_WAIT_S = 10.0

LOGGED = "utf-8:backslashreplace"
"""How a service writes its log, whatever the user's terminal can show."""


class RunningService:
    """A started service: its socket, its process, and its end.

    Use it as a context manager, or call `stop`. If the harness dies first, a keeper process stops the service.
    """

    def __init__(self, spec: ServiceSpec, limits: ServiceLimits, log_path: Path, folder: Path) -> None:
        self._spec = spec
        self._limits = limits
        self._folder = folder
        self._log = ServiceLog(log_path, log_path.stat().st_size if log_path.exists() else 0)
        self._process = _spawn(spec, folder, log_path)
        try:
            self._keeper = _spawn_keeper(self.pid, folder)
        except BaseException:
            kill_group(self.pid)
            self._process.wait()
            raise
        self._stopped = False
        self.log_path = log_path
        self.socket = folder / SOCKET_NAME

    @property
    def name(self) -> str:
        """The service's name, as messages show it."""
        return self._spec.name

    @property
    def pid(self) -> int:
        """The id of the service's process, which leads its own group."""
        return self._process.pid

    def alive(self) -> bool:
        """Say whether the process still runs."""
        return not self._stopped and self._exit_code() is None

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """Return the last ``lines`` lines that the service wrote."""
        return self._log.tail(lines)

    def death(self, wait_s: float = DEATH_WAIT_S) -> ServiceError | None:
        """Return the error that explains why the service ended by itself; None while it runs or after `stop`.

        A call that fails because its service died knows only that the connection broke; this knows why. It waits
        up to ``wait_s`` for the end, because a connection breaks while the kernel still takes the process apart.
        """
        if self._stopped or not self._wait_exit(wait_s):
            return None
        code = self._exit_code()
        return None if code is None else died_error(self.name, code, self._log, "while in use")

    def write_stack(self) -> bool:
        """Make the service write the Python stack of each of its threads to its log; say whether it did.

        It lives on, as far as this goes.
        """
        if not self.alive():
            return False
        since = self._log.size()
        os.kill(self.pid, STACK_SIGNAL)
        return self._log.has_stack(since, STACK_DUMP_S)

    def wait_ready(self, told: Callable[[str], None] = unheard) -> None:
        """Wait until the health service answers; ``told`` gets what the service says of its start.

        Raises Refusal when the process refuses to start, ServiceError when it ends otherwise or takes too long.
        """
        from harness.wire.client import check_health

        progress = StartProgress(self._log, self._limits, told)
        while True:
            left = progress.left_s()
            code = self._exit_code()
            if code is not None:
                died = died_error(self.name, code, self._log, "while starting")
                raise chosen_end(self._spec.kind, repr(self.name), code, self._log) or died
            if left <= 0.0:
                self._dump_stack()
                raise late_error(self._spec.kind, self.name, self._limits.start_s, self._log)
            if self.socket.exists() and check_health(self.socket, min(left, HEALTH_TIMEOUT_S)):
                return
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop the service: SIGTERM, then after ``stop_s`` SIGKILL to its whole group; remove socket and spec file.

        Safe to call twice. The process is not reaped before its group is killed, so that the group's number
        cannot have been given to others meanwhile. Raises ServiceError if the kernel cannot end it.
        """
        if self._stopped:
            return
        self._stopped = True
        if self._exit_code() is None:
            os.kill(self.pid, signal.SIGTERM)
            self._wait_exit(self._limits.stop_s)
        kill_group(self.pid)
        ended = self._wait_exit(KILL_WAIT_S)
        if ended:
            self._process.wait()
        self._dismiss_keeper()
        remove_socket_folder(self._folder)
        if not ended:
            raise ServiceError(
                f"service {self.name!r} (process {self.pid}) did not end {KILL_WAIT_S:g} s after SIGKILL.",
                "It waits in the kernel, usually for a disk or a driver; look at `ps -o pid,stat,wchan`.",
            )

    def __enter__(self) -> RunningService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _exit_code(self) -> int | None:
        """Return the return code in subprocess's form without reaping the process; None while it runs."""
        status = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if status is None:
            return None
        return status.si_status if status.si_code == os.CLD_EXITED else -status.si_status

    def _wait_exit(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._exit_code() is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _dump_stack(self) -> None:
        os.kill(self.pid, signal.SIGABRT)
        self._wait_exit(STACK_DUMP_S)

    def _dismiss_keeper(self) -> None:
        pipe = self._keeper.stdin
        if pipe is not None:
            try:
                pipe.write(b".")
                pipe.close()
            except BrokenPipeError:
                pass  # the keeper was killed; there is nothing left to keep
        self._keeper.wait()


def start_process(
    spec: ServiceSpec, limits: ServiceLimits, log_path: Path, told: Callable[[str], None] = unheard
) -> RunningService:
    """Start ``spec`` as a process and return it when its health service answers; ``told`` gets what it says until then.

    Output of the service is appended to ``log_path``. Raises Refusal where the service itself refuses, and
    ServiceError (DeadlineExceeded after ``limits.start_s``) with the exit code or signal, the end of the log and the
    next step; nothing is left behind then.
    """
    reap_stale()
    log_path.parent.mkdir(parents=True, exist_ok=True)
    folder = make_socket_folder()
    try:
        service = RunningService(spec, limits, log_path, folder)
    except BaseException:
        remove_socket_folder(folder)
        raise
    try:
        service.wait_ready(told)
    except BaseException:
        service.stop()
        raise
    return service


def _spawn(spec: ServiceSpec, folder: Path, log_path: Path) -> subprocess.Popen[bytes]:
    spec_file = folder / SPEC_NAME
    content = {
        "kind": spec.kind,
        "entry_point": spec.entry_point,
        "path": [str(Path(entry).resolve()) for entry in spec.path],
        "socket": str(folder / SOCKET_NAME),
        "options": dict(spec.options),
        "manifest": dict(spec.manifest),
        "parent_pid": os.getpid(),
    }
    spec_file.write_text(json.dumps(content), encoding="utf-8")
    python = spec.python or sys.executable
    command = [*module_command(python, "harness.wire.host"), "--spec", str(spec_file)]
    try:
        with log_path.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=REPO_ROOT,
                env=_environment(spec),
                start_new_session=True,
            )
    except OSError as error:
        raise Refusal(
            f"cannot start {python} for service {spec.name!r}: {error.strerror}.",
            "Name an interpreter that exists and is executable (--env-python, --wm-python).",
        ) from error


def _environment(spec: ServiceSpec) -> dict[str, str]:
    """Return the variables of a service: the harness's own, less what would mislead another interpreter."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    variables.update(PYTHONPATH=python_path(), PYTHONUNBUFFERED="1", PYTHONFAULTHANDLER="1", PYTHONIOENCODING=LOGGED)
    if home() is None:  # libraries look for a home and for a name, and some fail without
        variables["HOME"] = str(user_cache())
        variables.setdefault("LOGNAME", f"uid-{os.getuid()}")
    variables.update(spec.environment_variables)
    if BYTECODE in spec.environment_variables:  # a folder of its own is there to be written
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


def _spawn_keeper(group: int, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", keeper.__file__, str(group), str(folder)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
