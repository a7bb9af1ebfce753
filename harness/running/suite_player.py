"""The player of real runs: an environment service, a world model, and the task that brings them together."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Optional

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, ServiceError, SpecMismatch
from harness.contracts.manifests import ENVIRONMENT, NONE, ModelManifest
from harness.contracts.observations import EnvironmentSpec
from harness.contracts.trajectories import PlayedEpisode
from harness.records.plain import from_plain
from harness.running.liveness import LivenessGate
from harness.running.plan import RunPlan, ServicePlan, check_suite
from harness.running.player import Starting, unheard
from harness.running.services import start
from harness.runtimes.service import Service
from harness.wire.client import Deadlines, EnvironmentClient, WorldModelClient
from harness.worldmodels.conditioning import view_request
from harness.worldmodels.imaginer import EnvironmentImaginer, Imaginer, PluginImaginer
from harness.worldmodels.planted_errors import planted_errors
from tasks.registry import load_task
from tasks.suite import Suite, load_suite


class SuitePlayer:
    """Starts the plan's services once and plays episodes of a suite's task on them.

    Everything that the run was planned with is compared with what the services declare before the first episode; a
    difference raises SpecMismatch.
    """

    def __init__(self, plan: RunPlan, logs: Path, starting: Starting = unheard) -> None:
        identity = plan.identity
        self._plan = plan
        self._logs = logs
        self._starting = starting
        suite = load_suite(identity.suite, identity.task)
        check_suite(identity, suite.hash(identity.tier))
        self._task = load_task(identity.task)
        self._tier = suite.tier(identity.tier)
        self._services: list[Service] = []
        with ExitStack() as stack:
            self._environment = LivenessGate(self._start_environment(stack, suite))
            self._imaginer = self._make_imaginer(stack, suite)
            self._stack = stack.pop_all()

    def play(self, episode: Episode, seed: int) -> PlayedEpisode:
        """Play ``episode``; a call that failed because its service died raises the reason of the death."""
        identity = self._plan.identity
        try:
            return self._task.play_episode(
                self._environment, self._imaginer, episode, self._tier, seed, identity.wm, identity.stop
            )
        except ServiceError as error:
            for service in self._services:
                death = service.death()
                if death is not None:
                    raise death from error
            raise

    def close(self) -> None:
        """Close the clients and stop the services."""
        self._stack.close()

    def _start_environment(self, stack: ExitStack, suite: Suite) -> EnvironmentClient:
        if self._plan.environment is None:
            raise Refusal("the plan names no environment.", "Plan the run again.")
        service = self._start(stack, self._plan.environment)
        client = EnvironmentClient(service.socket, self._deadlines())
        stack.callback(client.close)
        check_environment(client.describe(), suite)
        return client

    def _make_imaginer(self, stack: ExitStack, suite: Suite) -> Optional[Imaginer]:
        manifest = from_plain(ModelManifest, dict(self._plan.identity.wm_manifest))
        if manifest.kind == NONE:
            return None
        if manifest.kind == ENVIRONMENT:
            return EnvironmentImaginer(self._environment, manifest.name, planted_errors(manifest))
        if self._plan.world_model is None:
            raise Refusal(f"the plan does not say how to start {manifest.name!r}.", "Plan the run again.")
        service = self._start(stack, self._plan.world_model)
        client = WorldModelClient(service.socket, self._deadlines(), expected=manifest)
        stack.callback(client.close)
        client.describe()
        further = view_request(manifest, suite.rig, self._tier.loop.agent_camera)
        return PluginImaginer(client, manifest, suite.action_space, further)

    def _start(self, stack: ExitStack, service: ServicePlan) -> Service:
        self._starting(service.name)
        running = start(service, self._plan.start_s(service), self._logs / f"{service.kind}.log")
        stack.callback(running.stop)
        self._services.append(running)
        return running

    def _deadlines(self) -> Deadlines:
        chosen = self._plan.deadlines
        return Deadlines(
            reset_s=chosen.reset_s, step_s=chosen.step_s, imagine_s=chosen.imagine_s, query_s=chosen.query_s
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
