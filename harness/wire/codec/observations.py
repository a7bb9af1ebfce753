"""What an environment answers with images: observations after actions and a reset, and its map."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence

from harness.contracts.field_limits import MAX_ACTIONS, Few, Number
from harness.contracts.observations import Observation, TopDownMap, View
from harness.wire.codec import mapper
from harness.wire.codec.messages import parse_with_payload, present
from harness.wire.codec.splice import Splice
from harness.wire.codec.tensors import read_tensor, write_tensor
from harness.wire.codec.views import Arrays, Images, add_views, read_views
from harness.wire.generated import wiw_pb2
from harness.wire.limits import MAX_POSES

_COORDINATE, _STEPS, _POSES = Number(), Few(MAX_ACTIONS), Few(MAX_POSES)


def _write_observation(observation: Observation, images: Arrays, where: str) -> Splice:
    """Return an Observation message and append the images of its views."""
    small = wiw_pb2.Observation()
    mapper.write_fields(Observation, observation, small, where, "views")
    message = Splice.of(small)
    add_views(observation.views, message, small.VIEWS_FIELD_NUMBER, images, f"{where}.views")
    return message


def _read_observation(message: Any, images: Images, where: str) -> Observation:
    """Return what follows one action."""
    views = read_views(message.views, images, f"{where}.views")
    return Observation(views, **mapper.read_fields(Observation, message, where, "views"))


def write_observations(observations: Sequence[Observation], where: str = "observations") -> Splice:
    """Return a StepReply message."""
    _STEPS.check(observations, where)
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
    _STEPS.check(message.observations, where)
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
    _POSES.check(poses, where)
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
    _POSES.check(message.poses, where)
    images = Images(payload)
    found: List[Mapping[str, View]] = [
        read_views(seen.views, images, f"{where}[{index}]") for index, seen in enumerate(message.poses)
    ]
    images.finish(where)
    return found


def write_top_down_map(map: TopDownMap, where: str = "map") -> Splice:
    """Return a TopDownMap message."""
    small = wiw_pb2.TopDownMap()
    mapper.write_fields(TopDownMap, map, small, where, "walkable", "origin")
    small.origin_x, small.origin_z = (_COORDINATE.check(part, f"{where}.origin") for part in map.origin)
    message = Splice.of(small)
    walkable = write_tensor(map.walkable, "bool", (None, None), f"{where}.walkable")
    message.add_message(wiw_pb2.TopDownMap.WALKABLE_FIELD_NUMBER, walkable)
    return message


def read_top_down_map(message: Any, where: str = "map") -> TopDownMap:
    """Return the walkable area seen from above."""
    walkable = read_tensor(present(message, "walkable", where), "bool", (None, None), f"{where}.walkable")
    x, z = (_COORDINATE.check(part, f"{where}.origin") for part in (message.origin_x, message.origin_z))
    return TopDownMap(walkable, (x, z), **mapper.read_fields(TopDownMap, message, where, "walkable", "origin"))
