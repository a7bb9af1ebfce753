"""Workers as processes of this machine, seen from the main process."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Dict, List, Optional, Tuple

from harness.contracts.from_source import CHECKOUT
from harness.running.executors import Worker
from harness.running.messages import Message, Play, decode, encode
from harness.runtimes.interpreters import ONE_THREAD, module_command, python_path
from harness.runtimes.process import LOGGED

_CHUNK = 1 << 16
_TAIL_BYTES = 4000


@dataclass(frozen=True)
class Job:
    """What every worker is started with: the ``module`` that it runs (`worker_loop`), the ``folder`` of the work, the
    ``plan`` as that module reads it, and the descriptor of the folder's lock, which workers hold as well.

    ``log`` returns the log of a worker by its number, and ``clean`` removes what the process of an id left unfinished.
    """

    module: str
    folder: Path
    plan: bytes
    lock: int
    log: Callable[[int], Path]
    clean: Callable[[int], object]


class LocalProcesses:
    """The `Executor` of this machine."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._selector = selectors.DefaultSelector()

    def start(self, number: int) -> WorkerProcess:
        """Start a worker process."""
        worker = WorkerProcess(self._job, number)
        self._selector.register(worker, selectors.EVENT_READ, worker)
        return worker

    def wait(self, seconds: float) -> List[Tuple[Worker, Optional[List[Message]]]]:
        """Return what the processes said."""
        return [(event.data, event.data.read()) for event, _ in self._selector.select(seconds)]

    def drop(self, worker: Worker) -> str:
        """Kill the process group of a worker; say with which status it ended."""
        assert isinstance(worker, WorkerProcess)
        self._selector.unregister(worker)
        status = worker.kill()
        return f"signal {-status}" if status < 0 else f"exit status {status}"


class WorkerProcess:
    """One worker's process.

    It leads a session of its own, so that Ctrl-C reaches the main process alone and a kill reaches the worker with
    whatever it started. Its environment gives every numerical library one thread: workers are the parallelism, and
    thread counts must not change with their number.
    """

    def __init__(self, job: Job, number: int) -> None:
        self.number = number
        self.log = job.log(number)
        self._clean = job.clean
        self._buffer = b""
        command = [*module_command(sys.executable, job.module), "--folder", str(job.folder.absolute())]
        command += ["--worker", str(number), "--parent", str(os.getpid())]
        with self.log.open("ab") as log, tempfile.TemporaryFile() as told:
            told.write(job.plan)
            told.seek(0)
            command += ["--plan", str(told.fileno())]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=CHECKOUT,
                env=_environment(),
                start_new_session=True,
                pass_fds=(job.lock, told.fileno()),
            )
        os.set_blocking(self.fileno(), False)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the worker says something or dies."""
        return self._stdout.fileno()

    def send(self, order: Play) -> None:
        """Give an order; a worker that died meanwhile shows itself when it is read next."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(encode(order))
            self._stdin.flush()

    def read(self) -> Optional[List[Message]]:
        """Return the messages that have arrived; None when the worker is dead or talks nonsense."""
        try:
            chunk = os.read(self.fileno(), _CHUNK)
        except BlockingIOError:
            return []
        if not chunk:
            return None
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        messages = [decode(line) for line in lines]
        return None if None in messages else [message for message in messages if message is not None]

    def finish(self) -> None:
        """Close the worker's input."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()

    def terminate(self) -> None:
        """Send the worker SIGTERM."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def exits_within(self, seconds: float) -> bool:
        """Wait for the worker to exit, at most ``seconds``; say whether it has."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None

    def kill(self) -> int:
        """Kill the worker's process group, remove its unfinished files, and return its exit status.

        The group is killed even when the worker itself is gone: what it started may live on.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._clean(self._process.pid)
        return status

    def log_tail(self) -> str:
        """Return the last lines of the worker's log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return log.read().decode(errors="replace").strip()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout


def _environment() -> Dict[str, str]:
    """Return this process's environment with one thread a library and the checkout importable."""
    environment = dict(os.environ)
    environment.update(dict.fromkeys(ONE_THREAD, "1"), PYTHONIOENCODING=LOGGED, PYTHONPATH=python_path())
    return environment
