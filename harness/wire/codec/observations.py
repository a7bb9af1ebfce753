"""What an environment answers: its description, views, observations, maps and paths."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

from harness.contracts.cameras import Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import (
    Depth,
    EnvironmentSpec,
    Observation,
    ResetReply,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.wire import limits
from harness.wire.codec.bodies import (
    encoded_camera,
    read_action_space,
    read_camera,
    read_numbers,
    read_pose,
    read_rig,
    read_vec3,
    write_action_space,
    write_numbers,
    write_pose,
    write_rig,
    write_vec3,
)
from harness.wire.codec.messages import present
from harness.wire.codec.splice import Splice
from harness.wire.codec.tensors import read_tensor, write_tensor
from harness.wire.generated import wiw_pb2
from harness.wire.limits import MEND_SENDER, at_least_zero, few, finite, text

_VIEW = wiw_pb2.View
_NAMED_VIEW = wiw_pb2.NamedView


def write_environment_spec(spec: EnvironmentSpec, message: Any, where: str = "spec") -> None:
    """Fill an EnvironmentSpec message."""
    few(spec.action_spaces, f"{where}.action_spaces", limits.MAX_SPACES)
    message.name = text(spec.name, f"{where}.name")
    message.simulator = text(spec.simulator, f"{where}.simulator")
    write_rig(spec.rig, message.rig, f"{where}.rig")
    for index, space in enumerate(spec.action_spaces):
        write_action_space(space, message.action_spaces.add(), f"{where}.action_spaces[{index}]")
    message.can_imagine = bool(spec.can_imagine)
    message.restore_tolerance_m = at_least_zero(spec.restore_tolerance_m, f"{where}.restore_tolerance_m")
    message.agent_radius_m = at_least_zero(spec.agent_radius_m, f"{where}.agent_radius_m")
    message.depth = text(spec.depth, f"{where}.depth")


def read_environment_spec(message: Any, where: str = "spec") -> EnvironmentSpec:
    """Return what an environment declares about itself."""
    spaces = message.action_spaces
    few(spaces, f"{where}.action_spaces", limits.MAX_SPACES)
    return EnvironmentSpec(
        text(message.name, f"{where}.name"),
        text(message.simulator, f"{where}.simulator"),
        read_rig(present(message, "rig", where), f"{where}.rig"),
        tuple(read_action_space(space, f"{where}.action_spaces[{index}]") for index, space in enumerate(spaces)),
        bool(message.can_imagine),
        at_least_zero(message.restore_tolerance_m, f"{where}.restore_tolerance_m"),
        at_least_zero(message.agent_radius_m, f"{where}.agent_radius_m"),
        text(message.depth, f"{where}.depth"),
    )


def write_view_requests(requests: Sequence[ViewRequest], messages: Any, where: str) -> None:
    """Append view requests to a repeated field."""
    few(requests, where, limits.MAX_VIEWS)
    for request in requests:
        message = messages.add()
        message.camera = text(request.camera, f"{where}.camera")
        message.depth = bool(request.depth)
        message.ids = bool(request.ids)


def read_view_requests(messages: Any, where: str) -> List[ViewRequest]:
    """Return view requests; a camera asked for twice is refused."""
    few(messages, where, limits.MAX_VIEWS)
    requests = [ViewRequest(text(m.camera, f"{where}.camera"), bool(m.depth), bool(m.ids)) for m in messages]
    if len({request.camera for request in requests}) != len(requests):
        raise Refusal(f"{where} asks for one camera twice.", "Ask once, with all the channels that are needed.")
    return requests


def check_depth(depth: Depth, where: str) -> None:
    """Raise Refusal if a depth image has values below zero (0 means that nothing was hit)."""
    if depth.size and float(depth.min()) < 0.0:
        raise Refusal(f"{where} holds values below zero.", MEND_SENDER)


def write_depth(depth: Depth, camera: Camera, where: str) -> Splice:
    """Return a Tensor message of a depth image of ``camera``."""
    tensor = write_tensor(depth, "float32", (camera.height, camera.width), where)
    check_depth(depth, where)
    return tensor


def read_depth(message: Any, camera: Camera, where: str) -> Depth:
    """Return a depth image of ``camera`` in metres."""
    depth: Depth = read_tensor(message, "float32", (camera.height, camera.width), where)
    check_depth(depth, where)
    return depth


def write_view(view: View, where: str) -> Splice:
    """Return a View message; depth and ids only if the view has them."""
    camera = view.camera
    size = (camera.height, camera.width)
    encoded = encoded_camera(camera, f"{where}.camera")
    message = Splice()
    message.add_encoded(_VIEW.CAMERA_FIELD_NUMBER, encoded)
    message.add_message(_VIEW.RGB_FIELD_NUMBER, write_tensor(view.rgb, "uint8", (*size, 3), f"{where}.rgb"))
    if view.depth is not None:
        message.add_message(_VIEW.DEPTH_FIELD_NUMBER, write_depth(view.depth, camera, f"{where}.depth"))
    if view.ids is not None:
        message.add_message(_VIEW.IDS_FIELD_NUMBER, write_tensor(view.ids, "int32", size, f"{where}.ids"))
    return message


def read_view(message: Any, where: str) -> View:
    """Return the images of one camera; every image has the camera's size."""
    camera = read_camera(present(message, "camera", where), f"{where}.camera")
    size = (camera.height, camera.width)
    rgb = read_tensor(present(message, "rgb", where), "uint8", (*size, 3), f"{where}.rgb")
    depth = read_depth(message.depth, camera, f"{where}.depth") if message.HasField("depth") else None
    ids = read_tensor(message.ids, "int32", size, f"{where}.ids") if message.HasField("ids") else None
    return View(camera, rgb, depth, ids)


def add_views(views: Mapping[str, View], message: Splice, field: int, where: str) -> None:
    """Append views by camera name to a repeated field of ``message``."""
    few(views, where, limits.MAX_VIEWS)
    for name, view in views.items():
        named = Splice()
        named.add_encoded(_NAMED_VIEW.NAME_FIELD_NUMBER, text(name, where).encode())
        named.add_message(_NAMED_VIEW.VIEW_FIELD_NUMBER, write_view(view, f"{where}.{name}"))
        message.add_message(field, named)


def read_views(messages: Any, where: str) -> Dict[str, View]:
    """Return views by camera name; a name given twice is refused."""
    few(messages, where, limits.MAX_VIEWS)
    views: Dict[str, View] = {}
    for message in messages:
        name = text(message.name, where)
        if name in views:
            raise Refusal(f"{where} has {name!r} twice.", MEND_SENDER)
        views[name] = read_view(present(message, "view", f"{where}.{name}"), f"{where}.{name}")
    return views


def write_observation(observation: Observation, where: str) -> Splice:
    """Return an Observation message."""
    small = wiw_pb2.Observation(collided=bool(observation.collided), done=bool(observation.done))
    write_pose(observation.pose, small.pose, f"{where}.pose")
    write_numbers(observation.info, small.info, f"{where}.info")
    message = Splice.of(small)
    add_views(observation.views, message, small.VIEWS_FIELD_NUMBER, f"{where}.views")
    return message


def read_observation(message: Any, where: str) -> Observation:
    """Return what follows one action."""
    return Observation(
        read_views(message.views, f"{where}.views"),
        read_pose(present(message, "pose", where), f"{where}.pose"),
        bool(message.collided),
        bool(message.done),
        read_numbers(message.info, f"{where}.info"),
    )


def write_reset_reply(reply: ResetReply, where: str = "reset") -> Splice:
    """Return a ResetReply message."""
    kind = wiw_pb2.ResetReply
    message = Splice.of(kind())
    observation = write_observation(reply.observation, f"{where}.observation")
    message.add_message(kind.OBSERVATION_FIELD_NUMBER, observation)
    add_views(reply.goal_views, message, kind.GOAL_VIEWS_FIELD_NUMBER, f"{where}.goal_views")
    return message


def read_reset_reply(message: Any, where: str = "reset") -> ResetReply:
    """Return the first observation and the goal views."""
    return ResetReply(
        read_observation(present(message, "observation", where), f"{where}.observation"),
        read_views(message.goal_views, f"{where}.goal_views"),
    )


def write_shortest_path(path: ShortestPath, message: Any, where: str = "path") -> None:
    """Fill a ShortestPath message."""
    few(path.points, f"{where}.points", limits.MAX_PATH_POINTS)
    message.SetInParent()
    message.length_m = at_least_zero(path.length_m, f"{where}.length_m")
    for index, point in enumerate(path.points):
        write_vec3(point, message.points.add(), f"{where}.points[{index}]")


def read_shortest_path(message: Any, where: str = "path") -> ShortestPath:
    """Return a walkable path."""
    few(message.points, f"{where}.points", limits.MAX_PATH_POINTS)
    points = tuple(read_vec3(point, f"{where}.points[{index}]") for index, point in enumerate(message.points))
    return ShortestPath(at_least_zero(message.length_m, f"{where}.length_m"), points)


def _cell_size(value: Any, where: str) -> float:
    size = finite(value, where)
    if size <= 0.0:
        raise Refusal(f"{where} is {size}; a cell has a size above 0 m.", MEND_SENDER)
    return size


def write_top_down_map(map: TopDownMap, where: str = "map") -> Splice:
    """Return a TopDownMap message."""
    few(map.origin, f"{where}.origin", 2)
    origin_x, origin_z = (finite(part, f"{where}.origin") for part in map.origin)
    cell_m = _cell_size(map.cell_m, f"{where}.cell_m")
    message = Splice.of(wiw_pb2.TopDownMap(origin_x=origin_x, origin_z=origin_z, cell_m=cell_m))
    walkable = write_tensor(map.walkable, "bool", (None, None), f"{where}.walkable")
    message.add_message(wiw_pb2.TopDownMap.WALKABLE_FIELD_NUMBER, walkable)
    return message


def read_top_down_map(message: Any, where: str = "map") -> TopDownMap:
    """Return the walkable area seen from above."""
    walkable = read_tensor(present(message, "walkable", where), "bool", (None, None), f"{where}.walkable")
    origin = (finite(message.origin_x, f"{where}.origin_x"), finite(message.origin_z, f"{where}.origin_z"))
    return TopDownMap(walkable, origin, _cell_size(message.cell_m, f"{where}.cell_m"))
