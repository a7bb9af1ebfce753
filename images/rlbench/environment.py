"""The RLBench environment: a robot arm at a table behind the environment service.

A body's pose is that of the gripper's tip. Success is sustained: once the task's condition was met on the way, the
episode is solved. There is no walkable area, and no imagining: PyRep saves and restores positions and joint angles of
an object tree (`get_configuration_tree`), but neither velocities, nor what is grasped, nor colours and counters that
tasks keep in Python, so a restored scene would be another one; and the motion planner cannot be seeded, so replaying
the episode would not give it back either.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence

import numpy as np

from harness.contracts.actions import Action
from harness.contracts.cameras import PINHOLE, Camera, Rig
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, ServiceError, SpecMismatch
from harness.contracts.observations import (
    EnvironmentSpec,
    Observation,
    View,
    ViewRequest,
)
from harness.wire.sdk import Environment
from images.rlbench.actions import SPACES, from_xyzw, target_of
from images.rlbench.demos import read_start, start_path
from images.rlbench.frames import camera_pose, gripper_pose, hfov_deg, numbers_of
from images.rlbench.simulator import CAMERAS, ActionResult, Channels, Simulator, scene_parts

IMAGE_SIZE = 500
HFOV_DEG: Mapping[str, float] = {
    "front": 40.0,
    "left_shoulder": 40.0,
    "right_shoulder": 40.0,
    "overhead": 40.0,
    "wrist": 60.0,
}
"""Declared before the simulator runs, and compared with its own cameras at every reset."""

HFOV_TOLERANCE_DEG = 0.1
FAR_SHARE = 0.999
"""Depth at the far plane means that nothing was hit."""

_NO_OBJECT = 256**3 - 1
_START = ActionResult("", False, False)


class RLBenchEnvironment(Environment):
    """Plays stored demos' scenes (``task/variation3/episode7``) and seeded ones (``task/variation3``)."""

    def __init__(
        self, demos: str = "", image_size: int = IMAGE_SIZE, headless: bool = True,
        make_simulator: Callable[[int, bool], Simulator] = Simulator,
    ) -> None:  # fmt: skip
        """Read stored demos below ``demos`` (``<task>/variation<n>/episodes/episode<n>/low_dim_obs.pkl``, or
        the ``start.npz`` that `images.rlbench.convert_demos` makes of it)."""
        self._demos = demos
        self._rig = Rig(tuple(Camera(n, PINHOLE, image_size, image_size, HFOV_DEG[n], 0.0) for n in CAMERAS))
        self._simulator = make_simulator(image_size, headless)
        self._playing = False
        self._result = _START

    def describe(self) -> EnvironmentSpec:
        """Return cameras and actions, without starting the simulator.

        Cameras stand in the scene or on the wrist, not at a height on a body: `Camera.height_m` is 0 and their poses
        come with every observation (``<camera>.x`` ... ``<camera>.qz`` in its info).
        """
        return EnvironmentSpec(
            name="rlbench",
            simulator=f"CoppeliaSim 4.1.0, PyRep {_version('pyrep')}, RLBench {_version('rlbench')}",
            rig=self._rig,
            action_spaces=SPACES,
        )

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Make the episode's scene: a stored demo's own, or one that the seed draws.

        A stored scene is the same for every seed; what numpy draws afterwards depends on the seed and the episode.
        """
        self._playing = False
        task, variation, demo = scene_parts(episode.scene)
        drawn = drawn_seed(seed, episode.id)
        start = None if demo is None else read_start(self._demo_path(task, variation, demo))
        if start is not None and start.variation != variation:
            raise Refusal(
                f"scene {episode.scene} names variation {variation}, its demo was made of {start.variation}.",
                "Fix the episode or the demo's folder.",
            )
        self._simulator.load(task)
        if start is None:
            self._simulator.reset_to_variation(variation, drawn)
        else:
            self._simulator.reset_to_start(start)
            self._simulator.seed(drawn)
        self._result = _START
        self._check_cameras()
        self._playing = True
        return self._observe(views, executed=True)

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Carry out ``actions``; return one observation after each.

        All are read first, so that a wrong one moves nothing. What cannot be planned is blocked (``collided``). After
        the task is over nothing moves: the rest repeats what is seen, with ``executed`` 0.
        """
        self._require_playing()
        targets = [target_of(action) for action in actions]
        observations: List[Observation] = []
        for target in targets:
            over = self._result.over
            if not over:
                self._result = self._simulator.act(target)
            observations.append(self._observe(views, executed=not over and not self._result.blocked))
        return observations

    def close(self) -> None:
        """Shut the simulator down."""
        self._playing = False
        self._simulator.close()

    def _demo_path(self, task: str, variation: int, demo: int) -> Path:
        if not self._demos:
            raise Refusal("no folder of stored demos was given.", "Set the environment's option demos.")
        return start_path(Path(self._demos) / task / f"variation{variation}" / "episodes" / f"episode{demo}")

    def _check_cameras(self) -> None:
        """Raise SpecMismatch where the scene's cameras have another field of view than was declared."""
        misc = self._simulator.observe({}).misc
        for camera in self._rig.cameras:
            found = hfov_deg(misc[f"{camera.name}_camera_intrinsics"], camera.width)
            if abs(found - camera.hfov_deg) > HFOV_TOLERANCE_DEG:
                raise SpecMismatch(
                    f"camera {camera.name!r} has a field of view of {found:.3f} degrees in the scene, "
                    f"{camera.hfov_deg:g} was declared.",
                    "Use the pinned RLBench, or correct HFOV_DEG in images/rlbench/environment.py.",
                )

    def _observe(self, requests: Sequence[ViewRequest], executed: bool) -> Observation:
        wanted = self._channels(requests)
        return self._observation(self._simulator.observe(wanted), wanted, executed)

    def _channels(self, requests: Sequence[ViewRequest]) -> Dict[str, Channels]:
        return {self._rig.camera(r.camera).name: Channels(r.depth, r.ids) for r in requests}

    def _observation(self, seen: Any, wanted: Mapping[str, Channels], executed: bool) -> Observation:
        """Return RLBench's observation in this project's terms."""
        x, y, z = (float(value) for value in seen.gripper_pose[:3])
        qw, qx, qy, qz = from_xyzw(seen.gripper_pose[3:])
        info: Dict[str, float] = {
            "success": float(self._result.succeeded),
            "executed": float(executed),
            "gripper_open": float(seen.gripper_open),
            **dict(zip(("ee.x", "ee.y", "ee.z", "ee.qw", "ee.qx", "ee.qy", "ee.qz"), (x, y, z, qw, qx, qy, qz))),
        }
        for name in wanted:
            info.update(numbers_of(name, camera_pose(seen.misc[f"{name}_camera_extrinsics"])))
        views = {name: self._view(seen, name, channels) for name, channels in wanted.items()}
        pose = gripper_pose(seen.gripper_pose)
        return Observation(views, pose, bool(self._result.blocked), self._result.over, info)

    def _view(self, seen: Any, name: str, channels: Channels) -> View:
        """Return one camera's images: RGB, planar depth in metres (0: nothing hit), handles of objects (0: nothing)."""
        camera = self._rig.camera(name)
        rgb = np.ascontiguousarray(getattr(seen, f"{name}_rgb"))
        if rgb.dtype != np.uint8 or rgb.shape != (camera.height, camera.width, 3):
            raise ServiceError(f"camera {name!r} gave {rgb.dtype} {rgb.shape}.", "Use the pinned RLBench.")
        depth = ids = None
        if channels.depth:
            metres = np.asarray(getattr(seen, f"{name}_depth"), np.float32)
            far = float(seen.misc[f"{name}_camera_far"])
            depth = np.where(metres < FAR_SHARE * far, metres, np.float32(0.0)).astype(np.float32)
        if channels.ids:
            handles = np.rint(np.asarray(getattr(seen, f"{name}_mask"), np.float64)).astype(np.int32)
            ids = np.where(handles == _NO_OBJECT, 0, handles).astype(np.int32)
        return View(camera, rgb, depth, ids)

    def _require_playing(self) -> None:
        if not self._playing:
            raise Refusal("no episode is being played.", "Call reset first.")


def drawn_seed(seed: int, episode: str) -> int:
    """Return 32 bits from the run seed and the episode's id, for numpy's global generator, which RLBench uses."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{episode}/rlbench".encode()).digest()[:4], "big")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"
