"""What is drawn of a scene, and the cameras that look at it."""

from __future__ import annotations

from typing import Dict, Hashable, List, Mapping, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import PINHOLE, Camera, Pose, Rig
from harness.contracts.observations import View
from images.rlbench.frames import WORLD, from_matrix, multiply, to_world
from images.tabletop import arm
from images.tabletop.drawing import Eye, Painter, Surface, looking
from images.tabletop.meshes import Mesh, flat_rectangle, rounded_box
from images.tabletop.physics import TABLE_HIGH, TABLE_LOW, Floats, World, steady
from images.tabletop.scenes import TABLE_M, Thing

TABLE_ID, ROOM_ID, ARM_ID, FIRST_THING_ID = 1, 2, 3, 4
"""What the ids channel shows; things follow in their order."""

HFOV_DEG: Mapping[str, float] = {"front": 40.0, "overhead": 40.0, "wrist": 60.0}
SIZES: Mapping[str, int] = {"": 128, "_large": 256}

RIG = Rig(
    tuple(
        Camera(f"{name}{suffix}", PINHOLE, size, size, hfov, 0.0)
        for suffix, size in SIZES.items()
        for name, hfov in HFOV_DEG.items()
    )
)

_FRONT = looking((1.35, 0.0, 1.58), (0.11, 0.0, 0.90), (0.0, 0.0, 1.0))
_OVERHEAD = looking((0.20, 0.0, 2.02), (0.20, 0.0, 0.75), (-1.0, 0.0, 0.0))
_WRIST_M = (0.075, 0.0, -0.165)
"""Where the wrist's camera is, in the frame of the tip."""

_KEPT = 64
"""How many views are kept, the latest: of 256 x 256 with depth and ids, 0.7 MB each."""

_WRIST_TILT = (-0.1961161351381840, 0.9805806756909202)
"""Sine and cosine of the angle between the wrist's view and the tip's axis: it looks at what is grasped."""


class Stage:
    """One scene, ready to be drawn."""

    def __init__(self, things: Sequence[Thing]) -> None:
        """Lay out the room, the table, the arm and ``things``."""
        self._bodies: List[str] = []
        surfaces = _room(self._body("world"))
        for part in arm.parts():
            surfaces.append(Surface(part.mesh, self._body(part.body), ARM_ID, part.tint, "plastic", part.gloss))
        for index, thing in enumerate(things):
            for look in thing.looks:
                surfaces.append(
                    Surface(
                        look.mesh, self._body(thing.name), FIRST_THING_ID + index, look.tint, look.texture, look.gloss
                    )
                )
        self.painter = Painter(surfaces)
        self._placed: bytes = b""
        self._drawn: Dict[Hashable, View] = {}

    def views(self, world: World, wanted: Mapping[str, Tuple[bool, bool]]) -> Dict[str, View]:
        """Return what cameras see, by name: each with depth and ids or without.

        Views that were drawn lately are not drawn again: nobody may write into them.
        """
        if not wanted:
            return {}
        positions, rotations = world.poses(self._bodies)
        state = positions.tobytes() + rotations.tobytes()
        return {
            name: self._view(name, world, positions, rotations, state, channels) for name, channels in wanted.items()
        }

    def _view(
        self, name: str, world: World, positions: Floats, rotations: Floats, state: bytes, channels: Tuple[bool, bool]
    ) -> View:
        eye = eye_of(name, world)
        key = (state, name, eye.position.tobytes(), eye.rotation.tobytes(), channels)
        view = self._drawn.get(key)
        if view is None:
            if state != self._placed:
                self.painter.place(positions, rotations)
                self._placed = state
            view = self.painter.draw(RIG.camera(name), eye, *channels)
            for channel in (view.rgb, view.depth, view.ids):
                if channel is not None:
                    channel.flags.writeable = False
            if len(self._drawn) >= _KEPT:
                self._drawn.pop(next(iter(self._drawn)))
            self._drawn[key] = view
        return view

    def forget(self) -> None:
        """Move everything and draw the light anew for the next views, even if nothing has moved."""
        self._placed = b""
        self._drawn.clear()

    def _body(self, name: str) -> int:
        if name not in self._bodies:
            self._bodies.append(name)
        return self._bodies.index(name)


def eye_of(camera: str, world: World) -> Eye:
    """Return where a camera of the rig is now."""
    if camera.startswith("front"):
        return _FRONT
    if camera.startswith("overhead"):
        return _OVERHEAD
    place, axes = world.tip_pose()
    x, y, z = axes[:, 0], axes[:, 1], axes[:, 2]
    sine, cosine = _WRIST_TILT
    position = place + _WRIST_M[0] * x + _WRIST_M[2] * z
    forward = sine * x + cosine * z
    up = cosine * x - sine * z
    return Eye(steady(position), steady(np.array((y, up, -forward))))


def pose_of(eye: Eye) -> Pose:
    """Return an eye as a pose in this project's world, looking along its -z."""
    columns: List[List[float]] = eye.rotation.T.tolist()
    return Pose(to_world(eye.position.tolist()), multiply(WORLD, from_matrix(columns)))


def _room(world: int) -> List[Surface]:
    """Return floor, walls, the table and what the robot stands on."""
    floor = flat_rectangle((-2.6, -2.6), (2.6, 2.6), 0.0, parts=4)
    wall = _wall(-1.35, 2.6, 2.8)
    (x0, y0), (x1, y1) = TABLE_LOW, TABLE_HIGH
    half = ((x1 - x0) / 2.0, (y1 - y0) / 2.0, 0.02)
    middle = ((x0 + x1) / 2.0, (y0 + y1) / 2.0, TABLE_M - 0.02)
    legs = [
        rounded_box((0.03, 0.03, (TABLE_M - 0.04) / 2.0)).moved((x, y, (TABLE_M - 0.04) / 2.0))
        for x in (x0 + 0.06, x1 - 0.06)
        for y in (y0 + 0.06, y1 - 0.06)
    ]
    plain = (1.0, 1.0, 1.0)
    return [
        Surface(floor, world, ROOM_ID, plain, "floor", 0.15, shades=False),
        Surface(wall, world, ROOM_ID, plain, "wall", 0.0, shades=False),
        Surface(rounded_box(half, 0.006).moved(middle), world, TABLE_ID, plain, "table", 0.15, shades=False),
        *(Surface(leg, world, TABLE_ID, (0.25, 0.25, 0.26), "plastic", 0.2, shades=False) for leg in legs),
    ]


def _wall(x: float, half_width: float, height: float) -> Mesh:
    """Return a wall across the room behind the robot, which looks along x."""
    level = flat_rectangle((-height, -half_width), (0.0, half_width), 0.0, parts=2)

    def raised(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.stack((vectors[..., 2], vectors[..., 1], -vectors[..., 0]), axis=-1)

    corners = raised(level.corners)
    corners[..., 0] += x
    return Mesh(corners, raised(level.normals))
