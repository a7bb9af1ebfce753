"""Workers as processes of the nodes of a Ray cluster, seen from the main process: the one module that imports Ray.

Each worker has an actor that holds its place on some node (`harness.running.remote_place`). This process alone writes
the run folder: what a worker wrote comes with its message as bytes through Ray's object store, and a message that never
arrives has written nothing. So a node that is lost, or cut off and alive, neither loses an episode nor doubles one.

Ray decides which node has room. A worker without a place waits for one, as long as any other worker has its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import ray
from ray._private import worker as ray_worker
from ray.exceptions import RayActorError, RayError

from harness.contracts.errors import MachineError, Refusal, SpecMismatch
from harness.running.cluster import Cluster
from harness.running.executors import Worker
from harness.running.local_processes import Job
from harness.running.messages import Abort, Message, Play, Starting, decode
from harness.running.remote_place import Ended, Facts, Heard, Place, Start, facts_here, variables_of

_LISTEN_S = 10.0
_END_S = 5.0
_TOLD_S = 1.0
_LOOK_S = 5.0
_HEAD_S = 25.0
"""Seconds without the head after which the work ends by itself: Ray ends the process after 60."""

PLACE_S = 300.0
"""Seconds for which no worker at all has a place, after which the work ends."""

MOVES = 3
"""How often a worker asks for another place when it loses one before it was started there."""

_CALLS = 4
"""Of a place at once: it is listened to while it is given an order or ended."""

_TAIL_BYTES = 4000
_PLACE = "a place in the cluster"

Land = Callable[[Mapping[str, bytes], Mapping[str, bytes]], None]
"""Writes files, and what is new of those that grow, by their paths below the folder of the work."""


def places(cluster: Cluster) -> int:
    """Join the cluster and return how many workers have room there; Refusal where it cannot be joined, or none has."""
    _join(cluster)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(_room(resources, cluster.gpus) for resources in nodes)
    if not room:
        shown = "; ".join(f"{r.get('CPU', 0):g} CPU, {r.get('GPU', 0):g} GPU" for r in nodes)
        wanted = f"1 CPU{f' and {cluster.gpus:g} GPU' if cluster.gpus else ''}"
        raise Refusal(f"no node of {cluster.address} has {wanted} for a worker: {shown}.", "Ask for less with --gpus.")
    return room


def _join(cluster: Cluster) -> None:
    if ray.is_initialized():
        return
    # Ray prints what it says of lost nodes on standard output, where `--json` has one object and nothing else.
    ray_worker.print_to_stdstream = lambda *words, **more: None
    try:
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        said = str(error).strip().splitlines()
        raise Refusal(
            f"the Ray cluster at {cluster.address} cannot be joined from here: {said[0] if said else error!r}",
            "Give the command on a node of the cluster: ray start --address=HOST:PORT makes this machine one.",
        ) from error


def _room(resources: Mapping[str, float], gpus: float) -> int:
    """Return how many workers a node has room for: each has one CPU, and its GPUs are of one node."""
    by_cpu = int(resources.get("CPU", 0))
    if not gpus:
        return by_cpu
    cards = int(resources.get("GPU", 0))
    return min(by_cpu, cards * int(1 / gpus) if gpus < 1 else cards // int(gpus))


class RayWorkers:
    """The `Executor` of a cluster. ``files`` are those of the folder that every worker reads, by name."""

    def __init__(self, job: Job, cluster: Cluster, files: Sequence[str], land: Land) -> None:
        _join(cluster)
        self._job = job
        self._cluster = cluster
        self._files = {name: (job.folder / name).read_bytes() for name in files}
        self._land = land
        self._here = facts_here()
        self._workers: Dict[int, RayWorker] = {}
        self._looked = self._head_at = self._placed_at = time.monotonic()
        options = {"num_cpus": 1, "num_gpus": cluster.gpus, "max_concurrency": _CALLS, "max_restarts": 0}
        self._actor = ray.remote(Place).options(scheduling_strategy="SPREAD", **options)

    def start(self, number: int) -> RayWorker:
        """Ask the cluster for a place; the worker is started there when there is one.

        Raises MachineError where the head is gone: Ray would wait for it here, and then end the process.
        """
        until = time.monotonic() + _HEAD_S
        while not self._cluster.answers():
            if time.monotonic() > until:
                raise self._headless()
            time.sleep(_TOLD_S)
        log = self._job.log(number)
        given = self._job.module, number, self._job.plan, self._files
        start = Start(*given, str(log.relative_to(self._job.folder)), variables_of(self._cluster))
        worker = RayWorker(number, log, self._actor.remote(), start)
        self._workers[number] = worker
        return worker

    def wait(self, seconds: float) -> List[Tuple[Worker, Optional[List[Message]]]]:
        """Return what the workers said, and every second which of them have no place yet.

        Raises MachineError where the cluster's head is gone, or no worker has a place for long.
        """
        self._look()
        waited = {worker.heard: worker for worker in self._workers.values() if not worker.gone}
        if not waited:
            time.sleep(seconds)
            return []
        ray.wait(list(waited), timeout=seconds)
        ready, _ = ray.wait(list(waited), num_returns=len(waited), timeout=0)
        found: List[Tuple[Worker, Optional[List[Message]]]] = []
        found += [(waited[reference], self._hear(waited[reference])) for reference in ready]
        found += [(worker, [Starting(_PLACE)]) for worker in self._waiting()]
        return found

    def drop(self, worker: Worker) -> str:
        """End a worker, take what is left of its logs, and give its place back."""
        assert isinstance(worker, RayWorker)
        del self._workers[worker.number]
        if worker.placed and not worker.how:
            with suppress(RayError):
                ended: Ended = ray.get(worker.actor.end.remote(), timeout=_END_S)
                self._land({}, ended.grown)
                worker.how = ended.how
        if self._cluster.answers():  # Ray would wait for its head; the actor ends with this process
            ray.kill(worker.actor)
        return worker.how or "no answer"

    def _hear(self, worker: RayWorker) -> Optional[List[Message]]:
        """Take what a worker's place answered, write its files, and listen on."""
        try:
            answer: Any = ray.get(worker.heard)
        except RayError as error:
            if isinstance(error, RayActorError) and worker.may_move and self._cluster.answers():
                worker.move(self._actor.remote())
                return []
            worker.gone, worker.how = True, _words(error)
            return None
        if isinstance(answer, Facts):
            return self._begin(worker, answer)
        if answer is None:
            worker.gone = True
            return None
        messages = []
        for heard in answer:
            self._take(heard)
            messages.append(decode(heard.line))
        worker.heard = worker.actor.listen.remote(_LISTEN_S)
        return None if None in messages else [message for message in messages if message is not None]

    def _begin(self, worker: RayWorker, facts: Facts) -> List[Message]:
        """Start a worker in the place that it got, if that has what is here."""
        difference = self._here.difference(facts)
        if difference:
            what = f"node {facts.host} of the cluster cannot take part: {difference}."
            return [Abort(SpecMismatch.__name__, what, "Make both the same (docs/many-machines.md), then go on.")]
        worker.placed = True
        worker.heard = worker.actor.begin.remote(worker.start)
        return [Starting(f"a worker on {facts.host}")]

    def _take(self, heard: Heard) -> None:
        if heard.files or heard.grown:
            self._land(heard.files, heard.grown)

    def _waiting(self) -> List[RayWorker]:
        """Return the workers that nobody was told of for a second and that have no place."""
        now = time.monotonic()
        placeless = [worker for worker in self._workers.values() if not (worker.placed or worker.gone)]
        found = [worker for worker in placeless if now - worker.told > _TOLD_S]
        for worker in found:
            worker.told = now
        return found

    def _look(self) -> None:
        """Raise MachineError where the cluster cannot go on."""
        now = time.monotonic()
        if any(worker.placed for worker in self._workers.values()) or not self._workers:
            self._placed_at = now
        if now - self._placed_at > PLACE_S:
            raise MachineError(
                f"no node of the cluster at {self._cluster.address} had room for a worker in {PLACE_S:g} s.",
                "See `ray status`. Go on when there is room.",
            )
        if now - self._looked < _LOOK_S:
            return
        self._looked = now
        if self._cluster.answers():
            self._head_at = now
        if now - self._head_at > _HEAD_S:
            raise self._headless()

    def _headless(self) -> MachineError:
        return MachineError(
            f"the head of the cluster at {self._cluster.address} has not answered for {_HEAD_S:g} s.",
            "Start the cluster again, then go on.",
        )


@dataclass(eq=False)
class RayWorker:
    """One worker: its actor, and what the actor was asked last (``heard``).

    It is ``placed`` when a node has room for it, and ``gone`` when nothing will be heard of it any more; ``how`` it
    ended is "" as long as nobody knows.
    """

    number: int
    log: Path
    actor: Any
    start: Start
    placed: bool = False
    gone: bool = False
    how: str = ""

    def __post_init__(self) -> None:
        self.told = time.monotonic()
        self.heard = self.actor.facts.remote()
        self._moved = 0

    @property
    def may_move(self) -> bool:
        """Say whether it can ask for another place. Ray gives out places of a node that is lost and that it does not
        miss yet: no worker has failed there."""
        return not self.placed and self._moved < MOVES

    def move(self, actor: Any) -> None:
        """Wait for another place."""
        self._moved += 1
        self.actor, self.heard = actor, actor.facts.remote()

    def send(self, order: Play) -> None:
        """Give the worker an order."""
        self.actor.send.remote(order)

    def finish(self) -> None:
        """Let the worker close what it holds and exit; one without a place has nothing."""
        self._leave(self.actor.finish)

    def terminate(self) -> None:
        """Ask the worker to stop."""
        self._leave(self.actor.terminate)

    def exits_within(self, seconds: float) -> bool:
        """Wait for the worker to exit; what it still says is not heard any more."""
        if not self.gone and ray.wait([self.heard], timeout=seconds)[0]:
            try:
                self.gone = ray.get(self.heard) is None
            except RayError as error:
                self.gone, self.how = True, _words(error)
            self.heard = self.actor.listen.remote(_LISTEN_S)
        return self.gone

    def log_tail(self) -> str:
        """Return the last lines of the worker's log, as far as they have arrived."""
        if not self.log.is_file():
            return self.how
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return log.read().decode(errors="replace").strip()

    def _leave(self, method: Any) -> None:
        if self.placed:
            method.remote()
        else:
            self.gone = True


def _words(error: RayError) -> str:
    """Return the first line of what Ray says of a lost actor that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lost = "the loss of its node or actor" if isinstance(error, RayActorError) else "an error of Ray"
    return f"{lost}: {lines[-1][:400]}" if lines else lost
