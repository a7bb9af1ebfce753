"""Positions, poses, cameras, actions, named numbers: the small parts that other messages are made of."""

from __future__ import annotations

from math import isfinite
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from harness.contracts.actions import Action, ActionSpace, Candidate, Primitive, Vector
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera, Pose, Rig, Vec3
from harness.contracts.errors import Refusal
from harness.wire import limits
from harness.wire.codec.messages import choice, present
from harness.wire.generated import wiw_pb2
from harness.wire.limits import FIX_SENDER, at_least_zero, few, finite, number, one_of, text, whole

UNIT_TOLERANCE = 1e-3
"""How far the squared length of a rotation may be from 1: float32 simulators round."""

_KEPT = 256
_KEPT_CAMERA_BYTES = 1024
"""Cameras that passed all checks are kept, since each view of a run brings one of few; no large or countless ones,
because a stranger may have sent them."""
_read_cameras: Dict[bytes, Camera] = {}
_written_cameras: Dict[int, Tuple[Camera, bytes]] = {}


def write_vec3(value: Vec3, message: Any, where: str) -> None:
    """Fill a Vec3 message from a position in metres."""
    few(value, where, 3)
    x, y, z = value
    message.x = finite(x, where)
    message.y = finite(y, where)
    message.z = finite(z, where)


def read_vec3(message: Any, where: str) -> Vec3:
    """Return a position in metres."""
    x, y, z = message.x, message.y, message.z
    if isfinite(x) and isfinite(y) and isfinite(z):  # nearly always; the names below take longer than the checks
        return (x, y, z)
    return (finite(message.x, f"{where}.x"), finite(message.y, f"{where}.y"), finite(message.z, f"{where}.z"))


def _is_unit(w: float, x: float, y: float, z: float) -> bool:
    return abs(w * w + x * x + y * y + z * z - 1.0) <= UNIT_TOLERANCE


def _check_unit(rotation: Tuple[float, float, float, float], where: str) -> None:
    if not _is_unit(*rotation):
        raise Refusal(f"{where} {tuple(rotation)} is not a unit quaternion.", "Give w, x, y, z of length 1.")


def write_pose(pose: Pose, message: Any, where: str) -> None:
    """Fill a Pose message."""
    write_vec3(pose.position, message.position, f"{where}.position")
    at = f"{where}.rotation"
    w, x, y, z = pose.rotation
    w, x, y, z = finite(w, at), finite(x, at), finite(y, at), finite(z, at)
    _check_unit((w, x, y, z), at)
    rotation = message.rotation
    rotation.w, rotation.x, rotation.y, rotation.z = w, x, y, z


def read_pose(message: Any, where: str) -> Pose:
    """Return a pose whose rotation is a unit quaternion."""
    position = read_vec3(present(message, "position", where), f"{where}.position")
    q = present(message, "rotation", where)
    w, x, y, z = q.w, q.x, q.y, q.z
    if not _is_unit(w, x, y, z):  # also where a part is not finite
        for part in (w, x, y, z):
            finite(part, f"{where}.rotation")
        _check_unit((w, x, y, z), f"{where}.rotation")
    return Pose(position, (w, x, y, z))


def _checked_camera(camera: Any, where: str) -> Camera:
    """Return the camera of a contract or a message (their fields have equal names) if its values make sense."""
    kind = one_of(camera.kind, f"{where}.kind", (PINHOLE, EQUIRECT))
    hfov = finite(camera.hfov_deg, f"{where}.hfov_deg")
    if not 0.0 < hfov <= 360.0 or (kind == PINHOLE and hfov >= 180.0):
        raise Refusal(f"{where}.hfov_deg is {hfov}.", "A pinhole camera sees more than 0 and less than 180 degrees.")
    return Camera(
        text(camera.name, f"{where}.name"),
        kind,
        whole(camera.height, f"{where}.height", 1, limits.MAX_SIDE),
        whole(camera.width, f"{where}.width", 1, limits.MAX_SIDE),
        hfov,
        finite(camera.height_m, f"{where}.height_m"),
        finite(camera.yaw_deg, f"{where}.yaw_deg"),
        finite(camera.pitch_deg, f"{where}.pitch_deg"),
    )


def write_camera(camera: Camera, message: Any, where: str) -> None:
    """Fill a Camera message."""
    checked = _checked_camera(camera, where)
    message.name, message.kind = checked.name, checked.kind
    message.height, message.width = checked.height, checked.width
    message.hfov_deg, message.height_m = checked.hfov_deg, checked.height_m
    message.yaw_deg, message.pitch_deg = checked.yaw_deg, checked.pitch_deg


def encoded_camera(camera: Camera, where: str) -> bytes:
    """Return a camera as an encoded Camera message; the same object is checked and encoded once."""
    kept = _written_cameras.get(id(camera))
    if kept is not None and kept[0] is camera:  # kept alive here, so nothing else has its id
        return kept[1]
    message = wiw_pb2.Camera()
    write_camera(camera, message, where)
    encoded: bytes = message.SerializeToString()
    if type(camera) is Camera:  # frozen, unlike what a derived class may be
        keep(_written_cameras, id(camera), (camera, encoded))
    return encoded


def read_camera(message: Any, where: str) -> Camera:
    """Return a camera with sizes within limits; equal messages give the same object."""
    encoded: bytes = message.SerializeToString()
    kept = _read_cameras.get(encoded)
    if kept is not None:
        return kept
    camera = _checked_camera(message, where)
    if len(encoded) <= _KEPT_CAMERA_BYTES:
        keep(_read_cameras, encoded, camera)
    return camera


def keep(kept: Dict[Any, Any], key: Any, value: Any) -> None:
    """Add to a cache of few entries; a full one begins anew."""
    if len(kept) >= _KEPT:
        kept.clear()
    kept[key] = value


def write_rig(rig: Rig, message: Any, where: str) -> None:
    """Fill a Rig message."""
    few(rig.cameras, where, limits.MAX_CAMERAS)
    message.SetInParent()
    for index, camera in enumerate(rig.cameras):
        write_camera(camera, message.cameras.add(), f"{where}[{index}]")


def read_rig(message: Any, where: str) -> Rig:
    """Return a rig whose cameras have different names."""
    few(message.cameras, where, limits.MAX_CAMERAS)
    cameras = tuple(read_camera(camera, f"{where}[{index}]") for index, camera in enumerate(message.cameras))
    if len({camera.name for camera in cameras}) != len(cameras):
        raise Refusal(f"{where} has two cameras of one name.", FIX_SENDER)
    return Rig(cameras)


def write_primitive(primitive: Primitive, message: Any, where: str) -> None:
    """Fill a Primitive message."""
    message.name = text(primitive.name, f"{where}.name")
    message.magnitude = finite(primitive.magnitude, f"{where}.magnitude")


def read_primitive(message: Any, where: str) -> Primitive:
    """Return a named step."""
    return Primitive(text(message.name, f"{where}.name"), finite(message.magnitude, f"{where}.magnitude"))


def write_action(action: Action, message: Any, where: str) -> None:
    """Fill an Action message from a primitive or a vector."""
    if isinstance(action, Primitive):
        message.primitive.SetInParent()
        write_primitive(action, message.primitive, where)
    elif isinstance(action, Vector):
        few(action.values, where, limits.MAX_VECTOR)
        message.vector.space = text(action.space, f"{where}.space")
        message.vector.values.extend(finite(value, where) for value in action.values)
    else:
        raise Refusal(f"{where} is {type(action).__name__}, not an action.", "Give a Primitive or a Vector.")


def read_action(message: Any, where: str) -> Action:
    """Return a primitive or a vector."""
    if choice(message, "action", where) == "primitive":
        return read_primitive(message.primitive, where)
    vector = message.vector
    few(vector.values, where, limits.MAX_VECTOR)
    return Vector(text(vector.space, f"{where}.space"), tuple(finite(value, where) for value in vector.values))


def write_actions(actions: Sequence[Action], messages: Any, where: str) -> None:
    """Append actions to a repeated field."""
    few(actions, where, limits.MAX_ACTIONS)
    for index, action in enumerate(actions):
        write_action(action, messages.add(), f"{where}[{index}]")


def read_actions(messages: Any, where: str) -> List[Action]:
    """Return the actions of a repeated field."""
    few(messages, where, limits.MAX_ACTIONS)
    return [read_action(message, f"{where}[{index}]") for index, message in enumerate(messages)]


def write_candidate(candidate: Candidate, message: Any, where: str) -> None:
    """Fill a Candidate message."""
    message.SetInParent()
    write_actions(candidate.actions, message.actions, where)


def read_candidate(message: Any, where: str) -> Candidate:
    """Return a candidate."""
    return Candidate(tuple(read_actions(message.actions, where)))


def write_action_space(space: ActionSpace, message: Any, where: str) -> None:
    """Fill an ActionSpace message."""
    few(space.primitives, where, limits.MAX_PRIMITIVES)
    message.name = text(space.name, f"{where}.name")
    message.vector_width = whole(space.vector_width, f"{where}.vector_width", 0, limits.MAX_VECTOR)
    for index, primitive in enumerate(space.primitives):
        write_primitive(primitive, message.primitives.add(), f"{where}[{index}]")


def read_action_space(message: Any, where: str) -> ActionSpace:
    """Return an action space."""
    few(message.primitives, where, limits.MAX_PRIMITIVES)
    primitives = tuple(read_primitive(item, f"{where}[{index}]") for index, item in enumerate(message.primitives))
    width = whole(message.vector_width, f"{where}.vector_width", 0, limits.MAX_VECTOR)
    return ActionSpace(text(message.name, f"{where}.name"), primitives, width)


def write_numbers(numbers: Mapping[str, float], messages: Any, where: str) -> None:
    """Append a mapping of names to numbers to a repeated field; infinity passes, NaN does not."""
    few(numbers, where, limits.MAX_NUMBERS)
    for name, value in numbers.items():
        message = messages.add()
        message.name = text(name, where)
        message.value = number(value, f"{where}.{name}")


def read_numbers(messages: Any, where: str) -> Dict[str, float]:
    """Return a mapping of names to numbers; a name given twice is refused."""
    few(messages, where, limits.MAX_NUMBERS)
    numbers: Dict[str, float] = {}
    for message in messages:
        name = text(message.name, where)
        if name in numbers:
            raise Refusal(f"{where} names {name!r} twice.", FIX_SENDER)
        numbers[name] = number(message.value, f"{where}.{name}")
    return numbers


def write_seconds(timings: Mapping[str, float], messages: Any, where: str) -> None:
    """Append timings in seconds, each finite and not negative."""
    write_numbers({name: at_least_zero(value, where) for name, value in timings.items()}, messages, where)


def read_seconds(messages: Any, where: str) -> Dict[str, float]:
    """Return timings in seconds, each finite and not negative."""
    return {name: at_least_zero(value, f"{where}.{name}") for name, value in read_numbers(messages, where).items()}


def read_texts(messages: Any, where: str) -> Tuple[str, ...]:
    """Return the strings of a repeated field."""
    few(messages, where, limits.MAX_TAGS)
    return tuple(text(message, where) for message in messages)
