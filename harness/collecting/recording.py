"""Walks one trajectory and cuts it into clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional, Tuple

import numpy as np
import numpy.typing as npt

from harness.collecting.distance_fields import HEADINGS
from harness.collecting.plan import CollectPlan, Unit
from harness.collecting.policies import TURN_DEG, make_policy
from harness.collecting.simulators import Backend, Frame, OpenScene
from harness.contracts import seeds
from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT, Action, Primitive
from harness.contracts.cameras import Pose, quaternion_to_yaw, yaw_to_quaternion
from harness.contracts.digest import array_digest
from harness.contracts.errors import NotNavigable, ServiceError
from harness.contracts.observations import RGB, Depth
from harness.contracts.walkable import Walkable

MOST_M = 20.0
"""What is farther away is stored as this far."""

DEPTH_NAME = "step-{step}_type-depth.png"
_FULL = 65535

Pictures = npt.NDArray[np.uint16]


def stored(depth: Depth) -> Pictures:
    """Return depth in metres as whole numbers of 20 m / 65535; 0, where nothing was hit, stays 0."""
    scaled = np.clip(np.asarray(depth, np.float64), 0.0, MOST_M) * (_FULL / MOST_M)
    pictures: Pictures = np.floor(scaled + 0.5).astype(np.uint16)
    return pictures


def write_depth(path: Path, picture: Pictures) -> None:
    """Write one picture as a PNG of 16 bits."""
    from PIL import Image

    Image.fromarray(picture).save(path, compress_level=6)


def read_depth(path: Path) -> Pictures:
    """Return a picture that `write_depth` wrote; ValueError for one of another kind."""
    from PIL import Image

    with Image.open(path) as image:
        if image.mode not in ("I;16", "I"):
            raise ValueError(f"{path.name} is no picture of 16 bits")
        return np.asarray(image).astype(np.uint16)


ACTION_IDS = {STOP: 0, FORWARD: 1, TURN_LEFT: 2, TURN_RIGHT: 3}
"""Numbers of the actions in the data, as in the published data sets."""

_START_DRAWS = 100
_ALONE = -1


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive frames of one trajectory, uint8 [T, H, W, 3], with the pose at each.

    ``actions[t]`` leads from frame t to frame t + 1, and ``collided[t]`` says that it was blocked or slid; the last
    frame's action stays where it is. ``poses`` of a walk are float32 [T, 4]: x, y, z in metres and the yaw in degrees,
    left positive; those of a demonstration float32 [T, 8] as in ``ee_pose8``, without ``collided``. ``facts`` are
    whole numbers that the clip's row says besides. ``depth`` is uint16 [T, H, W] where it is recorded (`depth.stored`),
    ``walkable`` what the simulator told of the scene's walkable area.
    """

    index: int
    unit: Unit
    number: int
    frames: RGB
    poses: np.ndarray[Tuple[int, int], np.dtype[np.float32]]
    actions: Tuple[Action, ...]
    collided: Tuple[bool, ...]
    scene_digest: str
    facts: Mapping[str, int] = field(default_factory=dict)
    depth: Optional[Pictures] = None
    walkable: Optional[Walkable] = None

    def action_rows(self) -> np.ndarray[Tuple[int, int], np.dtype[np.float32]]:
        """Return the actions as float32 [T, 2]: number and magnitude (metres or degrees); [T, 8] of ``ee_pose8``."""
        return np.array([_numbers(action) for action in self.actions], np.float32)

    def rendered_digest(self) -> str:
        """Return the SHA-256 of the frames as they were rendered, before any video codec."""
        return array_digest(self.frames)


def record_unit(backend: Backend, plan: CollectPlan, unit: Unit) -> List[Clip]:
    """Return the clips of one trajectory; consecutive clips share a frame, so no action is lost between them."""
    key = (plan.seed, unit.scene, unit.trajectory, _ALONE)
    scene = backend.open(unit.scene, seeds.derive(*key, "collect-open") >> 65)
    generator = seeds.generator(*key, f"collect-{unit.policy}")
    frame = _started(backend, scene, generator)
    policy = make_policy(unit.policy, scene, generator)
    clips = []
    for number in range(unit.clips):
        frames, actions = [frame], []
        for _ in range(plan.clip_frames - 1):
            actions.append(policy.action(frame.pose))
            frame = backend.step(actions[-1])
            frames.append(frame)
        clips.append(_clip(unit, number, frames, actions, scene, plan.recorded.depth))
    return clips


def _started(backend: Backend, scene: OpenScene, generator: np.random.Generator) -> Frame:
    """Put the body on a random walkable cell with a compass heading; a cell that the simulator refuses is left."""
    cells = np.argwhere(scene.map.walkable)
    for _ in range(_START_DRAWS):
        row, column = cells[int(generator.integers(len(cells)))].tolist()
        x = scene.map.origin[0] + (column + 0.5) * scene.map.cell_m
        z = scene.map.origin[1] + (row + 0.5) * scene.map.cell_m
        yaw = TURN_DEG * int(generator.integers(HEADINGS)) - 180.0 + TURN_DEG
        try:
            return backend.place(Pose((x, scene.floor_m, z), yaw_to_quaternion(yaw)))
        except NotNavigable:
            continue
    raise NotNavigable(f"scene {scene.name!r} accepted none of {_START_DRAWS} starts on its own map.")


def _clip(
    unit: Unit, number: int, frames: List[Frame], actions: List[Primitive], scene: OpenScene, depth: bool
) -> Clip:
    return Clip(
        index=unit.first_clip + number,
        unit=unit,
        number=number,
        frames=np.stack([frame.rgb for frame in frames]),
        poses=np.array([(*frame.pose.position, _yaw(frame.pose)) for frame in frames], np.float32),
        actions=(*actions, Primitive(STOP, 0.0)),
        collided=(*(frame.collided for frame in frames[1:]), False),
        scene_digest=scene.digest,
        depth=np.stack([_depth(frame) for frame in frames]) if depth else None,
        walkable=scene.walkable,
    )


def _depth(frame: Frame) -> Pictures:
    if frame.depth is None:
        raise ServiceError("the simulator gave no depth though it was asked for.", "Collect without --depth.")
    return stored(frame.depth)


def _numbers(action: Action) -> Tuple[float, ...]:
    return (ACTION_IDS[action.name], action.magnitude) if isinstance(action, Primitive) else action.values


def _yaw(pose: Pose) -> float:
    """Return the yaw in degrees, a multiple of a turn without the rounding of quaternions."""
    return round(quaternion_to_yaw(pose.rotation) / TURN_DEG) * TURN_DEG
