"""The services of a plan, as what a player needs of them: an environment behind the liveness gate, and an imaginer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Optional

from harness.contracts.errors import DeadlineExceeded, EpisodeError, ModelFault, Refusal, ServiceError, SpecMismatch
from harness.contracts.manifests import ENVIRONMENT, NONE, ModelManifest
from harness.contracts.observations import EnvironmentSpec
from harness.records.from_plain import from_plain
from harness.records.resuming import CALL_TIMEOUT
from harness.running.compatibility import capabilities_for
from harness.running.frame_checks import LivenessGate
from harness.running.full_disks import disk_behind
from harness.running.model_digests import check_files
from harness.running.plan import RunPlan
from harness.running.player import Starting, unheard
from harness.running.services import start
from harness.running.submitted_model import SubmittedModel, starting_model
from harness.runtimes.service import ENVIRONMENT as SERVICE_ENVIRONMENT
from harness.runtimes.service import Service, ServiceSpec, with_stack
from harness.wire.client import Deadlines, EnvironmentClient, WorldModelClient
from harness.wire.sdk import Environment, refuse
from harness.worldmodels.conditioning import view_request
from harness.worldmodels.imaginer import EnvironmentImaginer, Imaginer, PluginImaginer
from harness.worldmodels.planted_errors import planted_errors
from tasks.registry import load_task
from tasks.suite import Suite


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
            client = EnvironmentClient(self._environment.socket, self._deadlines())
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
        with self._disks_told(), starting_model():
            service = self._start(self._plan.world_model)
            check_files(self._plan)
            client = WorldModelClient(service.socket, self._deadlines(), expected=manifest)
            self._stack.callback(client.close)
            client.describe()
        further = view_request(manifest, self._suite.rig, self._suite.tier(identity.tier).loop.agent_camera)
        return PluginImaginer(SubmittedModel(client, service), manifest, self._suite.action_space, further)

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

    def _deadlines(self) -> Deadlines:
        chosen = self._plan.deadlines
        return Deadlines(
            reset_s=chosen.reset_s,
            step_s=chosen.step_s,
            imagine_s=chosen.imagine_s,
            query_s=chosen.query_s,
            imagine_option=CALL_TIMEOUT,
        )


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
