"""The model as a service, started as runs start it, once a replica, and its failures with their causes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

from harness.contracts.errors import DeadlineExceeded, ServiceError
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.runtimes.service import Service, ServiceLimits, ServiceSpec, start_service, with_stack
from harness.throughput.measuring import Session
from harness.throughput.replicas import together
from harness.throughput.resources import Gpus, find_nvml
from harness.throughput.scenarios import Settings
from harness.wire.client import Deadlines, WorldModelClient

DEADLINE_OPTION = "--timeout"


@contextmanager
def serving(plans: Sequence[ServiceSpec], manifest: ModelManifest, settings: Settings, log: Path) -> Iterator[Session]:
    """Start a service a plan, all at once, and stop them afterwards; ServiceError where one does not start.

    ``log`` gets the output of a single one; of several, each has a log of its own beside it, with its number.
    """
    logs = [log] if len(plans) == 1 else [log.with_stem(f"{log.stem}-{number}") for number in range(len(plans))]
    gpus = Gpus(find_nvml(), {plan.gpu_uuid for plan in plans} - {""})
    began = time.perf_counter()
    with ExitStack() as stack:
        services = stack.enter_context(_started(plans, ServiceLimits(start_s=settings.start_s), logs))
        deadlines = Deadlines(imagine_s=settings.deadline_s, imagine_option=DEADLINE_OPTION)
        models = []
        for service in services:
            client = WorldModelClient(service.socket, deadlines, manifest)
            stack.callback(client.close)
            client.describe()
            models.append(_Explaining(client, service))
        yield Session(tuple(models), tuple(services), time.perf_counter() - began, gpus)


@contextmanager
def _started(plans: Sequence[ServiceSpec], limits: ServiceLimits, logs: Sequence[Path]) -> Iterator[list[Service]]:
    """Start services together. The first that does not start ends it; one that is ready only later is stopped then."""
    begun: SimpleQueue[Service] = SimpleQueue()
    over = threading.Event()

    def start(plan: ServiceSpec, log: Path) -> Service:
        service = start_service(plan, limits, log)
        begun.put(service)
        if over.is_set():  # asked after the service stands in the queue, so that one of the two threads stops it
            _stop(begun)
        return service

    try:
        yield together([partial(start, plan, log) for plan, log in zip(plans, logs, strict=True)])
    finally:
        over.set()
        _stop(begun)


def _stop(services: SimpleQueue[Service]) -> None:
    """Stop all that stand in a queue, whatever happens to one of them."""
    with ExitStack() as stack:
        while True:
            try:
                stack.callback(services.get_nowait().stop)
            except Empty:
                return


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
