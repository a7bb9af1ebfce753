"""The world-model service of a run that batches across episodes, one a GPU, and the socket at which workers find it.

It lives in the main process, so that nothing has to be watched that is not watched already: workers die with the main
process, whoever kills it, and a run that was killed is resumed. A worker speaks to it as to a service of its own, and
the service behind it, a process or a container, hears one client. A worker that is killed leaves at most one call
behind. A service that dies or hangs fails the calls that wait for its present batch, with the reason, and is started
again for the next.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Optional

from harness.contracts.errors import ServiceError, WiwError
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import NETWORK, SPENDING, ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.records.folder import RunFolder
from harness.running.model_digests import check_files
from harness.running.plan import RUN_LOG_BYTES, RunPlan
from harness.running.services import start
from harness.running.submitted_model import SubmittedModel, call_deadlines
from harness.runtimes.interpreters import ONE_THREAD
from harness.runtimes.service import Service, ServiceSpec
from harness.runtimes.sockets import SOCKET_NAME, make_socket_folder, remove_socket_folder
from harness.wire.client import WorldModelClient
from harness.wire.codec.messages import parse
from harness.wire.codec.rollouts import read_batch, write_rollout
from harness.wire.server import MAX_WAITING_CALLS, start_server
from harness.wire.services import WORLD_MODEL_SERVICE, describe_model
from harness.wire.services import Service as Methods
from harness.worldmodels.merging import MergeQueue, Merger

SHARED = "services-shared"
"""The folder of the service's log, among those of the workers' own services; of several with its number."""

_END_S = 5.0


@contextmanager
def model_of_all(folder: RunFolder, plan: RunPlan) -> Iterator[RunPlan]:
    """Yield the plan for the workers of a run: one that batches across episodes names sockets, open until the end."""
    wait_ms = plan.identity.batch_wait_ms
    if wait_ms is None or plan.world_model is None:
        yield plan
        return
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(_replica(folder, plan, number, wait_ms / 1000.0)) for number in range(plan.replicas)
        ]
        yield replace(plan, model_sockets=tuple(sockets))


def shared_logs(folder: RunFolder, plan: RunPlan, worker: int) -> Path:
    """Return the folder of the log of the service that a worker shares with others."""
    return folder.logs / (SHARED if plan.replicas == 1 else f"{SHARED}-{worker % plan.replicas}")


@contextmanager
def _replica(folder: RunFolder, plan: RunPlan, number: int, wait_s: float) -> Iterator[str]:
    """Yield the socket of the service that is shared by worker ``number`` and every n-th after it."""
    own = plan.of_worker(number)
    assert own.world_model is not None  # a run without one shares none
    workers = len(range(number, plan.workers, plan.replicas))
    manifest = from_plain(ModelManifest, dict(plan.identity.wm_manifest))
    logs = shared_logs(folder, plan, number)
    logs.mkdir(parents=True, exist_ok=True)
    service = RestartedService(own, own.world_model, manifest, folder, logs)
    merger = Merger(service, MergeQueue(manifest.max_batch, wait_s, workers))
    sockets = make_socket_folder()
    # A worker that was killed occupies one until its call is answered, its successor another.
    threads = ThreadPoolExecutor(2 * workers, thread_name_prefix="shared model")
    server = start_server(
        _methods(merger, manifest), sockets / SOCKET_NAME, threads, max(MAX_WAITING_CALLS, 4 * workers)
    )
    asking = threading.Thread(target=merger.work, name="world model", daemon=True)
    asking.start()
    try:
        yield str(sockets / SOCKET_NAME)
    finally:
        merger.close()
        service.close()
        asking.join(_END_S)
        server.stop(grace=None)
        threads.shutdown(wait=False)
        remove_socket_folder(sockets)


def _methods(merger: Merger, manifest: ModelManifest) -> Methods:
    """Return the methods of a world model's service whose answers come from ``merger``."""

    def describe(data: bytes) -> bytes:
        merger.prepare()
        return describe_model(manifest, data)

    def imagine(data: bytes) -> Iterator[bytes]:
        for rollout in merger.imagine_batch(read_batch(parse("WorldModelImagineRequest", data))):
            for part in write_rollout(rollout):
                yield part.serialized()

    return Methods(WORLD_MODEL_SERVICE, {"Describe": describe}, {"Imagine": imagine}, lambda: None)


class RestartedService:
    """The service that is asked: started when it is needed, and again after it has failed.

    `prepare` and `imagine_batch` are for one thread, `close` for any other, at any time.
    """

    def __init__(
        self, plan: RunPlan, spec: ServiceSpec, manifest: ModelManifest, folder: RunFolder, logs: Path
    ) -> None:
        self._plan = plan
        self._spec = replace(spec, environment_variables={**_variables(spec, manifest, folder)})
        self._manifest = manifest
        self._log = logs / f"{spec.kind}.log"
        self._lock = threading.Lock()
        self._service: Optional[Service] = None
        self._client: Optional[WorldModelClient] = None
        self._closed = False

    def prepare(self) -> None:
        """Start the service unless it runs; raise why it cannot."""
        if self._client is not None:
            return
        service = start(self._spec, self._plan.start_s(self._spec), self._log, RUN_LOG_BYTES // self._plan.replicas)
        with self._lock:
            self._service = service
            closed = self._closed
        try:
            if closed:
                raise ServiceError("the run ends.")
            check_files(self._plan)
            client = WorldModelClient(service.socket, call_deadlines(self._plan), expected=self._manifest)
            client.describe()
            self._client = client
        except BaseException:
            self._stop()
            raise

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield one rollout a request; a service that fails is stopped, and the reason raised."""
        self.prepare()
        assert self._client is not None and self._service is not None
        try:
            yield from SubmittedModel(self._client, self._service).imagine_batch(requests)
        except WiwError:
            self._stop()
            raise

    def close(self) -> None:
        """Stop the service for good; a call that is under way fails."""
        with self._lock:
            self._closed = True
        self._stop()

    def _stop(self) -> None:
        with self._lock:
            service, self._service = self._service, None
            client, self._client = self._client, None
        if client is not None:
            client.close()
        if service is not None:
            service.stop()


def _variables(spec: ServiceSpec, manifest: ModelManifest, folder: RunFolder) -> dict[str, str]:
    """Return the variables of the service: as a process, those that it would inherit of a worker."""
    if spec.container is not None:
        return dict(spec.environment_variables)
    spending = {SPENDING: str(folder.spent.absolute())} if NETWORK in manifest.needs else {}
    return {**dict.fromkeys(ONE_THREAD, "1"), **spending, **spec.environment_variables}
