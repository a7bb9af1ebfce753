"""The model as a service, started as runs start it, and its failures with their causes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.contracts.errors import DeadlineExceeded, ServiceError
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.runtimes.service import Service, ServiceLimits, ServiceSpec, start_service, with_stack
from harness.throughput.measuring import Session
from harness.throughput.resources import Gpus, find_nvml
from harness.throughput.scenarios import Settings
from harness.wire.client import Deadlines, WorldModelClient

DEADLINE_OPTION = "--timeout"


@contextmanager
def serving(plan: ServiceSpec, manifest: ModelManifest, settings: Settings, log: Path) -> Iterator[Session]:
    """Start the service and stop it afterwards; ``log`` gets its output. ServiceError where it does not start."""
    gpus = Gpus(find_nvml())
    began = time.perf_counter()
    with start_service(plan, ServiceLimits(start_s=settings.start_s), log) as service:
        deadlines = Deadlines(imagine_s=settings.deadline_s, imagine_option=DEADLINE_OPTION)
        client = WorldModelClient(service.socket, deadlines, manifest)
        try:
            client.describe()
            yield Session(_Explaining(client, service), service, time.perf_counter() - began, gpus)
        finally:
            client.close()


class _Explaining:
    """The client, whose errors say why: where the service hangs, or how it ended."""

    def __init__(self, client: WorldModelClient, service: Service) -> None:
        self._client = client
        self._service = service

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        try:
            yield from self._client.imagine_batch(requests)
        except DeadlineExceeded as late:
            raise with_stack(late, self._service) from late
        except ServiceError as error:
            raise self._service.death() or error from error
