"""A simulator of a drawn map for tests: it walks exactly and paints where it stands, in microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.collecting.dataset_writer import finish
from harness.collecting.layouts import UNITS, WORK
from harness.collecting.plan import CollectPlan
from harness.collecting.services import Machine
from harness.collecting.simulators import Demonstrator, Frame, OpenScene
from harness.collecting.worker import Collector, job_of, record
from harness.contracts.actions import FORWARD, Primitive, signed_turn
from harness.contracts.cameras import PINHOLE, Camera, Pose, quaternion_to_yaw, yaw_to_quaternion
from harness.contracts.observations import TopDownMap
from harness.contracts.portable import PI, sincos
from harness.running.messages import Message, Play

CAMERA = Camera("front", PINHOLE, 16, 16, 90.0, 1.25)
CELL_M = 0.05

PLAN = CollectPlan(
    name="toy",
    suite="embedded-v1",
    environment="embedded",
    split="train",
    camera=CAMERA,
    rig_digest="0" * 64,
    scenes=("train-9000", "train-9001"),
    policies=("waypoints", "random"),
    clips=10,
    clip_frames=5,
    clips_per_trajectory=3,
    fps=10,
    seed=0,
    layout="lerobot",
    simulator="a drawn map",
)


def two_rooms(rows: int = 120, columns: int = 160) -> npt.NDArray[np.bool_]:
    """Return two rooms of 4 by 6 m with a doorway."""
    walkable = np.zeros((rows, columns), np.bool_)
    walkable[4:-4, 4 : columns // 2 - 5] = True
    walkable[4:-4, columns // 2 + 5 : -4] = True
    walkable[rows // 2 - 8 : rows // 2 + 8, columns // 2 - 6 : columns // 2 + 6] = True
    return walkable


class ToyBackend:
    """Walks on one map whatever the scene is called; the scene's name and the pose colour its pictures."""

    def __init__(self, walkable: npt.NDArray[np.bool_] | None = None, camera: Camera = CAMERA) -> None:
        self.camera = camera
        self.simulator = "a drawn map"
        self.map = TopDownMap(two_rooms() if walkable is None else walkable, (-1.0, -2.0), CELL_M)
        self.digests: dict[str, str] = {}
        self._scene = ""
        self._pose = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))

    def open(self, scene: str, seed: int) -> OpenScene:
        self._scene = scene
        return OpenScene(scene, self.digests.get(scene, f"{scene:0<64}"), self.map)

    def place(self, pose: Pose) -> Frame:
        self._pose = pose
        return self._frame(False)

    def step(self, action: Primitive) -> Frame:
        yaw = quaternion_to_yaw(self._pose.rotation)
        if action.name != FORWARD:
            self._pose = replace(self._pose, rotation=yaw_to_quaternion(yaw + signed_turn(action)))
            return self._frame(False)
        x, y, z = self._pose.position
        sine, cosine = sincos(yaw * (PI / 180.0))
        for part in range(1, 9):
            there = (x - sine * 0.025 * part, y, z - cosine * 0.025 * part)
            if not self.walkable_at(there):
                return self._frame(True)
            self._pose = replace(self._pose, position=there)
        return self._frame(False)

    def walkable_at(self, position: Sequence[float]) -> bool:
        row = int(np.floor((position[2] - self.map.origin[1]) / CELL_M))
        column = int(np.floor((position[0] - self.map.origin[0]) / CELL_M))
        return bool(self.map.walkable[row, column])

    def close(self) -> None:
        self._scene = ""

    def _frame(self, collided: bool) -> Frame:
        x, _, z = self._pose.position
        yaw = quaternion_to_yaw(self._pose.rotation)
        colour = (40 * (x + 1.0), 40 * (z + 2.0), (yaw + 180.0) / 2.0)
        rgb = np.zeros((self.camera.height, self.camera.width, 3), np.uint8)
        rgb[:] = np.clip(colour, 0, 255).astype(np.uint8)
        rgb[:, : self.camera.width // 2] //= 1 + sum(self._scene.encode()) % 3
        return Frame(rgb, self._pose, collided)


def make_data(folder: Path, plan: CollectPlan = PLAN, backend: ToyBackend | Demonstrator | None = None) -> Path:
    """Collect ``plan`` in this process and return its folder."""
    target = folder / plan.name
    (target / WORK / UNITS).mkdir(parents=True)
    used = backend or ToyBackend()
    for unit in plan.units:
        record(target, plan, used, unit.number)
    finish(target, plan)
    return target


def answer_of(folder: Path, plan: CollectPlan, backend: Any, number: int) -> Message:
    """Return what a collecting worker with this simulator answers about a trajectory."""
    collector = Collector(folder, job_of(plan, Machine("")), 0)
    collector._backend = backend
    return collector.answer(Play(str(number), plan.seed, 1))
