"""A simulator of its own process or container, and what is said when it fails.

A call that fails because its service died knows only that the connection broke. Whoever collects is told why instead:
how the service ended, the end of what it wrote, and where all of it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

from harness.contracts.errors import DeadlineExceeded, ServiceError
from harness.records.identity import ImageRecord
from harness.running.cluster import Cluster
from harness.running.services import SCENES_IN_CONTAINER, Placement, environment_service
from harness.runtimes.environments import DeclaredEnvironment
from harness.runtimes.exits import ServiceLog
from harness.runtimes.service import (
    Mount,
    ServiceLimits,
    ServiceSpec,
    start_service,
    with_stack,
)
from harness.wire.client import Deadlines, EnvironmentClient


@dataclass(frozen=True)
class Machine:
    """The folder of baked homes; other simulators' interpreter or image; Habitat's scenes, GPU and walkable area.

    ``image`` is the reference that a container's image was found by, ``image_id`` what is started ("" for a process).
    Without ``navmesh`` the environment's own description of the walkable area holds, which evaluation has as well.
    """

    cache_dir: str
    python: str = ""
    scenes_dir: str = ""
    gpu: str = ""
    navmesh: Mapping[str, Any] = field(default_factory=dict)
    image: str = ""
    image_id: str = ""


GIVEN = "given"
"""The GPU of a simulator that sees no other than that of its worker's place in a cluster."""


def on_node(machine: Machine, cluster: Optional[Cluster]) -> Machine:
    """Return where things are for the workers: those of a cluster that gives them GPUs draw on these."""
    return replace(machine, gpu=GIVEN) if cluster is not None and cluster.gpus else machine


START_S = 180.0
_DEATH_WAIT_S = 5.0
"""How long a process is waited for that may be ending: aborting native code first writes its stack."""


def service_spec(
    environment: DeclaredEnvironment, entry_point: str, machine: Machine, options: Mapping[str, Any]
) -> ServiceSpec:
    """Return how to start a simulator here: in a container of the machine's image, else under its interpreter.

    A container sees the folder of scenes read-only, and the one GPU that was chosen.
    """
    where = Placement(bool(machine.image_id), machine.python, "" if machine.gpu == GIVEN else machine.gpu)
    image = ImageRecord(machine.image, machine.image_id) if machine.image_id else None
    mounts = (Mount(machine.scenes_dir, SCENES_IN_CONTAINER),) if machine.scenes_dir else ()
    return environment_service(environment, entry_point, options, where, image, mounts)


class SimulatorService:
    """A started simulator and its client; `stop` ends it."""

    def __init__(self, spec: ServiceSpec, deadlines: Deadlines, log: Path) -> None:
        """Start the service and wait until it is ready; what it says goes to ``log``."""
        self._log = ServiceLog(log, log.stat().st_size if log.exists() else 0)
        self._stack = ExitStack()
        self._service = self._stack.enter_context(start_service(spec, ServiceLimits(start_s=START_S), log))
        self.client = EnvironmentClient(self._service.socket, deadlines)

    @contextmanager
    def asked(self) -> Iterator[EnvironmentClient]:
        """Lend the client; a failure of the service is told with its cause, the end of its log and the log's place."""
        try:
            yield self.client
        except ServiceError as error:
            death = self._service.death(_DEATH_WAIT_S)
            if death is not None:
                raise death from error
            if isinstance(error, DeadlineExceeded):
                error = with_stack(error, self._service)
            tail = self._log.tail()
            said = f"Whole log: {self._log.path}\n{tail}" if tail else f"Whole log (empty): {self._log.path}"
            raise type(error)(error.what, "\n".join(part for part in (error.next_step, said) if part)) from error

    def stop(self) -> None:
        """Stop the service."""
        self._stack.close()
