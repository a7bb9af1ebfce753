"""What an environment answers: its description, observations, maps and paths."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence

from harness.contracts.errors import Refusal
from harness.contracts.observations import (
    EnvironmentSpec,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.wire import limits
from harness.wire.codec.basic_messages import (
    read_action_space,
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
from harness.wire.codec.messages import parse_with_payload, present
from harness.wire.codec.splice import Splice
from harness.wire.codec.tensors import read_tensor, write_tensor
from harness.wire.codec.views import Arrays, Images, add_views, read_views
from harness.wire.generated import wiw_pb2
from harness.wire.limits import FIX_SENDER, at_least_zero, few, finite, text


def write_environment_spec(spec: EnvironmentSpec, message: Any, where: str = "spec") -> None:
    """Fill an EnvironmentSpec message."""
    few(spec.action_spaces, f"{where}.action_spaces", limits.MAX_SPACES)
    message.name = text(spec.name, f"{where}.name")
    message.simulator = text(spec.simulator, f"{where}.simulator")
    write_rig(spec.rig, message.rig, f"{where}.rig")
    for index, space in enumerate(spec.action_spaces):
        write_action_space(space, message.action_spaces.add(), f"{where}.action_spaces[{index}]")
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


def _write_observation(observation: Observation, images: Arrays, where: str) -> Splice:
    """Return an Observation message and append the images of its views."""
    small = wiw_pb2.Observation(collided=bool(observation.collided), done=bool(observation.done))
    write_pose(observation.pose, small.pose, f"{where}.pose")
    write_numbers(observation.info, small.info, f"{where}.info")
    message = Splice.of(small)
    add_views(observation.views, message, small.VIEWS_FIELD_NUMBER, images, f"{where}.views")
    return message


def _read_observation(message: Any, images: Images, where: str) -> Observation:
    """Return what follows one action."""
    return Observation(
        read_views(message.views, images, f"{where}.views"),
        read_pose(present(message, "pose", where), f"{where}.pose"),
        bool(message.collided),
        bool(message.done),
        read_numbers(message.info, f"{where}.info"),
    )


def write_observations(observations: Sequence[Observation], where: str = "observations") -> Splice:
    """Return a StepReply message."""
    few(observations, where, limits.MAX_ACTIONS)
    kind = wiw_pb2.StepReply
    images: Arrays = []
    parts = [_write_observation(item, images, f"{where}[{index}]") for index, item in enumerate(observations)]
    message = Splice()
    message.add_arrays(kind.IMAGES_FIELD_NUMBER, images)
    for part in parts:
        message.add_message(kind.OBSERVATIONS_FIELD_NUMBER, part)
    return message


def read_observations(data: bytes, where: str = "observations") -> List[Observation]:
    """Return one observation an action from the bytes of a StepReply message."""
    message, payload = parse_with_payload("StepReply", data)
    few(message.observations, where, limits.MAX_ACTIONS)
    images = Images(payload)
    found = [_read_observation(item, images, f"{where}[{index}]") for index, item in enumerate(message.observations)]
    images.finish(where)
    return found


def write_first_observation(observation: Observation, where: str = "reset.observation") -> Splice:
    """Return a ResetReply message."""
    kind = wiw_pb2.ResetReply
    images: Arrays = []
    part = _write_observation(observation, images, where)
    message = Splice()
    message.add_arrays(kind.IMAGES_FIELD_NUMBER, images)
    message.add_message(kind.OBSERVATION_FIELD_NUMBER, part)
    return message


def read_first_observation(data: bytes, where: str = "reset") -> Observation:
    """Return the first observation from the bytes of a ResetReply message."""
    message, payload = parse_with_payload("ResetReply", data)
    images = Images(payload)
    observation = _read_observation(present(message, "observation", where), images, f"{where}.observation")
    images.finish(where)
    return observation


def write_rendered(poses: Sequence[Mapping[str, View]], where: str = "render") -> Splice:
    """Return a RenderReply message with the views of each pose."""
    few(poses, where, limits.MAX_POSES)
    kind = wiw_pb2.RenderReply
    images: Arrays = []
    parts = []
    for index, views in enumerate(poses):
        part = Splice()
        add_views(views, part, wiw_pb2.RenderedViews.VIEWS_FIELD_NUMBER, images, f"{where}[{index}]")
        parts.append(part)
    message = Splice()
    message.add_arrays(kind.IMAGES_FIELD_NUMBER, images)
    for part in parts:
        message.add_message(kind.POSES_FIELD_NUMBER, part)
    return message


def read_rendered(data: bytes, where: str = "render") -> List[Mapping[str, View]]:
    """Return the views of each pose from the bytes of a RenderReply message."""
    message, payload = parse_with_payload("RenderReply", data)
    few(message.poses, where, limits.MAX_POSES)
    images = Images(payload)
    found: List[Mapping[str, View]] = [
        read_views(seen.views, images, f"{where}[{index}]") for index, seen in enumerate(message.poses)
    ]
    images.finish(where)
    return found


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
        raise Refusal(f"{where} is {size}; a cell has a size above 0 m.", FIX_SENDER)
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
