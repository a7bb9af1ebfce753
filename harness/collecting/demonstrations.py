"""Records demonstrations of an arm, each as one clip, of a simulator behind the environment service.

A demonstration is not cut: where it ends is what it shows, windows of any length and pace can be taken from it later,
and an evaluation's plan spans a task, not a fixed number of simulation steps. A process has one simulator: a failure
takes its process along.
"""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np

from harness.collecting.plan import CollectPlan, Unit
from harness.collecting.recording import Clip
from harness.collecting.services import Machine, SimulatorService, service_spec
from harness.collecting.simulators import Demonstration, Demonstrator, Moment
from harness.contracts import seeds
from harness.contracts.actions import DISCRETE7, EE_POSE8, FOLLOW, Primitive, Vector
from harness.contracts.arm_poses import ArmPose
from harness.contracts.cameras import Camera, Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError, Refusal, SpecMismatch
from harness.contracts.observations import Observation, ViewRequest
from harness.runtimes.environments import DeclaredEnvironment, collection_of
from harness.wire.client import Deadlines

DEMONSTRATION = "demonstration"
"""What these data call their one policy: the simulator's own planner."""

SCENES_TRIED = 10
"""A demonstration is tried in so many scenes, as RLBench does; each has a seed of its own."""


def record_demonstration(backend: Demonstrator, plan: CollectPlan, unit: Unit) -> List[Clip]:
    """Return the one clip of a demonstration in the first scene of its seeds in which it succeeds."""
    said = ""
    for attempt in range(SCENES_TRIED):
        try:
            shown = backend.demonstrate(unit.scene, scene_seed(plan, unit, attempt))
        except EpisodeError as error:
            said = error.what
            continue
        return [_clip(plan, unit, shown, attempt)]
    raise Refusal(f"{unit.scene} was not done in {SCENES_TRIED} scenes; the last: {said}", "Leave this scene out.")


def scene_seed(plan: CollectPlan, unit: Unit, attempt: int) -> int:
    """Return the seed of a scene; training and validation data of one seed share none."""
    return (
        seeds.derive(plan.seed, f"{plan.split}/{unit.scene}", unit.trajectory, attempt, "collect-demonstration") >> 65
    )


def _clip(plan: CollectPlan, unit: Unit, shown: Demonstration, attempt: int) -> Clip:
    """Return a demonstration as a clip.

    The action at a moment is the pose of the next, or the commanded pose that led there; that of the last is its own.
    """
    poses = np.array([moment.pose for moment in shown.moments], np.float32)
    following = [*shown.moments[1:], shown.moments[-1]]
    told = [moment.told for moment in following]
    if plan.commanded != all(told):
        raise SpecMismatch(
            f"{plan.environment} {'did not say' if plan.commanded else 'said'} which poses were commanded.",
            "Fix its environment.toml: collection.told.",
        )
    return Clip(
        index=unit.first_clip,
        unit=unit,
        number=0,
        frames=np.stack([moment.rgb for moment in shown.moments]),
        poses=poses,
        actions=tuple(
            Vector(DISCRETE7, moment.told) if plan.commanded else Vector(EE_POSE8, moment.pose) for moment in following
        ),
        collided=tuple(moment.blocked for moment in following) if plan.tells_collisions else (),
        scene_digest=shown.scene_digest,
        facts={"variation": shown.variation, "placements": shown.placements, "attempt": attempt},
    )


DEMONSTRATION_S = 600.0
"""One call launches the simulator where it must, plans, moves and renders a whole demonstration."""

_POSE = ("ee.x", "ee.y", "ee.z", "ee.qw", "ee.qx", "ee.qy", "ee.qz", "gripper_open")
_TOLD = tuple(f"told.{index}" for index in range(7))
_DIGEST_WORDS = 8
_ORIGIN = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))


class DemonstrationService:
    """One arm of a service that this process started."""

    def __init__(self, environment: DeclaredEnvironment, camera: Camera, machine: Machine, log: Path) -> None:
        self.camera = camera
        self._views = [ViewRequest(camera.name)]
        spec = service_spec(environment, collection_of(environment).entry_point, machine, {})
        self._service = SimulatorService(spec, Deadlines(reset_s=DEMONSTRATION_S), log)
        with self._service.asked() as client:
            described = client.describe()
        self.simulator = described.simulator
        found = described.rig.camera(camera.name)
        if found != camera:
            self._service.stop()
            raise SpecMismatch(
                f"{environment.title} has the camera {found}, planned was {camera}.", "Collect with the same version."
            )

    def demonstrate(self, scene: str, seed: int) -> Demonstration:
        """Do a task in the scene that ``seed`` draws, and fetch every moment of it."""
        episode = Episode("collect", "collect", "", "", scene, scene, _ORIGIN, 0)
        with self._service.asked() as client:
            first = client.reset(episode, seed, self._views)
            moments = [self._moment(first)]
            for _ in range(int(first.info["moments"]) - 1):
                moments.append(self._moment(client.step([Primitive(FOLLOW, 0.0)], self._views)[0]))
        words = [int(first.info[f"start.{index}"]) for index in range(_DIGEST_WORDS)]
        digest = "".join(f"{word:08x}" for word in words)
        return Demonstration(digest, int(first.info["variation"]), int(first.info["placements"]), tuple(moments))

    def close(self) -> None:
        """Stop the service."""
        self._service.stop()

    def _moment(self, observation: Observation) -> Moment:
        pose: ArmPose = tuple(observation.info[name] for name in _POSE)
        told = tuple(observation.info[name] for name in _TOLD) if _TOLD[0] in observation.info else ()
        return Moment(observation.views[self.camera.name].rgb, pose, told, bool(told) and observation.collided)
