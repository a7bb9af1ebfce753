"""A thin double of what the environment uses of RLBench and PyRep: one arm tip, one button, five cameras.

`MODULES` says under which real module each class lives; `test_signatures` compares every class, method and parameter
here with the real sources where they are given, so that the double cannot drift from them.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import pytest

NEAR_M = 0.02
FAR_PLANE_M = 4.5
HARD_M = 0.37
"""Buttons farther away than this are never pressed by a demonstration."""
FRONT_FOCAL = -250.0 / np.tan(np.radians(20.0))
WRIST_FOCAL = -250.0 / np.tan(np.radians(30.0))

calls: List[str] = []
"""What was asked of the double, for tests."""


planning: List[str] = []
"""How the next demonstrations go, one word each: `fails`, `dies`, `wanders` (another way to the same end)."""


class InvalidActionError(Exception):
    """As RLBench's."""


class TaskEnvironmentError(Exception):
    """As RLBench's."""


class ConfigurationPathError(Exception):
    """As PyRep's."""


class IKError(Exception):
    """As PyRep's."""


class InvalidTaskName(Exception):
    """As RLBench's."""


class CameraConfig:
    def __init__(
        self, rgb: bool = True, rgb_noise: Any = None, depth: bool = True, depth_noise: Any = None,
        point_cloud: bool = True, mask: bool = True, image_size: Tuple[int, int] = (128, 128), render_mode: Any = None,
        masks_as_one_channel: bool = True, depth_in_meters: bool = False,
    ) -> None:  # fmt: skip
        self.rgb, self.depth, self.mask, self.point_cloud = rgb, depth, mask, point_cloud
        self.image_size = image_size
        self.depth_in_meters = depth_in_meters


class ObservationConfig:
    def __init__(
        self, left_shoulder_camera: Any = None, right_shoulder_camera: Any = None, overhead_camera: Any = None,
        wrist_camera: Any = None, front_camera: Any = None, joint_velocities: bool = True,
        joint_positions: bool = True, joint_forces: bool = True, gripper_open: bool = True, gripper_pose: bool = True,
    ) -> None:  # fmt: skip
        self.left_shoulder_camera = left_shoulder_camera
        self.right_shoulder_camera = right_shoulder_camera
        self.overhead_camera = overhead_camera
        self.wrist_camera = wrist_camera
        self.front_camera = front_camera


class Demo:
    def __init__(self, observations: List[Any], random_seed: Any = None, num_reset_attempts: Any = None) -> None:
        self._observations = observations
        self.random_seed = random_seed
        self.num_reset_attempts = num_reset_attempts

    def __len__(self) -> int:
        return len(self._observations)

    def __getitem__(self, i: int) -> Any:
        return self._observations[i]

    def restore_state(self) -> None:
        np.random.set_state(self.random_seed)


class Observation:
    """An observation with the attributes of RLBench's that are read."""


class ButtonTask:
    """A task: touch the button. The condition holds only while the tip is near."""

    def __init__(self, pyrep: Any, robot: Any, name: Optional[str] = None) -> None:
        self.button = np.zeros(3)
        self.tip = np.zeros(3)
        self.lifted = False

    def success(self) -> Tuple[bool, bool]:
        near = bool(np.max(np.abs(self.tip - self.button)) < NEAR_M) and not self.lifted
        return near, near

    def variation_count(self) -> int:
        return 4


class Scene:
    """The tip, the gripper and the task."""

    def __init__(self, task: ButtonTask) -> None:
        self.task = task
        self.rotation = np.array([0.0, 1.0, 0.0, 0.0])
        self.open = 1.0


class EndEffectorPoseViaPlanning:
    def __init__(self, absolute_mode: bool = True, frame: Any = None, collision_checking: bool = False) -> None:
        self.absolute_mode = absolute_mode

    def action(self, scene: Any, action: Any) -> None:
        if action.shape != (7,) or not np.isclose(np.linalg.norm(action[3:]), 1.0):
            raise InvalidActionError("Action contained non unit quaternion!")
        if not 0.5 < action[2] < 1.8:
            raise InvalidActionError("A path could not be found because the target is outside of workspace.")
        if action[2] > 1.7:
            raise RuntimeError("The call failed on the V-REP side. Return value: -1")
        start = scene.task.tip.copy()
        scene.task.lifted = False
        for step in range(1, 11):
            scene.task.tip = start + (action[:3] - start) * step / 10
            if scene.task.success()[0]:
                break
        scene.rotation = action[3:]


class Discrete:
    def __init__(self, attach_grasped_objects: bool = True, detach_before_open: bool = True) -> None:
        self.attach_grasped_objects = attach_grasped_objects

    def action(self, scene: Any, action: Any) -> None:
        if action.shape != (1,):
            raise InvalidActionError("Expected the action shape to be: (1,)")
        if scene.open != float(action[0] > 0.5):
            scene.open = float(action[0] > 0.5)
            scene.task.lifted = True


class MoveArmThenGripper:
    def __init__(self, arm_action_mode: Any, gripper_action_mode: Any) -> None:
        self.arm_action_mode = arm_action_mode
        self.gripper_action_mode = gripper_action_mode

    def action(self, scene: Any, action: Any) -> None:
        raise NotImplementedError


class TaskEnvironment:
    def __init__(
        self, pyrep: Any, robot: Any, scene: Any, task: Any, action_mode: Any, dataset_root: str, obs_config: Any
    ) -> None:
        self._scene = scene
        self._task = task
        self._action_mode = action_mode
        self._obs_config = obs_config
        self._variation_number = 0
        self._made = False

    def variation_count(self) -> int:
        return self._task.variation_count()  # type: ignore[no-any-return]

    def set_variation(self, v: int) -> None:
        self._variation_number = v

    def reset(self, demo: Any = None) -> Tuple[List[str], Any]:
        calls.append("reset")
        if not self._made:
            np.random.random(7)  # a real task draws when it is made, once
            self._made = True
        if self._variation_number == 3:
            raise TaskEnvironmentError("Could not place the task")
        for _ in range(1 if demo is None or demo.num_reset_attempts is None else demo.num_reset_attempts):
            self._task.button = np.append(np.random.uniform((0.1, -0.2), (0.4, 0.2)), 0.8)
        self._task.tip = np.array([0.3, 0.0, 1.4])
        self._task.lifted = False
        self._scene.open = 1.0
        return [f"push button {self._variation_number}"], self.get_observation()

    def get_observation(self) -> Any:
        seen = Observation()
        seen.misc = {"variation_index": self._variation_number}  # type: ignore[attr-defined]
        for name in ("front", "left_shoulder", "right_shoulder", "overhead", "wrist"):
            self._photograph(seen, name)
        seen.gripper_pose = np.concatenate([self._task.tip, self._scene.rotation])  # type: ignore[attr-defined]
        seen.gripper_open = self._scene.open  # type: ignore[attr-defined]
        return seen

    def _photograph(self, seen: Any, name: str) -> None:
        config = getattr(self._obs_config, f"{name}_camera")
        width, height = config.image_size
        focal = (WRIST_FOCAL if name == "wrist" else FRONT_FOCAL) * width / 500
        matrix = np.eye(4)
        matrix[:3, :3] = [[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]  # looks back along -x, upside down
        matrix[:3, 3] = [1.5, 0.1, 1.2]
        seen.misc[f"{name}_camera_extrinsics"] = matrix
        seen.misc[f"{name}_camera_intrinsics"] = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        seen.misc[f"{name}_camera_far"] = FAR_PLANE_M
        images = self._images(height, width) if config.rgb or config.depth or config.mask else (None, None, None)
        setattr(seen, f"{name}_rgb", images[0] if config.rgb else None)
        setattr(seen, f"{name}_depth", images[1] if config.depth else None)
        setattr(seen, f"{name}_mask", images[2] if config.mask else None)
        if config.rgb:
            calls.append(f"render {name}")

    def _images(self, height: int, width: int) -> Tuple[Any, Any, Any]:
        shade = int(1000 * abs(float(np.sum(self._task.tip + self._task.button)))) % 251
        image = np.full((height, width, 3), shade, np.uint8)
        image[: height // 2] = 7
        depth = np.full((height, width), FAR_PLANE_M, np.float32)
        depth[0, 0] = 1.25
        mask = np.full((height, width), float(256**3 - 1))
        mask[0, 0] = 41.000001
        return image, depth, mask

    def get_demos(
        self, amount: int, live_demos: bool = False, image_paths: bool = False, callable_each_step: Any = None,
        max_attempts: Any = None, random_selection: bool = True, from_episode_number: int = 0,
    ) -> List[Demo]:  # fmt: skip
        assert live_demos and amount == 1
        crash = Path(os.environ.get("WIW_DOUBLE_CRASH", "/nowhere"))
        if crash.exists():  # once: takes its process with it, as CoppeliaSim does
            crash.unlink()
            os._exit(139)
        for _ in range(max_attempts or 10):
            state = np.random.get_state()
            self.reset()
            planned = planning.pop(0) if planning else ""
            if planned == "dies":
                raise RuntimeError("The call failed on the V-REP side. Return value: -1")
            if planned == "fails" or self._task.button[0] > HARD_M:
                continue
            return [Demo(self._moved(0.02 if planned == "wanders" else 0.0), state, 1)]
        raise RuntimeError("Could not collect demos. Maybe a problem with the task?")

    def _moved(self, aside: float) -> List[Any]:
        """Go above the button in steps of 3 cm, close the gripper, and press."""
        seen = [self.get_observation()]
        above = self._task.button + np.array([0.0, 0.0, 0.1])
        for goal in (above + np.array([0.0, aside, 0.0]), above, self._task.button):
            start = self._task.tip.copy()
            steps = int(np.ceil(np.linalg.norm(goal - start) / 0.03))
            for step in range(1, steps + 1):
                self._task.tip = start + (goal - start) * step / steps
                seen.append(self.get_observation())
            if goal is above and self._scene.open:
                self._scene.open = 0.0
                seen.append(self.get_observation())
        return seen

    def step(self, action: Any) -> Tuple[Any, float, bool]:
        self._action_mode.action(self._scene, action)
        success, terminate = self._task.success()
        return self.get_observation(), float(success), terminate

    def reset_to_demo(self, demo: Any) -> Tuple[List[str], Any]:
        demo.restore_state()
        self.set_variation(demo._observations[0].misc["variation_index"])
        return self.reset(demo)


class Environment:
    def __init__(
        self, action_mode: Any, dataset_root: str = "", obs_config: Any = None, headless: bool = False
    ) -> None:
        self._action_mode = action_mode
        self._obs_config = obs_config

    def launch(self) -> None:
        calls.append("launch")

    def shutdown(self) -> None:
        calls.append("shutdown")

    def get_task(self, task_class: Any) -> TaskEnvironment:
        calls.append(f"get_task {task_class.__name__}")
        task = task_class(None, None)
        return TaskEnvironment(None, None, Scene(task), task, self._action_mode, "", self._obs_config)


def name_to_task_class(task_file: str) -> Any:
    if task_file not in ("push_button", "push_buttons"):
        raise InvalidTaskName(f"The task file '{task_file}' does not exist or cannot be compiled.")
    return ButtonTask


MODULES: Dict[str, Tuple[Any, ...]] = {
    "rlbench.environment": (Environment,),
    "rlbench.task_environment": (TaskEnvironment,),
    "rlbench.demo": (Demo,),
    "rlbench.observation_config": (CameraConfig, ObservationConfig),
    "rlbench.action_modes.action_mode": (MoveArmThenGripper,),
    "rlbench.action_modes.arm_action_modes": (EndEffectorPoseViaPlanning,),
    "rlbench.action_modes.gripper_action_modes": (Discrete,),
    "rlbench.backend.exceptions": (InvalidActionError, TaskEnvironmentError),
    "rlbench.utils": (InvalidTaskName, name_to_task_class),
    "pyrep.errors": (ConfigurationPathError, IKError),
}


def install(patch: pytest.MonkeyPatch) -> None:
    """Put the double in the place of the two packages."""
    calls.clear()
    parents = {name.rpartition(".")[0] for name in MODULES}
    for name in sorted({*parents, *(parent.partition(".")[0] for parent in parents), *MODULES}):
        module = ModuleType(name)
        module.__path__ = []
        patch.setitem(sys.modules, name, module)
        for thing in MODULES.get(name, ()):
            setattr(module, thing.__name__, thing)
    importlib.invalidate_caches()
