"""Starts the services of a plan and plays episodes of a suite's task on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Optional

from harness.contracts.cameras import Rig
from harness.contracts.episodes import Episode
from harness.contracts.errors import (
    DeadlineExceeded,
    EpisodeError,
    ModelFault,
    Refusal,
    ServiceError,
    SpecMismatch,
)
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import ENVIRONMENT, NONE, ModelManifest
from harness.contracts.observations import EnvironmentSpec
from harness.contracts.policies import wanted_views
from harness.contracts.trajectories import PlayedEpisode
from harness.planning.policy_proposer import ChosenPolicy
from harness.planning.warm_up import compile_score
from harness.records.identity import POLICY
from harness.running.chosen_policy import SubmittedPolicy, manifest_of, plans_of, policy_blamed
from harness.running.compatibility import capabilities_for
from harness.running.frame_checks import LivenessGate
from harness.running.full_disks import disk_behind
from harness.running.model_digests import check_files, check_policy_files
from harness.running.plan import RunPlan, check_suite
from harness.running.player import Starting, unheard
from harness.running.services import start
from harness.running.submitted_model import SubmittedModel, call_deadlines, starting_model, waiting_deadlines
from harness.runtimes.service import ENVIRONMENT as SERVICE_ENVIRONMENT
from harness.runtimes.service import Service, ServiceSpec, with_stack
from harness.wire.client import EnvironmentClient, WorldModelClient
from harness.wire.limits import MAX_BATCH
from harness.wire.policy_client import PolicyClient
from harness.wire.sdk import Environment, refuse
from harness.worldmodels.conditioning import view_request
from harness.worldmodels.imaginer import EnvironmentImaginer, Imaginer, PluginImaginer
from harness.worldmodels.planted_errors import planted_errors
from tasks.registry import load_task
from tasks.suite import Suite, load_suite


class PlanServices:
    """Starts the services that a plan names, each when it is asked for, and stops all of them in `close`.

    What the run was planned with is compared with what a service declares; a difference raises SpecMismatch.
    """

    def __init__(self, plan: RunPlan, suite: Suite, logs: Path, starting: Starting = unheard) -> None:
        self._plan = plan
        self._suite = suite
        self._logs = logs
        self._starting = starting
        self._environment: Optional[Service] = None
        self._stack = ExitStack()

    def environment(self) -> LivenessGate:
        """Start the plan's environment; Refusal where it names none."""
        if self._plan.environment is None:
            raise Refusal("the plan names no environment.", "Plan the run again.")
        with self._disks_told():
            self._environment = self._start(self._plan.environment)
            client = EnvironmentClient(self._environment.socket, call_deadlines(self._plan))
            self._stack.callback(client.close)
            check_environment(client.describe(), self._suite)
            check_capabilities(client, self._needed())
        return LivenessGate(client)

    def _needed(self) -> tuple[str, ...]:
        """Return the capabilities that the task and the world model need of the environment."""
        identity = self._plan.identity
        manifest = from_plain(ModelManifest, dict(identity.wm_manifest))
        return (*load_task(identity.task).needs, *capabilities_for(manifest, self._suite.tier(identity.tier)))

    def imaginer(self, environment: Optional[Environment]) -> Optional[Imaginer]:
        """Return the imaginer of the plan's world model, after starting it; None for a model that imagines nothing.

        A model that is the ``environment`` itself needs it; Refusal without.
        """
        identity = self._plan.identity
        manifest = from_plain(ModelManifest, dict(identity.wm_manifest))
        if manifest.kind == NONE:
            return None
        if manifest.kind == ENVIRONMENT:
            if environment is None:
                raise Refusal(f"{manifest.name!r} imagines with an environment, and there is none.", "Plan it again.")
            return EnvironmentImaginer(environment, manifest.name, planted_errors(manifest))
        if self._plan.world_model is None:
            raise Refusal(f"the plan does not say how to start {manifest.name!r}.", "Plan the run again.")
        shared = bool(self._plan.model_sockets)
        with self._disks_told(), starting_model():
            model = self._shared_model(manifest) if shared else self._own_model(self._plan.world_model, manifest)
        further = view_request(manifest, self._suite.rig, self._suite.tier(identity.tier).loop.agent_camera)
        return PluginImaginer(model, manifest, self._suite.action_space, further, MAX_BATCH if shared else 0)

    def policy(self) -> Optional[ChosenPolicy]:
        """Start the plan's policy and return it; None where the tier's own proposer proposes."""
        planned, identity = self._plan.policy, self._plan.identity
        if planned is None:
            return None
        manifest, tier = manifest_of(identity), self._suite.tier(identity.tier)
        with self._disks_told(), policy_blamed():
            service = self._start(planned)
            check_policy_files(planned, identity.specs[POLICY]["digests"])
            client = PolicyClient(service.socket, call_deadlines(self._plan), expected=manifest)
            self._stack.callback(client.close)
            client.describe()
        views = wanted_views(manifest.settings, tier.loop_for(identity.wm).agent_camera)
        return ChosenPolicy(manifest.name, SubmittedPolicy(client, service), plans_of(identity, tier), views)

    def _own_model(self, planned: ServiceSpec, manifest: ModelManifest) -> SubmittedModel:
        service = self._start(planned)
        check_files(self._plan)
        client = WorldModelClient(service.socket, call_deadlines(self._plan), expected=manifest)
        self._stack.callback(client.close)
        client.describe()
        return SubmittedModel(client, service)

    def _shared_model(self, manifest: ModelManifest) -> SubmittedModel:
        """Return the service that workers share, which the main process starts, watches and starts again."""
        self._starting(manifest.name)
        client = WorldModelClient(self._plan.model_sockets[0], waiting_deadlines(self._plan), expected=manifest)
        self._stack.callback(client.close)
        client.describe()
        return SubmittedModel(client)

    @contextmanager
    def causes_told(self) -> Iterator[None]:
        """Give a call of the environment that fails because it died the reason of its death, and make one that is
        late write where it is.

        What the world model failed at comes with its reason already (`SubmittedModel`). A full disk behind either is
        told as such.
        """
        with self._disks_told():
            try:
                yield
            except ModelFault:
                raise
            except DeadlineExceeded as error:
                raise error if self._environment is None else with_stack(error, self._environment) from error
            except ServiceError as error:
                death = None if self._environment is None else self._environment.death()
                if death is not None:
                    raise death from error
                raise

    @contextmanager
    def _disks_told(self) -> Iterator[None]:
        try:
            yield
        except (ServiceError, EpisodeError) as error:
            machine = disk_behind(error, self._logs)
            if machine is not None:
                raise machine from error
            raise

    def close(self) -> None:
        """Close the clients and stop the services."""
        self._stack.close()

    def _start(self, service: ServiceSpec) -> Service:
        self._starting(service.name)
        log = self._logs / f"{service.kind}.log"
        told = partial(self._starting, service.name)
        longest_s = self._plan.deadlines.longest_start_s if service.kind == SERVICE_ENVIRONMENT else 0.0
        running = start(service, self._plan.start_s(service), log, self._plan.log_bytes(), told, longest_s)
        self._stack.callback(running.stop)
        return running


def check_environment(spec: EnvironmentSpec, suite: Suite) -> None:
    """Raise SpecMismatch unless an environment has the suite's cameras and action space, showing both sides."""
    declared = {camera.name: camera for camera in spec.rig.cameras}
    for camera in suite.rig.cameras:
        if declared.get(camera.name) != camera:
            raise SpecMismatch(
                f"environment {spec.name!r} declares camera {camera.name!r} as {declared.get(camera.name)}, "
                f"suite {suite.name} needs {camera}.",
                "Use the environment that belongs to the suite.",
            )
    if suite.action_space not in spec.action_spaces:
        raise SpecMismatch(
            f"environment {spec.name!r} declares the action spaces {spec.action_spaces}, "
            f"suite {suite.name} needs {suite.action_space}.",
            "Use the environment that belongs to the suite.",
        )


def check_capabilities(environment: Environment, needed: Iterable[str]) -> None:
    """Raise Refusal where an environment does not declare at the handshake what its `environment.toml` promises."""
    declared = environment.capabilities()
    for name in needed:
        if name not in declared:
            refuse(environment.describe().name, name)


class SuitePlayer:
    """Starts the plan's services once and plays episodes of a suite's task on them.

    Everything that the run was planned with is compared with what the services declare before the first episode; a
    difference raises SpecMismatch.
    """

    def __init__(self, plan: RunPlan, logs: Path, starting: Starting = unheard) -> None:
        identity = plan.identity
        self._identity = identity
        suite = load_suite(identity.suite, identity.task)
        check_suite(identity, suite.hash(identity.tier))
        self._task = load_task(identity.task)
        self._tier = suite.tier(identity.tier)
        self._services = PlanServices(plan, suite, logs, starting)
        try:
            self._environment = self._services.environment()
            self._imaginer = self._services.imaginer(self._environment)
            self._policy = self._services.policy()
            self._compile_score(suite.rig, starting)
        except BaseException:
            self._services.close()
            raise

    def _compile_score(self, rig: Rig, starting: Starting) -> None:
        loop = self._tier.loop
        cameras = rig.camera(loop.agent_camera), rig.camera(loop.goal_camera)
        starting("worker")
        score = self._task.parts.make_score(loop.score)
        compile_score(
            score, *cameras, lambda done, known: starting("worker", f"compiling the score, {done} of {known}")
        )

    def play(self, episode: Episode, seed: int) -> PlayedEpisode:
        """Play ``episode``; a call that failed because its service died raises the reason of the death."""
        identity = self._identity
        with self._services.causes_told():
            return self._task.play_episode(
                self._environment,
                self._imaginer,
                episode,
                self._tier,
                seed,
                identity.wm,
                identity.stop,
                identity.search,
                self._policy,
            )

    def close(self) -> None:
        """Close the clients and stop the services."""
        self._services.close()
