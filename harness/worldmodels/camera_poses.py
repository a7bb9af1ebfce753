"""Camera poses: a candidate as the motion of the camera, for world models that are conditioned by it."""

from __future__ import annotations

from typing import Iterator, Sequence, Tuple

from harness.contracts.actions import FORWARD, STOP, Action, Primitive, signed_turn
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.errors import Refusal
from harness.contracts.portable import PI, sincos


def relative_poses(actions: Sequence[Action]) -> Tuple[Pose, ...]:
    """Return the body's pose after each action, relative to its pose before the first one.

    Metres, x right, y up, z back: a step ahead at yaw 0 leads along -z, and yaw counts left positive. These are
    commanded poses: whether a step was stopped by a wall is what nobody knows before it is taken. Vectors raise
    Refusal, since they do not move the camera.
    """
    _, *after = _walk(actions)
    return tuple(Pose((x, 0.0, z), yaw_to_quaternion(yaw_deg)) for x, z, yaw_deg in after)


def pose_before(actions: Sequence[Action], turned_deg: float = 0.0) -> Pose:
    """Return where the body stood before ``actions``, relative to where it stands after them and a further turn.

    The inverse of `relative_poses`: a step back is along +z. ``turned_deg`` is the further turn, left positive.
    """
    *_, (x, z, yaw_deg) = _walk(actions)
    yaw_deg += turned_deg
    sine, cosine = sincos(yaw_deg * (PI / 180.0))
    return Pose((z * sine - x * cosine, 0.0, -(x * sine + z * cosine)), yaw_to_quaternion(-yaw_deg))


def _walk(actions: Sequence[Action]) -> Iterator[Tuple[float, float, float]]:
    """Yield x and z in metres and the yaw in degrees, before the first action and after each."""
    x, z, yaw_deg = 0.0, 0.0, 0.0
    yield x, z, yaw_deg
    for action in actions:
        yaw_deg += signed_turn(action)
        ahead_m = _ahead(action)
        sine, cosine = sincos(yaw_deg * (PI / 180.0))
        x -= ahead_m * sine
        z -= ahead_m * cosine
        yield x, z, yaw_deg


def _ahead(action: Action) -> float:
    if isinstance(action, Primitive):
        if action.name == FORWARD:
            return action.magnitude
        if action.name == STOP or signed_turn(action):
            return 0.0
    raise Refusal(f"action {action} does not say how the camera moves.", "Use navigation primitives.")
