"""What an environment answers: images, poses, collisions, and its own description."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Mapping, Optional, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import ActionSpace
from harness.contracts.cameras import Camera, Pose, Quaternion, Rig, Vec3
from harness.contracts.field_limits import MAX_NUMBERS, Few, Finite, Name, NotNan, NotNegative, Number, Whole

RGB = npt.NDArray[np.uint8]
Depth = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class EnvironmentSpec:
    """What ``Describe`` returns: who renders, with which cameras and actions.

    ``simulator`` names the engine with its version. Units are metres and degrees; the frame is x right, y up, z back.
    """

    name: Name
    simulator: Name
    rig: Rig
    action_spaces: Annotated[Tuple[ActionSpace, ...], Few(16)]
    depth: Name = "planar"


@dataclass(frozen=True, eq=False)
class View:
    """The images of one camera: RGB uint8 [H, W, 3]; planar depth float32 [H, W] in metres (0: nothing hit; for
    equirect the distance along the ray); instance ids int32 [H, W] (0: nothing). Depth and ids only when asked for."""

    camera: Camera
    rgb: RGB
    depth: Optional[Depth] = None
    ids: Optional[Ids] = None

    def rolled(self, columns: int) -> View:
        """Return a panorama turned left by ``columns`` columns: an exact roll of all its images."""
        if columns % self.camera.width == 0:
            return self
        depth = None if self.depth is None else np.roll(self.depth, columns, axis=1)
        ids = None if self.ids is None else np.roll(self.ids, columns, axis=1)
        return View(self.camera, np.roll(self.rgb, columns, axis=1), depth, ids)


@dataclass(frozen=True)
class ViewRequest:
    """Which camera to render and with which channels beside RGB."""

    camera: Name
    depth: bool = False
    ids: bool = False


@dataclass(frozen=True, eq=False)
class Observation:
    """What follows one action (or a reset): views by camera name, the body's pose, and what the simulator reports.

    ``collided`` is true when the last action was blocked or slid. ``done`` means that the simulator itself ended the
    episode (never for navigation). ``info`` holds plain numbers.
    """

    views: Mapping[str, View]
    pose: Pose
    collided: bool = False
    done: bool = False
    info: Annotated[Mapping[Name, NotNan], Few(MAX_NUMBERS)] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TopDownMap:
    """The walkable area seen from above: bool [rows (z), cols (x)]; ``origin`` is (x, z) of cell (0, 0)'s corner."""

    walkable: npt.NDArray[np.bool_]
    origin: Tuple[Finite, Finite]
    cell_m: Annotated[float, Number(above=0.0)]


@dataclass(frozen=True)
class ShortestPath:
    """A shortest walkable path: its length in metres and its corner points on the floor."""

    length_m: NotNegative
    points: Annotated[Tuple[Vec3, ...], Few(16384)]


@dataclass(frozen=True)
class ObjectBox:
    """An object of the scene: the number that the ids channel shows, its category, and the box around it.

    The box has its middle at ``centre`` and edges of lengths ``size`` in metres along its own axes, which ``rotation``
    (w, x, y, z) turns from those of the scene.
    """

    id: Annotated[int, Whole(0, 2**31 - 1)]
    category: Name
    centre: Vec3
    size: Tuple[NotNegative, NotNegative, NotNegative]
    rotation: Quaternion
