"""A worker's place on another machine: it starts the worker there as here, and hands on what it says and writes.

The worker is the process that it is on one machine, in a folder of the place's own that holds what the worker reads
(`run.json`). Every message goes on together with the files that were written before it, so that whoever hears that an
episode is finished has its files. The place itself decides nothing, and knows nothing of who carries its answers.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Dict, List, Optional

from harness.contracts.folders import further_tasks
from harness.contracts.from_source import CHECKOUT, OWN
from harness.contracts.manifests import SPENDING
from harness.records.atomic import TEMPORARY
from harness.records.lock import NAME as LOCK
from harness.records.lock import FolderLock
from harness.records.provenance import versions
from harness.running.cluster import Cluster
from harness.running.executors import Worker
from harness.running.local_processes import Job, LocalProcesses
from harness.running.messages import Message, Play, encode
from harness.runtimes.interpreters import python_path

_TICK_S = 0.2
_EXIT_S = 5.0
_GROWING = (".log", ".txt")
"""Files that are written on and on: what is new of them is sent. All others are sent once, whole, and removed."""

_MOST_GROWN = 1 << 20
"""The most bytes of such a file that are sent at a time; the rest follows later."""


@dataclass(frozen=True)
class Facts:
    """What has to be the same on every machine: the digest of all files of the checkout's code and data, where it lies,
    and the versions of Python and the packages. ``host`` is for the reader."""

    host: str
    checkout: str
    digest: str
    versions: Mapping[str, str]

    def difference(self, other: Facts) -> str:
        """Return in words what ``other`` has differently, "" for nothing."""
        if other.checkout != self.checkout:
            return f"the checkout is {self.checkout} here and {other.checkout} on {other.host}"
        if other.digest != self.digest:
            return f"the checkout's code has digest {self.digest} here and {other.digest} on {other.host}"
        for name in sorted({*self.versions, *other.versions}):
            mine, theirs = (facts.versions.get(name, "missing") for facts in (self, other))
            if mine != theirs:
                return f"{name} is {mine} here and {theirs} on {other.host}"
        return ""


def facts_here() -> Facts:
    """Return the facts of this machine."""
    return Facts(socket.gethostname(), str(CHECKOUT), code_digest(), versions())


def code_digest() -> str:
    """Return the SHA-256 over names and contents of everything that the checkout's code folders hold, and the folders
    of the user's own tasks (`WIW_TASKS`); bytecode and hidden files are left out."""
    folders = [CHECKOUT / name for name in OWN]
    folders += [task.parent for folder in further_tasks() for task in sorted(folder.glob("*/task.py"))]
    total = hashlib.sha256()
    for number, folder in enumerate(folders):
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder)
            if file.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in name.parts):
                total.update(f"{number} {name} ".encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def variables_of(cluster: Cluster) -> Dict[str, str]:
    """Return the variables that a worker has there as here: the project's, and the folders of modules.

    A worker that asked for no GPU sees none: Ray would leave it all of the node's, which other workers were given.
    """
    own = {name: value for name, value in os.environ.items() if name.startswith("WIW_") and name != SPENDING}
    unseen = {} if cluster.gpus else {"CUDA_VISIBLE_DEVICES": ""}
    return {**own, **unseen, "PYTHONPATH": python_path()}


@dataclass(frozen=True)
class Start:
    """What a worker is started with: its module, number and plan, the files that it reads (name -> bytes), the path of
    its log below the folder, and the variables that its environment gets."""

    module: str
    number: int
    plan: bytes
    files: Mapping[str, bytes]
    log: str
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Heard:
    """A message of the worker, as a line, with the ``files`` that are complete and what is new of those that ``grow``,
    by their paths below the folder."""

    line: bytes
    files: Mapping[str, bytes] = field(default_factory=dict)
    grown: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """How a worker ended, in words, and what is new of its logs."""

    how: str
    grown: Mapping[str, bytes]


class Place:
    """One worker's place. Its methods may be called by several threads at once."""

    def __init__(self) -> None:
        self._heard: SimpleQueue[Optional[Heard]] = SimpleQueue()
        self._over = threading.Event()
        self._worker: Optional[Worker] = None
        self._how = "no worker"
        self._sent: Dict[str, int] = {}

    def facts(self) -> Facts:
        """Return what this machine has."""
        return facts_here()

    def begin(self, start: Start) -> List[Heard]:
        """Start the worker in a new folder; return nothing yet."""
        os.environ.update(start.variables)
        self._given = frozenset(start.files)
        self._folder = Path(tempfile.mkdtemp(prefix="wiw-place-"))
        for name, data in start.files.items():
            (self._folder / name).write_bytes(data)
        (self._folder / start.log).parent.mkdir(parents=True, exist_ok=True)
        started = threading.Event()
        self._thread = threading.Thread(target=self._live, args=(start, started), daemon=True)
        self._thread.start()
        started.wait()
        return []

    def listen(self, seconds: float) -> Optional[List[Heard]]:
        """Return what the worker said, after at most ``seconds``; None once it is gone."""
        try:
            found = [self._heard.get(timeout=seconds)]
        except Empty:
            return []
        while not self._heard.empty():
            found.append(self._heard.get())
        said = [heard for heard in found if heard is not None]
        if len(said) < len(found):
            self._heard.put(None)
        return said or (None if len(said) < len(found) else [])

    def send(self, order: Play) -> None:
        """Give the worker an order."""
        if self._worker is not None:
            self._worker.send(order)

    def finish(self) -> None:
        """Say that there is no more to do."""
        if self._worker is not None:
            self._worker.finish()

    def terminate(self) -> None:
        """Ask the worker to stop."""
        if self._worker is not None:
            self._worker.terminate()

    def end(self) -> Ended:
        """Kill the worker, whatever it does, and remove its folder; say how it ended."""
        if self._worker is None:
            return Ended(self._how, {})
        self._over.set()
        self._thread.join()
        grown: Dict[str, bytes] = {}
        while more := {name: data for name, data in self._grown().items() if data}:  # the last words matter most
            grown.update({name: grown.get(name, b"") + data for name, data in more.items()})
        shutil.rmtree(self._folder, ignore_errors=True)
        return Ended(self._how, grown)

    def _live(self, start: Start, started: threading.Event) -> None:
        """Start the worker, hear it until it is gone or has to go, and drop it.

        One thread does all of it, because the kernel kills the worker when the thread that started it ends.
        """
        try:
            with FolderLock(self._folder) as lock:
                job = Job(
                    start.module, self._folder, start.plan, lock.descriptor, self._log_of(start), lambda pid: None
                )
                processes = LocalProcesses(job)
                self._worker = processes.start(start.number)
                started.set()
                while not self._over.is_set():
                    for _, messages in processes.wait(_TICK_S):
                        if messages is None:
                            self._worker.exits_within(_EXIT_S)  # its output ended; it is about to
                            self._heard.put(None)
                            self._over.wait()
                        for message in messages or ():
                            self._heard.put(self._with_files(message))
                self._how = processes.drop(self._worker)
        except BaseException as error:
            self._how = f"{type(error).__name__}: {error}"
            self._heard.put(None)
            raise
        finally:
            started.set()

    def _log_of(self, start: Start) -> Callable[[int], Path]:
        return lambda number: self._folder / start.log

    def _with_files(self, message: Message) -> Heard:
        """Return a message with what was written before it; the worker waits for its next order meanwhile."""
        files = {}
        for name, file in self._present():
            if file.suffix not in _GROWING:
                files[name] = file.read_bytes()
                file.unlink()
                with suppress(OSError):  # not empty yet
                    file.parent.rmdir()
        return Heard(encode(message), files, self._grown())

    def _grown(self) -> Dict[str, bytes]:
        found = {}
        for name, file in self._present():
            if file.suffix in _GROWING:
                with file.open("rb") as source:
                    source.seek(self._sent.get(name, 0))
                    data = source.read(_MOST_GROWN)
                if data or name not in self._sent:
                    found[name] = data
                self._sent[name] = self._sent.get(name, 0) + len(data)
        return found

    def _present(self) -> List[tuple[str, Path]]:
        """Return the plain files that the worker and its services wrote, in the order of their names."""
        found = [(file.relative_to(self._folder), file) for file in sorted(self._folder.rglob("*"))]
        return [(str(name), file) for name, file in found
                if file.is_file() and not file.is_symlink() and str(name) not in (*self._given, LOCK)
                and not any(part.startswith(TEMPORARY) for part in name.parts)]  # fmt: skip
