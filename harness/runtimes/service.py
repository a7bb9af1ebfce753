"""What to start, how long it may take, and what every running service offers, whatever runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Mapping, Optional, Protocol

from harness.contracts.errors import DeadlineExceeded, ServiceError

ENVIRONMENT = "environment"
WORLD_MODEL = "world_model"
POLICY = "policy"

GIB = 1024**3
_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Mount:
    """A host folder that a container sees at ``target``; read-only unless ``writable``."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True)
class ContainerLimits:
    """What one container may use: bytes of memory, of its tmpfs, of shared memory and of any file; CPUs; processes."""

    memory_bytes: int = 8 * GIB
    cpus: float = 4.0
    pids: int = 512
    tmpfs_bytes: int = GIB
    shm_bytes: int = GIB // 4
    file_bytes: int = GIB


@dataclass(frozen=True)
class ContainerSpec:
    """The container of one service.

    ``image`` is the reference that the user named, for messages; ``image_id`` (``sha256:...``) is what is started,
    so that a tag that moves cannot change a run. ``gpu_uuid`` names its only GPU ("" for none). A plugin's container
    has no ``mounts``.
    """

    image: str
    image_id: str
    mounts: tuple[Mount, ...] = ()
    gpu_uuid: str = ""
    limits: ContainerLimits = field(default_factory=ContainerLimits)


@dataclass(frozen=True)
class ServiceSpec:
    """One declared service.

    ``kind`` is ``environment``, ``world_model`` or ``policy``; ``name`` appears in messages. ``entry_point`` is
    ``module:Class``, found with the folders of ``path`` before everything else. ``python`` is the interpreter, "" for
    this one: it needs numpy, grpcio and protobuf, nothing of the harness's other libraries. ``options`` are the keyword
    arguments of an environment's class; ``manifest`` holds the fields of a world model's manifest.
    ``environment_variables`` are added to those of the harness. With a ``container`` the service runs in it,
    ``python`` is not used, and paths are those of the container. ``start_s`` is how long it says that it may take until
    it is ready, 0 where it does not say; who starts it decides (`ServiceLimits`).
    """

    kind: str
    name: str
    entry_point: str
    path: tuple[str, ...] = ()
    python: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    container: Optional[ContainerSpec] = None
    start_s: float = 0.0

    def on_gpu(self, uuid: str) -> ServiceSpec:
        """Return the service with the GPU of that UUID and no other; with "" as it is."""
        if not uuid:
            return self
        if self.container is not None:
            return replace(self, container=replace(self.container, gpu_uuid=uuid))
        return replace(self, environment_variables={**self.environment_variables, _VISIBLE: uuid})

    @property
    def gpu_uuid(self) -> str:
        """The UUID of the service's own GPU, "" where none was chosen."""
        return self.environment_variables.get(_VISIBLE, "") if self.container is None else self.container.gpu_uuid


@dataclass(frozen=True)
class ServiceLimits:
    """Seconds that a service may take to become ready and to stop when asked, and how much a container may say.

    The time that each call may take is the client's (`harness.wire.client.Deadlines`), since only the caller can
    give a call up. ``log_bytes`` is what is kept of a container's output, over all starts that share a log file. A
    service that says what it does while it starts has ``start_s`` again each time, ``longest_start_s`` in all: for the
    project's own, since a stranger's could say so for ever.
    """

    start_s: float = 60.0
    stop_s: float = 5.0
    log_bytes: int = 64 * 1024**2
    longest_start_s: float = 0.0


def unheard(text: str) -> None:
    """Tell nobody."""


class Service(Protocol):
    """A started service: the socket that clients connect to, and its end.

    A context manager that stops it. ``death`` returns the error that explains why it ended by itself, or None.
    ``write_stack`` makes it write the Python stack of each of its threads to its log, and says whether it did.
    """

    @property
    def name(self) -> str: ...

    @property
    def socket(self) -> Path: ...

    def alive(self) -> bool: ...

    def log_tail(self, lines: int = 20) -> str: ...

    def death(self, wait_s: float = 0.5) -> ServiceError | None: ...

    def write_stack(self) -> bool: ...

    def stop(self) -> None: ...

    def __enter__(self) -> Service: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def with_stack(late: DeadlineExceeded, service: Service) -> DeadlineExceeded:
    """Return the error of a call that ``service`` did not answer in time, after it has written where it is.

    Before anybody stops it: a service that hangs says nothing of itself.
    """
    from harness.wire.errors import SEE_LOG

    if not service.write_stack():
        return late
    step = f"Its log has the stack of each of its threads at that time.{late.next_step.removeprefix(SEE_LOG)}"
    return type(late)(late.what, step)


def start_service(
    spec: ServiceSpec, limits: ServiceLimits, log_path: Path, told: Callable[[str], None] = unheard
) -> Service:
    """Start ``spec`` and return it when it is ready; with a ``container`` in Docker, otherwise as a process.

    ``told`` gets what the service says of a long start. The Docker SDK is imported only for a container.
    """
    if spec.container is None:
        from harness.runtimes.process import start_process

        return start_process(spec, limits, log_path, told)
    from harness.runtimes.docker_service import start_container

    return start_container(spec, limits, log_path, told)
