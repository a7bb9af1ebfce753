"""The one module that talks to RLBench and PyRep: launch, reset, one action, one observation.

Everything of the two packages is imported when the simulator starts, so that describing the environment, and its tests,
need neither. CoppeliaSim runs inside this process: when it fails it may take the process with it, and what it leaves
behind cannot be launched again here. After a failure this object answers every call with the same `ServiceError`; the
harness then starts a new process.
"""

# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Type

import numpy as np

from harness.contracts.errors import EpisodeError, Refusal, ServiceError
from images.rlbench.actions import GripperPose
from images.rlbench.demos import StoredStart

CAMERAS = ("front", "left_shoulder", "right_shoulder", "overhead", "wrist")
_TASK_NAME = re.compile(r"[a-z][a-z0-9_]*")
_WARM_UP_SEED = 0
_NO_DEMO = "Could not collect demos"
"""How RLBench says that its own attempts failed; a simulator that died fails at its next reset, with other words."""


@dataclass(frozen=True)
class Channels:
    """What is rendered of one camera."""

    depth: bool = False
    ids: bool = False


@dataclass(frozen=True)
class ActionResult:
    """How one action ended: whether it was carried out (else why not), and what the task says now."""

    blocked: str
    succeeded: bool
    over: bool


class Simulator:
    """One CoppeliaSim with one robot, and the task that is loaded."""

    def __init__(self, image_size: int, headless: bool) -> None:
        self._image_size = image_size
        self._headless = headless
        self._environment: Any = None
        self._observing: Any = None
        self._mode: Any = None
        self._task: Any = None
        self._task_name = ""
        self._failure = ""

    def load(self, task: str) -> None:
        """Launch at the first call; load a task by its name (``push_buttons``) unless it is loaded.

        A task draws random numbers when it is made, once. It is made and reset here, from a fixed seed, so that an
        episode depends neither on the episodes before it nor on being the first.
        """
        if not _TASK_NAME.fullmatch(task):
            raise Refusal(f"{task!r} is no name of a task.", "Name a module of rlbench.tasks, such as push_buttons.")
        if task == self._task_name and not self._failure:
            return
        with self._working(f"loading task {task}"):
            if self._environment is None:
                self._launch()
            self._task, self._task_name = None, ""
            self._task = self._environment.get_task(_task_class(task))
            np.random.seed(_WARM_UP_SEED)
            self._task.reset()
            self._task_name = task

    def reset_to_start(self, start: StoredStart) -> None:
        """Make the scene of a stored demo again: its random state, its variation, its number of placements."""
        with self._working("resetting to a stored demo"):
            from rlbench.demo import Demo

            if start.variation >= self._task.variation_count():
                raise Refusal(
                    f"the demo is of variation {start.variation}, and {self._task_name} has "
                    f"{self._task.variation_count()} here.",
                    "The demo was made with another version of RLBench: use the one that it was made with.",
                )
            self._render({})
            demo = Demo([_variation_record(start.variation)], start.random_state, start.attempts)
            self._task.reset_to_demo(demo)
            self._mode.succeeded = False

    def reset_to_variation(self, variation: int, seed: int) -> None:
        """Make a scene of a variation from a seed (32 bits)."""
        with self._working("resetting to a variation"):
            if variation >= self._task.variation_count():
                raise Refusal(
                    f"{self._task_name} has no variation {variation}.", f"It has {self._task.variation_count()}."
                )
            self._render({})
            np.random.seed(seed)
            self._task.set_variation(variation)
            self._task.reset()
            self._mode.succeeded = False

    def seed(self, seed: int) -> None:
        """Seed what numpy draws from now on; the motion planner's own generator cannot be seeded from here."""
        np.random.seed(seed)

    def variation_count(self) -> int:
        """Return how many variations the loaded task has."""
        with self._working("counting variations"):
            return int(self._task.variation_count())

    def demonstrate(self, variation: int, seed: int, channels: Mapping[str, Channels]) -> Tuple[StoredStart, List[Any]]:
        """Let RLBench do the task in a scene of a variation and a seed (32 bits); return its start and what was seen.

        One scene is tried, once: RLBench itself would go on to scenes that depend on how planning went. EpisodeError
        says that the task was not done in this one.
        """
        with self._working("demonstrating"):
            if variation >= self._task.variation_count():
                raise Refusal(
                    f"{self._task_name} has no variation {variation}.", f"It has {self._task.variation_count()}."
                )
            self._render(channels)
            np.random.seed(seed)
            self._task.set_variation(variation)
            try:
                (demo,) = self._task.get_demos(amount=1, live_demos=True, max_attempts=1)
            except RuntimeError as error:
                if _NO_DEMO not in str(error):
                    raise
                raise EpisodeError(
                    f"{self._task_name}, variation {variation}, seed {seed}: no demonstration."
                ) from error
            seen = [demo[index] for index in range(len(demo))]
            return StoredStart(variation, demo.random_seed, demo.num_reset_attempts), seen

    def act(self, target: GripperPose) -> ActionResult:
        """Move the arm along a planned path, then the gripper; an action that cannot be planned moves nothing."""
        with self._working("carrying out an action"):
            from pyrep.errors import ConfigurationPathError, IKError
            from rlbench.backend.exceptions import InvalidActionError

            self._render({})
            try:
                _, reward, over = self._task.step(np.array(target.rlbench_action()))
            except (InvalidActionError, ConfigurationPathError, IKError) as error:
                return ActionResult(str(error), self._mode.succeeded, False)
            self._mode.succeeded = self._mode.succeeded or float(reward) > 0.0
            return ActionResult("", self._mode.succeeded, bool(over))

    def observe(self, channels: Mapping[str, Channels]) -> Any:
        """Return RLBench's observation with the wanted cameras; others are not rendered."""
        with self._working("observing"):
            self._render(channels)
            return self._task.get_observation()

    def close(self) -> None:
        """Shut CoppeliaSim down, unless it failed: shutting a failed one down may hang."""
        environment, self._environment = self._environment, None
        self._task, self._task_name = None, ""
        if environment is not None and not self._failure:
            environment.shutdown()

    def _render(self, channels: Mapping[str, Channels]) -> None:
        """Say what the next observations render; RLBench makes one after every reset and action by itself."""
        for name in CAMERAS:
            wanted = channels.get(name)
            config = getattr(self._observing, f"{name}_camera")
            config.rgb = wanted is not None
            config.depth = wanted is not None and wanted.depth
            config.mask = wanted is not None and wanted.ids

    def _launch(self) -> None:
        if not os.path.isdir(os.environ.get("COPPELIASIM_ROOT", "")):  # noqa: PTH112 (an unset variable is no path)
            raise Refusal(
                "COPPELIASIM_ROOT names no folder with CoppeliaSim 4.1.0.",
                "Get it from its maker, accept its licence, and set the variable (images/rlbench/README.md).",
            )
        from rlbench.action_modes.arm_action_modes import EndEffectorPoseViaPlanning
        from rlbench.action_modes.gripper_action_modes import Discrete
        from rlbench.environment import Environment

        self._observing = _observation_config(self._image_size)
        self._mode = _sustained_mode()(EndEffectorPoseViaPlanning(), Discrete())
        environment = Environment(action_mode=self._mode, obs_config=self._observing, headless=self._headless)
        environment.launch()
        self._environment = environment

    @contextmanager
    def _working(self, doing: str) -> Iterator[None]:
        """Turn failures into contract errors; after one that comes from the simulator, refuse everything."""
        if self._failure:
            raise ServiceError(f"CoppeliaSim failed earlier: {self._failure}.", "Start the environment again.")
        try:
            yield
        except (Refusal, EpisodeError, ServiceError):
            raise
        except ImportError as error:
            raise Refusal(f"{doing}: {error}.", "Run it in the image rlbench (images/rlbench/README.md).") from error
        except Exception as error:
            if type(error).__name__ == "TaskEnvironmentError":  # by name: its package may be what failed to import
                raise EpisodeError(f"{doing}: {error}", "The scene cannot be placed: leave the episode out.") from error
            self._failure = f"{doing}: {type(error).__name__}: {error}"
            raise ServiceError(f"CoppeliaSim failed while {self._failure}.", "Start the environment again.") from error


def _task_class(task: str) -> Type[Any]:
    from rlbench.utils import InvalidTaskName, name_to_task_class

    try:
        found: Type[Any] = name_to_task_class(task)
    except InvalidTaskName as error:
        raise Refusal(f"RLBench has no task {task!r}: {error}.", "Use the version that has it.") from error
    return found


def _observation_config(image_size: int) -> Any:
    """Return a configuration with every camera present: one that is off at launch is removed from the scene."""
    from rlbench.observation_config import CameraConfig, ObservationConfig

    def camera() -> Any:
        size = (image_size, image_size)
        return CameraConfig(point_cloud=False, image_size=size, masks_as_one_channel=True, depth_in_meters=True)

    cameras: Dict[str, Any] = {f"{name}_camera": camera() for name in CAMERAS}
    return ObservationConfig(
        joint_velocities=False,
        joint_positions=False,
        joint_forces=False,
        gripper_open=True,
        gripper_pose=True,
        **cameras,
    )


def _sustained_mode() -> Type[Any]:
    """Return the action mode that remembers success: RLBench asks again after the gripper has moved, and by then a
    condition that was met on the way may not be met any more."""
    from rlbench.action_modes.action_mode import MoveArmThenGripper

    class SustainedSuccess(MoveArmThenGripper):  # type: ignore[misc, unused-ignore]
        succeeded = False

        def action(self, scene: Any, action: Any) -> None:
            """Move the arm; a path that meets the condition ends there, so it is asked right after."""
            self.arm_action_mode.action(scene, np.array(action[:7]))
            self.succeeded = self.succeeded or bool(scene.task.success()[0])
            self.gripper_action_mode.action(scene, np.array(action[7:]))

    return SustainedSuccess


class _VariationRecord:
    """The one thing that a reset reads of a demo's first observation."""

    def __init__(self, misc: Dict[str, int]) -> None:
        self.misc = misc


def _variation_record(variation: int) -> Any:
    return _VariationRecord({"variation_index": variation})


def scene_parts(scene: str) -> Tuple[str, int, Optional[int]]:
    """Return (task, variation, demo or None) of ``push_buttons/variation3/episode7`` or ``push_buttons/variation3``."""
    found = re.fullmatch(r"([a-z][a-z0-9_]*)/variation(\d{1,4})(?:/episode(\d{1,4}))?", scene)
    if not found:
        raise Refusal(f"{scene!r} is no scene of RLBench.", "Name it like push_buttons/variation3/episode7.")
    task, variation, demo = found.groups()
    return task, int(variation), None if demo is None else int(demo)
