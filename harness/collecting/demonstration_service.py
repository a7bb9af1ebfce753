"""A simulator that demonstrates, behind the environment service, one a process: a failure takes its process along."""

from __future__ import annotations

from pathlib import Path

from harness.collecting.placement import Machine
from harness.collecting.services import SimulatorService, service_spec
from harness.collecting.simulators import Demonstration, Moment
from harness.contracts.actions import FOLLOW, Primitive
from harness.contracts.arm_poses import ArmPose
from harness.contracts.cameras import Camera, Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import SpecMismatch
from harness.contracts.observations import Observation, ViewRequest
from harness.runtimes.environments import DeclaredEnvironment, collection_of
from harness.wire.client import Deadlines

DEMONSTRATION_S = 600.0
"""One call launches the simulator where it must, plans, moves and renders a whole demonstration."""

_POSE = ("ee.x", "ee.y", "ee.z", "ee.qw", "ee.qx", "ee.qy", "ee.qz", "gripper_open")
_DIGEST_WORDS = 8
_ORIGIN = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))


class DemonstrationService:
    """One arm of a service that this process started."""

    def __init__(self, environment: DeclaredEnvironment, camera: Camera, machine: Machine, log: Path) -> None:
        self._camera = camera
        self._views = [ViewRequest(camera.name)]
        spec = service_spec(environment.name, collection_of(environment).entry_point, machine, {})
        self._service = SimulatorService(spec, Deadlines(reset_s=DEMONSTRATION_S), log)
        with self._service.asked() as client:
            described = client.describe()
        self._simulator = described.simulator
        found = described.rig.camera(camera.name)
        if found != camera:
            self._service.stop()
            raise SpecMismatch(
                f"{environment.title} has the camera {found}, planned was {camera}.", "Collect with the same version."
            )

    @property
    def camera(self) -> Camera:
        """The recorded camera."""
        return self._camera

    @property
    def simulator(self) -> str:
        """The simulator's version, as it says itself."""
        return self._simulator

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
        return Moment(observation.views[self._camera.name].rgb, pose)
