"""What a collector sees of a simulator: one open scene, one body, one camera; or an arm that shows a task.

Small on purpose: what decides where to walk works on a map alone, so that every simulator is walked the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Protocol, Tuple, Union, runtime_checkable

from harness.collecting.plan import PLAIN, CollectPlan, Recorded
from harness.collecting.services import Machine
from harness.contracts.actions import Primitive
from harness.contracts.arm_poses import ArmPose
from harness.contracts.cameras import Camera, Pose
from harness.contracts.observations import RGB, Depth, TopDownMap
from harness.contracts.walkable import Walkable
from harness.runtimes.environments import (
    DEMONSTRATIONS,
    EnvironmentFacts,
    collection_of,
    environment_class,
    find_environment,
)


@dataclass(frozen=True, eq=False)
class Frame:
    """What one camera shows on the body, the body's pose, and whether the action that led here was blocked or slid.

    ``depth`` is float32 [H, W] in metres, 0 where nothing was hit; None where it is not recorded.
    """

    rgb: RGB
    pose: Pose
    collided: bool = False
    depth: Optional[Depth] = None


@dataclass(frozen=True, eq=False)
class OpenScene:
    """An open scene: its name, the SHA-256 of its bytes, where one can walk, and the height of that floor in metres.

    ``walkable`` is what the simulator tells of the scene's walkable area, None where it tells nothing.
    """

    name: str
    digest: str
    map: TopDownMap
    floor_m: float = 0.0
    walkable: Optional[Walkable] = None


class Backend(Protocol):
    """A simulator that is walked through. ``camera`` is the one whose view is recorded."""

    @property
    def camera(self) -> Camera: ...

    @property
    def simulator(self) -> str:
        """The simulator with its version, as the data set's card names it."""

    def open(self, scene: str, seed: int) -> OpenScene:
        """Open a scene; ``seed`` chooses the storey where a scene has several."""

    def place(self, pose: Pose) -> Frame:
        """Put the body somewhere; raise NotNavigable where it cannot stand."""

    def step(self, action: Primitive) -> Frame:
        """Execute one action."""

    def close(self) -> None:
        """Close the simulator."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What one camera shows at one moment, and the gripper's pose there in ``ee_pose8``.

    ``told`` is the commanded pose in ``discrete7`` that led here, ``blocked`` says that it was not reached; () where
    every simulation step is a moment, and of the first moment.
    """

    rgb: RGB
    pose: ArmPose
    told: Tuple[float, ...] = ()
    blocked: bool = False


@dataclass(frozen=True, eq=False)
class Demonstration:
    """One task that was done, moment by moment.

    ``scene_digest`` is the SHA-256 of what the scene was made from; ``placements`` counts how often the simulator
    tried to place the task's objects before they fitted.
    """

    scene_digest: str
    variation: int
    placements: int
    moments: Tuple[Moment, ...]


@runtime_checkable
class Demonstrator(Protocol):
    """A simulator that shows how tasks are done, seen by ``camera``."""

    @property
    def camera(self) -> Camera: ...

    @property
    def simulator(self) -> str:
        """The simulator with its version, as the data set's card names it."""

    def demonstrate(self, scene: str, seed: int) -> Demonstration:
        """Do a task in the scene that ``seed`` draws; EpisodeError where it was not done there."""

    def close(self) -> None:
        """Close the simulator."""


def make_backend(
    name: str, camera: Camera, machine: Machine, log: Path, how: Recorded = PLAIN
) -> Union[Backend, Demonstrator]:
    """Return the simulator of the environment called ``name``; what a service says goes to ``log``."""
    environment = find_environment(name)
    profile = collection_of(environment)
    if profile.in_process:
        from harness.collecting.in_process import InProcessWalks

        facts = EnvironmentFacts(scenes_folder=machine.cache_dir)
        simulator = environment_class(profile.entry_point)(**profile.values(facts)).describe().simulator
        return InProcessWalks(simulator, machine.cache_dir, camera, how.depth)
    if profile.data == DEMONSTRATIONS:
        from harness.collecting.demonstrations import DemonstrationService

        return DemonstrationService(environment, camera, machine, log)
    from harness.collecting.walk_service import WalkService

    return WalkService(environment, camera, machine, log, how)


def backend_of(plan: CollectPlan, machine: Machine, log: Path) -> Union[Backend, Demonstrator]:
    """Return the simulator of a plan."""
    return make_backend(plan.environment, plan.camera, machine, log, plan.recorded)
