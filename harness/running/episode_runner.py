"""The player of real runs: an environment service, a world model, and the task that brings them together."""

from __future__ import annotations

from pathlib import Path

from harness.contracts.cameras import Rig
from harness.contracts.episodes import Episode
from harness.contracts.trajectories import PlayedEpisode
from harness.planning.warm_up import compile_score
from harness.running.plan import RunPlan, check_suite
from harness.running.player import Starting, unheard
from harness.running.player_services import PlanServices
from tasks.registry import load_task
from tasks.suite import load_suite


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
                self._environment, self._imaginer, episode, self._tier, seed, identity.wm, identity.stop
            )

    def close(self) -> None:
        """Close the clients and stop the services."""
        self._services.close()
