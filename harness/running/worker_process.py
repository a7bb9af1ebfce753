"""The main process's side of one worker: start it, talk to it, end it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO, Dict, List, Optional

from harness.contracts.from_source import CHECKOUT
from harness.records.episode_files import remove_leftovers
from harness.records.folder import RunFolder
from harness.running.episode_queue import Task
from harness.running.messages import Message, Play, decode, encode
from harness.running.plan import RunPlan, encode_plan
from harness.runtimes.interpreters import ONE_THREAD, module_command, python_path
from harness.runtimes.process import LOGGED

_CHUNK = 1 << 16
_TAIL_BYTES = 4000


class WorkerProcess:
    """One worker: its process, the episode it plays, and until when.

    It leads a session of its own, so that Ctrl-C reaches the main process alone and a kill reaches the worker with
    whatever it started. Its environment gives every numerical library one thread: workers are the parallelism, and
    thread counts must not change with their number.
    """

    def __init__(self, folder: RunFolder, plan: RunPlan, number: int, lock_descriptor: int) -> None:
        self._folder = folder
        self.number = number
        self.log = folder.worker_log(number)
        self.ready = False
        self.task: Optional[Task] = None
        self.home: Optional[str] = None
        self.deadline: Optional[float] = time.monotonic() + plan.worker_start_s()
        self._buffer = b""
        command = [*module_command(sys.executable, "harness.running.worker"), "--run", str(folder.path.absolute())]
        command += ["--worker", str(number), "--parent", str(os.getpid())]
        with self.log.open("ab") as log, tempfile.TemporaryFile() as told:
            told.write(encode_plan(plan))
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
                pass_fds=(lock_descriptor, told.fileno()),
            )
        os.set_blocking(self._stdout.fileno(), False)

    @property
    def pid(self) -> int:
        """Return the worker's process id, which is also its process group."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the worker says something or dies."""
        return self._stdout.fileno()

    def play(self, task: Task, deadline_s: float) -> None:
        """Send an episode to the worker; a worker that died meanwhile shows itself when it is read next."""
        self.task = task
        self.home = task.home
        self.deadline = time.monotonic() + deadline_s
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(encode(Play(task.key.episode, task.key.seed, task.attempt)))
            self._process.stdin.flush()

    def wait_longer(self, start_s: float) -> None:
        """Note that the worker, which is not ready yet, says that it goes on: from now it has ``start_s`` again."""
        if not self.ready:
            self.deadline = time.monotonic() + start_s

    def idle(self) -> Optional[Task]:
        """Note that the worker plays nothing (any more); return what it played."""
        task, self.task, self.deadline = self.task, None, None
        return task

    def read(self) -> Optional[List[Message]]:
        """Return the messages that have arrived; None when the worker is dead or talks nonsense."""
        try:
            chunk = os.read(self._stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return []
        if not chunk:
            return None
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        messages = [decode(line) for line in lines]
        return None if None in messages else [message for message in messages if message is not None]

    def overdue(self) -> bool:
        """Say whether the worker's deadline has passed."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def finish(self) -> None:
        """Tell the worker that there is no more to play; it closes its services and exits."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def terminate(self) -> None:
        """Ask the worker to stop in the middle of what it does and to close its services."""
        self._signal(signal.SIGTERM)

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
            os.killpg(self.pid, signal.SIGKILL)
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        remove_leftovers(self._folder.episodes, self.pid)
        return status

    def log_tail(self) -> str:
        """Return the last lines of the worker's log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return log.read().decode(errors="replace").strip()

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)


def _environment() -> Dict[str, str]:
    """Return this process's environment with one thread a library and the checkout importable."""
    environment = dict(os.environ)
    environment.update(dict.fromkeys(ONE_THREAD, "1"), PYTHONIOENCODING=LOGGED, PYTHONPATH=python_path())
    return environment
