"""The plan of a run: everything that a worker process needs, as plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Mapping, Optional, Tuple

from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.from_plain import from_plain
from harness.contracts.metrics import MetricSpec
from harness.records.identity import ImageRecord, RunIdentity
from harness.records.resuming import CALL_TIMEOUT, MAX_TIMEOUT_S, START_TIMEOUT, option_of
from harness.running.cluster import Cluster
from harness.runtimes.service import ENVIRONMENT, ServiceSpec

SUITE_PLAYER = "harness.running.episode_runner:SuitePlayer"

PYTHON_START_S = 30.0

RUN_LOG_BYTES = 64 * 1024**2
"""What a run keeps of the output of its containers: of each kind of service, over all workers and all their starts."""


@dataclass(frozen=True)
class PhaseDeadlines:
    """Seconds until a phase counts as hung. ``start_s`` is for starting an environment, and begins anew whenever it
    says what it is doing (it compiles then, for minutes on a busy machine), up to ``longest_start_s``.
    ``model_start_s`` is for a world
    model that does not declare its own limit: tens of gigabytes are loaded and compiled. ``episode_s`` is for playing
    and recording one episode (it covers a bake); the others are for single calls."""

    start_s: float = 120.0
    longest_start_s: float = 1800.0
    model_start_s: float = 600.0
    reset_s: float = 300.0
    step_s: float = 30.0
    imagine_s: float = 600.0
    query_s: float = 30.0
    episode_s: float = 900.0

    def with_calls(self, seconds: float) -> PhaseDeadlines:
        """Return the deadlines with another one for a call that imagines.

        Those of an episode and of reset, step and query stay, but where an episode would end before such a call.
        """
        return replace(self, imagine_s=seconds, episode_s=max(self.episode_s, seconds + self.reset_s))


@dataclass(frozen=True)
class Patience:
    """What a user says of failing; None keeps the plan's.

    ``max_failures`` is ``--max-failures``; ``timeout_s`` (``--timeout``) is for one call of the world model, and
    ``start_s`` (``--start-timeout``) until it is ready, both in seconds.
    """

    max_failures: Optional[int] = None
    timeout_s: Optional[float] = None
    start_s: Optional[float] = None

    def __post_init__(self) -> None:
        for option, seconds in ((CALL_TIMEOUT, self.timeout_s), (START_TIMEOUT, self.start_s)):
            if seconds is not None and not 0.0 < seconds <= MAX_TIMEOUT_S:
                raise Refusal(
                    f"{option} {seconds:g} is not in 0..{MAX_TIMEOUT_S:g} seconds.", "Give how long it may take."
                )


UNCHANGED = Patience()


@dataclass(frozen=True)
class RunPlan:
    """What to play (`identity`) and how to play it.

    Nothing but ``identity`` may change an outcome, so ``workers`` and ``deadlines`` may differ after a resume.
    ``policy`` proposes in the place of the tier's own proposer, where there is one.
    ``player`` names the class that plays an episode, as ``module:Class``; ``options`` are its own. ``max_attempts`` is
    how often an episode is started when its worker or its environment dies; what the world model does is never tried
    again. After ``max_failures`` equal failures in a row the run stops (0: never). ``images`` says of each kind of
    service in a container which image was found when the plan was made; the run's provenance keeps it. ``again`` are
    the words of the command line, ``--option=value``, that a resume of the run needs once more: a run folder never
    says itself what is to be executed. ``model_files`` holds by part of the world model's code the digest of each file,
    so that those which change can be named. ``metrics`` are what its rows are measured in. ``model_gpus`` are the
    UUIDs of the GPUs that the world models take in turn, none where nobody chose one. ``model_sockets`` are where
    workers find the world models of a run that batches across episodes, one a GPU; none until it is played. ``cluster``
    is where the workers are, None: on this machine.
    """

    identity: RunIdentity
    player: str = SUITE_PLAYER
    environment: Optional[ServiceSpec] = None
    world_model: Optional[ServiceSpec] = None
    policy: Optional[ServiceSpec] = None
    workers: int = 1
    deadlines: PhaseDeadlines = field(default_factory=PhaseDeadlines)
    max_attempts: int = 3
    max_failures: int = 3
    options: Mapping[str, Any] = field(default_factory=dict)
    images: Mapping[str, ImageRecord] = field(default_factory=dict)
    again: Tuple[str, ...] = ()
    model_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metrics: Tuple[MetricSpec, ...] = ()
    model_gpus: Tuple[str, ...] = ()
    model_sockets: Tuple[str, ...] = ()
    cluster: Optional[Cluster] = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise Refusal(f"{self.workers} workers cannot play a run.", "Give --workers 1 or more.")
        if self.max_attempts < 1:
            raise Refusal(f"{self.max_attempts} attempts an episode play nothing.", "Give 1 or more.")
        if self.max_failures < 0:
            raise Refusal(f"--max-failures {self.max_failures} is negative.", "Give 0 for no limit, or 1 and more.")

    def execution(self) -> Dict[str, Any]:
        """Return what `run.json` keeps of how the run is played, as plain data for people and for `again_options`.

        Nothing of it is ever executed: a run folder may come from anybody. So it names no class, no interpreter and no
        folder, and a resumed run gets them from the catalog and the command line.
        """
        return {
            "workers": self.workers,
            "deadlines": to_plain(self.deadlines),
            "max_attempts": self.max_attempts,
            "max_failures": self.max_failures,
            "environment": _told(self.environment),
            "world_model": _told(self.world_model),
            **({} if self.policy is None else {"policy": _told(self.policy)}),
            "again": sorted({option_of(word) for word in self.again}),
        }

    def worker_start_s(self) -> float:
        """Return how long a worker may take until it is ready: its services one after another, and Python itself.

        One that shares the world model waits for the batch that is being imagined.
        """
        services = [service for service in (self.environment, self.world_model, self.policy) if service is not None]
        batch_s = 0.0 if self.identity.batch_wait_ms is None else self.deadlines.imagine_s
        return sum(map(self.start_s, services)) + batch_s + PYTHON_START_S

    @property
    def replicas(self) -> int:
        """Return how many world models a run has that batches across episodes: one a GPU."""
        return max(1, len(self.model_gpus))

    @property
    def sharers(self) -> int:
        """Return how many workers one world model answers: each may wait for all others; its death fails as many."""
        return 1 if self.identity.batch_wait_ms is None else -(-self.workers // self.replicas)

    def of_worker(self, number: int) -> RunPlan:
        """Return the plan of one worker: its world model's GPU and socket are those of its turn."""
        model, gpus, sockets = self.world_model, self.model_gpus, self.model_sockets
        return replace(
            self,
            world_model=model.on_gpu(gpus[number % len(gpus)]) if model is not None and gpus else model,
            model_sockets=(sockets[number % len(sockets)],) if sockets else (),
        )

    def episode_s(self) -> float:
        """Return how long an episode may take, the time in which it waits for others included."""
        return self.deadlines.episode_s * self.sharers

    def start_s(self, service: ServiceSpec) -> float:
        """Return how long one service may take until it is ready: what it declares, else what its kind may take."""
        usual = self.deadlines.start_s if service.kind == ENVIRONMENT else self.deadlines.model_start_s
        return service.start_s or usual

    def log_bytes(self) -> int:
        """Return a worker's share of what a run keeps of the output of one kind of container."""
        return RUN_LOG_BYTES // self.workers

    def with_patience(self, patience: Patience) -> RunPlan:
        """Return the plan with other limits; what ``patience`` leaves out is kept.

        A world model that declares a longer start than the user grants is refused: a stranger's plugin must not be able
        to hold every worker for as long as it says.
        """
        most, call_s = patience.max_failures, patience.timeout_s
        deadlines = self.deadlines if call_s is None else self.deadlines.with_calls(call_s)
        model, policy = (_granted(each, patience.start_s, deadlines) for each in (self.world_model, self.policy))
        most = self.max_failures if most is None else most
        return replace(self, max_failures=most, deadlines=deadlines, world_model=model, policy=policy)


def _granted(
    model: Optional[ServiceSpec], start_s: Optional[float], deadlines: PhaseDeadlines
) -> Optional[ServiceSpec]:
    """Return a model's service with the start that the user grants; Refusal where it says that it may take longer."""
    if model is not None and start_s is not None:
        return replace(model, start_s=start_s)
    if model is not None and model.start_s > deadlines.model_start_s:
        raise Refusal(
            f"{model.kind.replace('_', ' ')} {model.name!r} says that it may take {model.start_s:g} s to start; "
            f"{deadlines.model_start_s:g} s are granted.",
            f"If you trust it with so long, add --start-timeout {model.start_s:g}.",
        )
    return model


def encode_plan(plan: RunPlan) -> bytes:
    """Return a plan for a worker process of this run."""
    return json.dumps(to_plain(plan), allow_nan=False).encode()


def decode_plan(data: bytes) -> RunPlan:
    """Return the plan that `encode_plan` wrote."""
    return from_plain(RunPlan, json.loads(data))


def _told(service: Optional[ServiceSpec]) -> Optional[Dict[str, Any]]:
    """Return what is kept of a service: its name, and its image where it runs in a container."""
    if service is None:
        return None
    box = service.container
    container = None if box is None else {"image": box.image, "image_id": box.image_id}
    return {"name": service.name, "container": container}


def check_suite(identity: RunIdentity, suite_hash: str) -> None:
    """Raise SpecMismatch when the suite's data are not those that the run began with.

    A run whose episodes come from two versions of a suite would have no meaning, so it is refused, not continued.
    """
    if suite_hash != identity.suite_hash:
        raise SpecMismatch(
            f"{identity.suite}/{identity.task}/{identity.tier} has suite hash {suite_hash}, "
            f"but the run began with {identity.suite_hash}.",
            "Check out the version that began it, or start a new run.",
        )
