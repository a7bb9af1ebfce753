"""Services as containers: created inside the sandbox, waited for until ready, removed for certain.

The image's own entry point runs, which is ``python -m harness.wire.host --spec /run/wiw/spec.json``: the same program
as in a process, so both kinds of service behave alike. All that container and harness share is one folder.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from harness.contracts.errors import ServiceError, WiwError
from harness.runtimes import docker_keeper
from harness.runtimes.docker_engine import Engine, check_image, connect, owner_labels
from harness.runtimes.docker_exits import ContainerEnd, LogReader, ended_container_error, start_error
from harness.runtimes.docker_folder import ContainerFolder, reap_stale_containers
from harness.runtimes.exits import LOG_LINES, ServiceLog, StartProgress, chosen_end, late_error
from harness.runtimes.sandbox import READ_ONLY_PATHS, creation_arguments, host_arguments
from harness.runtimes.service import ContainerSpec, ServiceLimits, ServiceSpec, unheard
from harness.wire.host import STACK_SIGNAL

POLL_S = 0.01
STATE_POLL_S = 0.2
"""Between two questions to the engine; the socket itself is looked for every `POLL_S`."""

HEALTH_TIMEOUT_S = 1.0
STACK_DUMP_S = 1.0
"""How long a hanging service gets to write its Python stack before it is killed."""

DEATH_WAIT_S = 0.5
LOG_WAIT_S = 2.0


class ContainerService:
    """A started container: its socket, its state, and its end.

    Use it as a context manager, or call `stop`. If the harness dies first, a keeper process removes the container.
    """

    def __init__(self, engine: Engine, spec: ServiceSpec, limits: ServiceLimits, log_path: Path) -> None:
        self._engine = engine
        self._spec = spec
        self._limits = limits
        self._log = ServiceLog(log_path, log_path.stat().st_size if log_path.exists() else 0)
        self._reader: LogReader | None = None
        self._stopped = False
        self.log_path = log_path
        self._folder = ContainerFolder(self._container_spec())
        self.container_name = self._folder.name
        try:
            self._keeper = _spawn_keeper(engine, self._folder)
        except BaseException:
            self._folder.remove()
            raise

    @property
    def name(self) -> str:
        """The service's name, as messages show it."""
        return self._spec.name

    @property
    def socket(self) -> Path:
        """The socket that clients connect to; it lies in a folder that the container cannot reach."""
        return self._folder.socket

    def alive(self) -> bool:
        """Say whether the container still runs; a paused one does."""
        return not self._stopped and self._end() is None

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """Return the last ``lines`` lines that the container wrote."""
        return self._log.tail(lines)

    def death(self, wait_s: float = DEATH_WAIT_S) -> ServiceError | None:
        """Return the error that explains why the container ended by itself; None while it runs or after `stop`.

        It waits up to ``wait_s``: a connection breaks some time before the engine has noticed the end.
        """
        if self._stopped:
            return None
        deadline = time.monotonic() + wait_s
        while True:
            end = self._end()
            if end is not None:
                return self._death_error(end, "while in use")
            if time.monotonic() >= deadline:
                return None
            time.sleep(POLL_S)

    def write_stack(self) -> bool:
        """Make the service write the Python stack of each of its threads to its log; say whether it did.

        It lives on. An image whose first process is not the host's need not pass the signal on.
        """
        since = self._log.size()
        with suppress(Exception):  # the stack is a help, not a must
            self._engine.client.api.kill(self.container_name, STACK_SIGNAL)
            return self._log.has_stack(since, STACK_DUMP_S)
        return False

    def start(self, told: Callable[[str], None] = unheard) -> None:
        """Create and start the container and wait until it is ready; ``told`` gets what it says until then.

        Raises Refusal when the service refuses to start, ServiceError when it does not get there otherwise.
        """
        self._folder.write_spec(self._spec)
        container, kind = self._container_spec(), self._spec.kind
        variables = dict(self._spec.environment_variables)
        arguments = creation_arguments(container, kind, self._folder.user, variables)
        host = host_arguments(container, kind, str(self._folder.mount), self._engine.cores)
        labels = owner_labels(str(self.log_path.parent), self.name)
        errors = self._engine.errors
        try:
            api = self._engine.client.api
            host_config = {**api.create_host_config(**host), "ReadonlyPaths": list(READ_ONLY_PATHS)}
            api.create_container(name=self.container_name, labels=labels, host_config=host_config, **arguments)
            self._tell_keeper(docker_keeper.CREATED)
            self._reader = LogReader(self._engine.client, self.container_name, self.log_path, self._limits.log_bytes)
            api.start(self.container_name)
        except (errors.DockerException, OSError) as error:  # OSError: a connection that breaks or is silent
            words = getattr(error, "explanation", None) or str(error)
            raise start_error(self.name, container, str(words)) from error
        self._wait_ready(told)

    def stop(self) -> None:
        """Stop the container: SIGTERM, then after ``stop_s`` kill and remove it, its volumes and its socket folder.

        Safe to call twice; works on a paused container and with a broken client connection. Raises ServiceError
        when the engine does not remove it; the keeper then goes on trying.
        """
        if self._stopped:
            return
        self._stopped = True
        self._ask_to_end()
        gone = docker_keeper.remove_container(str(self._engine.socket), self.container_name)
        if self._reader is not None:
            self._reader.finish(LOG_WAIT_S if gone else 0.0)
        self._folder.remove()
        self._dismiss_keeper(gone)  # last: until here it would do what is left if the harness were killed
        with suppress(Exception):  # the SDK's own cleaning up; the connection may be broken
            self._engine.client.close()
        if not gone:
            raise ServiceError(
                f"the engine did not remove the container {self.container_name} of service {self.name!r} within "
                f"{docker_keeper.REMOVE_S:g} s.",
                f"Is the engine alive (docker ps)? Then: docker rm -f -v {self.container_name}",
            )

    def __enter__(self) -> ContainerService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_ready(self, told: Callable[[str], None]) -> None:
        from harness.wire.client import check_health

        progress = StartProgress(self._log, self._limits, told)
        look_again = 0.0
        while True:
            left = progress.left_s()
            if self._folder.take_socket() and check_health(self.socket, HEALTH_TIMEOUT_S):
                return
            now = time.monotonic()
            if now >= look_again:
                end = self._end()
                if end is not None:
                    raise self._start_error(end)
                look_again = time.monotonic() + STATE_POLL_S
            if left <= 0.0:
                self.write_stack()
                raise late_error(self._spec.kind, self.name, self._limits.start_s, self._log)
            time.sleep(POLL_S)

    def _end(self) -> ContainerEnd | None:
        """Return how the container ended; None while it runs, or while the engine does not say."""
        try:
            state = self._engine.client.api.inspect_container(self.container_name)["State"]
        except self._engine.errors.NotFound:
            return ContainerEnd(0, error="the container was removed by somebody else")
        except Exception:  # a broken connection (SDK, requests or urllib3) says nothing about the container
            return None
        if state["Status"] in ("created", "running", "paused", "restarting"):
            return None
        return ContainerEnd(int(state["ExitCode"]), bool(state.get("OOMKilled")), str(state.get("Error") or ""))

    def _start_error(self, end: ContainerEnd) -> WiwError:
        died = self._death_error(end, "while starting")  # reads the log to its end
        service = f"{self.name!r} (image {self._container_spec().image})"
        return chosen_end(self._spec.kind, service, end.exit_code, self._log) or died

    def _death_error(self, end: ContainerEnd, when: str) -> ServiceError:
        if self._reader is not None:
            self._reader.finish(LOG_WAIT_S)
        return ended_container_error(self.name, end, self._container_spec(), self._log, when)

    def _ask_to_end(self) -> None:
        """Send SIGTERM and wait; nothing is lost if it cannot be heard, since the container is killed next."""
        api = self._engine.client.api
        deadline = time.monotonic() + self._limits.stop_s
        with suppress(Exception):  # not running, paused, gone, or the connection is broken
            if api.inspect_container(self.container_name)["State"]["Status"] != "running":
                return
            api.kill(self.container_name, signal.SIGTERM)
            while self._end() is None and time.monotonic() < deadline:
                time.sleep(POLL_S)

    def _container_spec(self) -> ContainerSpec:
        if self._spec.container is None:
            raise ValueError("a service without a container is started as a process")
        return self._spec.container

    def _tell_keeper(self, word: bytes) -> None:
        pipe = self._keeper.stdin
        if pipe is not None:
            with suppress(BrokenPipeError):  # the keeper was killed: the labels remain for the next harness
                pipe.write(word)
                pipe.flush()

    def _dismiss_keeper(self, gone: bool) -> None:
        if gone:
            self._tell_keeper(docker_keeper.DONE)
        if self._keeper.stdin is not None:
            with suppress(BrokenPipeError):
                self._keeper.stdin.close()
        if gone:
            self._keeper.wait()


def start_container(
    spec: ServiceSpec, limits: ServiceLimits, log_path: Path, told: Callable[[str], None] = unheard
) -> ContainerService:
    """Start ``spec`` in its container and return it when its health service answers; ``told`` hears its start.

    Output is appended to ``log_path``. Raises Refusal where no engine or image can be used or the service itself
    refuses, and ServiceError (DeadlineExceeded after ``limits.start_s``) with the cause, the end of the log and the
    next step; nothing is left behind then.
    """
    if spec.container is None:
        raise ValueError("a service without a container is started as a process")
    engine = connect()
    check_image(engine, spec.container.image, spec.container.image_id)
    reap_stale_containers(engine)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    service = ContainerService(engine, spec, limits, log_path)
    try:
        service.start(told)
    except BaseException:
        service.stop()
        raise
    return service


def _spawn_keeper(engine: Engine, folder: ContainerFolder) -> subprocess.Popen[bytes]:
    script = os.fspath(docker_keeper.__file__)
    command = [sys.executable, "-I", "-S", script, str(engine.socket), folder.name, str(folder.path)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
