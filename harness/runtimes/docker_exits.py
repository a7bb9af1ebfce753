"""What a container says, and how it ended or why it did not start, in words that say what to do next.

Its output is written to the service's log as it comes, up to a limit. The engine stores nothing itself: a stranger who
prints without end would fill the host's disk. Beyond the limit the output is read and thrown away, so that the service
is neither stopped by its own log nor slowed by it.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

from harness.contracts.errors import MachineError, ServiceError
from harness.runtimes.exits import ServiceLog, describe_exit, ended_error
from harness.runtimes.sandbox import describe_limits
from harness.runtimes.service import ContainerSpec

RETRY_S = 0.5


class LogReader:
    """Copies a container's output into ``path`` from the moment it is made until the container ends.

    Make it before the container is started, so that nothing is missed. When the connection to the engine breaks, it
    connects again while the container exists, and says in the log that lines may be missing.
    """

    def __init__(self, client: Any, container: str, path: Path, limit: int) -> None:
        """Keep at most ``limit`` bytes in the file, with what earlier starts left there."""
        self._client = client
        self._container = container
        self._path = path
        self._left = limit - (path.stat().st_size if path.exists() else 0)
        self._limit = limit
        self._closing = False
        self._output = self._attach()
        self._thread = threading.Thread(target=self._run, name=f"log of {container}", daemon=True)
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Wait for the last lines of a container that has ended, and connect no more."""
        self._closing = True
        self._thread.join(seconds)

    def _attach(self) -> Iterator[bytes]:
        output: Iterator[bytes] = self._client.api.attach(self._container, stdout=True, stderr=True, stream=True)
        return output

    def _run(self) -> None:
        with self._path.open("ab", buffering=0) as log:
            while True:
                try:
                    for part in self._output:
                        self._keep(log, part)
                except Exception as error:  # the SDK, requests, urllib3 and the socket each have their own errors
                    self._keep(log, f"[log: the connection to the engine broke: {error}]\n".encode())
                if not self._attached_again():
                    return
                self._keep(log, b"[log: connected again; lines may be missing]\n")

    def _attached_again(self) -> bool:
        """Attach once more if the container still runs; False when there is nothing more to read."""
        while not self._closing:
            try:
                state = self._client.api.inspect_container(self._container)["State"]
                if not (state["Running"] or state["Status"] == "created"):
                    return False
                self._output = self._attach()
                return True
            except Exception as error:
                if getattr(error, "status_code", None) == 404:
                    return False
                time.sleep(RETRY_S)
        return False

    def _keep(self, log: Any, part: bytes) -> None:
        if self._left <= 0:
            return
        kept = part[: self._left]
        with suppress(OSError):  # a full disk: the output is still read, so that the service goes on
            log.write(kept)
        self._left -= len(kept)
        if self._left <= 0:
            with suppress(OSError):
                log.write(
                    f"\n[log: cut here after {self._limit} bytes; the service's further output is lost]\n".encode()
                )


LOG_LINES = 400
_BUS_ERROR = 135
_NO_SPACE = "no space left"


@dataclass(frozen=True)
class ContainerEnd:
    """The engine's account of an ended container: its exit code, whether memory ran out, and its own words."""

    exit_code: int
    out_of_memory: bool = False
    error: str = ""


@dataclass(frozen=True)
class _Cause:
    """A cause that the words of an engine or a log betray: how to call it, and the next step."""

    pattern: re.Pattern[str]
    name: str
    next_step: str


def _cause(pattern: str, name: str, next_step: str) -> _Cause:
    return _Cause(re.compile(pattern, re.IGNORECASE), name, next_step)


_CAUSES = (
    _cause(
        r"exec format error|no matching manifest for linux/",
        "wrong architecture",
        "The image holds programs for another processor: build or pull it for this machine (docker build --platform).",
    ),
    _cause(
        r"CUDA driver version is insufficient|Driver/library version mismatch|unsatisfied condition: (cuda|driver)"
        r"|forward compatibility was attempted|the NVIDIA driver on your system is too old",
        "driver mismatch",
        "The image's CUDA is newer than the host's NVIDIA driver, or the driver was updated without a restart: "
        "compare with `nvidia-smi`, then update the driver (and restart) or use an image with an older CUDA.",
    ),
    _cause(
        r"nvidia-container-cli.*(unknown device|device error)|could not select device .* by UUID",
        "no such GPU",
        "List the UUIDs of this machine's GPUs with `nvidia-smi -L` and choose one of them.",
    ),
    _cause(
        r"nvidia-container-cli|nvml error|Failed to initialize NVML|libnvidia-ml\.so|nvidia-container-runtime-hook",
        "NVIDIA driver not usable",
        "The container toolkit cannot use the host's driver: `nvidia-smi` must work on the host first.",
    ),
    _cause(
        r"could not select device driver|unknown (or invalid )?runtime.*nvidia|unresolvable CDI devices",
        "no NVIDIA runtime",
        "Install nvidia-container-toolkit, run `sudo nvidia-ctk runtime configure --runtime=docker`, and restart the "
        "engine.",
    ),
    _cause(
        r"docker-init.*(not found|no such file)",
        "no init program",
        "The engine lacks docker-init: install the package tini (or docker-ce, which brings it).",
    ),
    _cause(
        r"cannot open shared object file|error while loading shared libraries|version `(GLIBC|GLIBCXX|CXXABI)_",
        "missing shared library",
        "Install the library that the log names in the image's Dockerfile, or one built for the image's system.",
    ),
    _cause(
        r"No module named '?harness",
        "no harness in the image",
        "Build the image from wiw-bench/wm_base (or as images/embedded is): its entry point is harness.wire.host.",
    ),
    _cause(
        r"executable file not found|exec:? .*: no such file or directory|\[FATAL tini .*No such file or directory"
        r"|\[FATAL tini .*Permission denied|no command specified|is a directory: unknown",
        "entry point missing",
        'The image needs ENTRYPOINT ["python", "-m", "harness.wire.host", "--spec", "/run/wiw/spec.json"], and that '
        "program must be executable in it.",
    ),
    _cause(
        r"ModuleNotFoundError|No module named",
        "module not found",
        "Install the module that the log names in the image, or fix `path` and the entry point.",
    ),
    _cause(
        r"can't start new thread|pthread_create.*(failed|Resource temporarily)|fork: (retry: )?Resource temporarily"
        r"|BlockingIOError: \[Errno 11\]|unable to create new (native )?thread",
        "process limit reached",
        "Start fewer processes and threads (set OMP_NUM_THREADS in the image), or raise the limit of the container.",
    ),
    _cause(
        r"No space left on device|Errno 28\b",
        _NO_SPACE,
        "Only /tmp and /dev/shm can be written, and they are small: write less, or raise their limits; if the host's "
        "own disk is full, look at `docker system df`.",
    ),
    _cause(r"File too large|Errno 27\b", "file-size limit reached", "Write smaller files, or raise the limit."),
    _cause(
        r"Read-only file system|Errno 30\b",
        "read-only file system",
        "The image cannot be changed while it runs: write to /tmp, and put what is needed into the image.",
    ),
    _cause(
        r"CUDA out of memory|CUDA error: out of memory|OutOfMemoryError",
        "out of GPU memory",
        "Use a smaller batch or a smaller model, or free the GPU (see `nvidia-smi`).",
    ),
    _cause(r"MemoryError|Cannot allocate memory", "out of memory", "Raise the container's memory limit."),
)


def find_cause(text: str) -> tuple[str, str]:
    """Return the name and next step of the first known cause that ``text`` betrays; ("", "") for none."""
    for cause in _CAUSES:
        if cause.pattern.search(text):
            return cause.name, cause.next_step
    return "", ""


def describe_end(end: ContainerEnd, log_text: str, container: ContainerSpec) -> tuple[str, str]:
    """Return how a container ended and the next step ("" where only the log can tell)."""
    how, hint = describe_exit(end.exit_code)
    limits = f"Its limits: {describe_limits(container.limits)}."
    if end.out_of_memory:
        return f"out of memory, {how}", f"{limits} Raise the memory limit, or use a smaller batch or model."
    if end.exit_code == _BUS_ERROR:
        return how, f"{hint} {limits}"
    name, next_step = find_cause(f"{end.error}\n{log_text}")
    if name:
        return f"{name}, {how}", next_step
    if end.error:
        return f"{how}, {end.error}", hint
    return how, f"{hint} {limits}" if hint else ""


def ended_container_error(
    name: str, end: ContainerEnd, container: ContainerSpec, log: ServiceLog, when: str
) -> ServiceError:
    """Return the error for a container that ended by itself ``when`` (such as "while starting")."""
    how, hint = describe_end(end, log.tail(LOG_LINES), container)
    return ended_error(f"{name!r} (image {container.image})", how, hint, log, when)


def start_error(name: str, container: ContainerSpec, words: str) -> ServiceError | MachineError:
    """Return the error for a container that the engine refused to create or to start, with the engine's words.

    A full disk is the machine's: the engine has not run anything of the image yet.
    """
    cause, next_step = find_cause(words)
    said = " ".join(words.split()).rstrip(".")
    what = f"the engine did not start service {name!r} (image {container.image}): "
    what += f"{cause}: {said}." if cause else f"{said}."
    if cause == _NO_SPACE:
        return MachineError(what, "The engine's disk is full: look at `docker system df`, and free some space.")
    return ServiceError(what, next_step or "Try the image by hand: docker run --rm --network none IMAGE")
