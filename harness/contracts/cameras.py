"""Cameras, poses and rigs. Frame: metres, x right, y up, z back; forward is -z; quaternions w, x, y, z.

Yaw is counted from -z, left positive, in degrees: a body at yaw 90 looks along -x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Mapping, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.field_limits import MAX_SIDE, Few, Finite, Name, Number, UnitLength, Whole, Word
from harness.contracts.portable import PI, atan2, sincos

PINHOLE = "pinhole"
EQUIRECT = "equirect"

Vec3 = Tuple[Finite, Finite, Finite]
Quaternion = Annotated[Tuple[Finite, Finite, Finite, Finite], UnitLength()]
Side = Annotated[int, Whole(1, MAX_SIDE)]


@dataclass(frozen=True)
class Camera:
    """One camera on the agent's body.

    ``kind`` is ``pinhole`` or ``equirect``; sizes are pixels; ``hfov_deg`` is the horizontal field of view
    (360 for equirect; vertical: square pixels for pinhole, 180 degrees for equirect). ``height_m`` is above
    the floor; ``yaw_deg`` (left positive) and ``pitch_deg`` (up positive) turn it on the body.
    An equirect image has the agent's heading in its centre column, left at W/4, behind at column 0.
    """

    name: Name
    kind: Annotated[str, Word((PINHOLE, EQUIRECT))]
    height: Side
    width: Side
    hfov_deg: Annotated[float, Number(above=0.0, high=360.0)]
    height_m: Finite
    yaw_deg: Finite = 0.0
    pitch_deg: Finite = 0.0

    def misfit(self) -> str:
        """Return which field does not fit the others, and why; "" where all do."""
        wide = self.kind == PINHOLE and self.hfov_deg >= 180.0
        return f"hfov_deg is {self.hfov_deg}; a pinhole camera sees less than 180 degrees" if wide else ""


@dataclass(frozen=True)
class Rig:
    """The cameras of a suite, by name."""

    cameras: Annotated[Tuple[Camera, ...], Few(64)]

    def misfit(self) -> str:
        """Return why these cameras cannot be told apart; "" where they can."""
        names = {camera.name for camera in self.cameras}
        return "" if len(names) == len(self.cameras) else "cameras has two cameras of one name"

    def camera(self, name: str) -> Camera:
        """Return the camera called ``name``; raise Refusal with the known names otherwise."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise Refusal(f"the rig has no camera {name!r}.", f"Known: {', '.join(c.name for c in self.cameras)}.")


@dataclass(frozen=True)
class Pose:
    """Where the agent's body stands: floor position in metres and rotation about y as a quaternion."""

    position: Vec3
    rotation: Quaternion

    @classmethod
    def of(cls, plain: Mapping[str, Sequence[float]]) -> Pose:
        """Return the pose of this plain form (`to_plain`)."""
        x, y, z = (float(value) for value in plain["position"])
        w, i, j, k = (float(value) for value in plain["rotation"])
        return cls((x, y, z), (w, i, j, k))


def yaw_to_quaternion(yaw_deg: float) -> Quaternion:
    """Return the rotation about +y by ``yaw_deg`` (left positive), with bits equal on every CPU."""
    s, c = sincos(yaw_deg * (PI / 360.0))
    return (c, 0.0, s, 0.0)


def quaternion_to_yaw(rotation: Quaternion) -> float:
    """Return the yaw in degrees in (-180, 180] of a rotation about y; other axes raise Refusal."""
    w, x, y, z = rotation
    if abs(x) > 1e-6 or abs(z) > 1e-6 or abs(w * w + y * y - 1.0) > 1e-4:
        raise Refusal(f"rotation {rotation} is not a unit rotation about y.", "Give (w, 0, y, 0).")
    yaw = 2.0 * atan2(y, w) * (180.0 / PI)
    if yaw > 180.0:
        yaw -= 360.0
    return yaw + 360.0 if yaw <= -180.0 else yaw
