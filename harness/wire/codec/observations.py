"""What an environment answers with images: observations after actions and a reset, and its map."""

from __future__ import annotations

from typing import Any, List, Sequence

from harness.contracts.field_limits import MAX_ACTIONS, Few, Number
from harness.contracts.observations import Observation, ResetReply, TopDownMap
from harness.wire.codec import mapper
from harness.wire.codec.messages import parse_with_payload, present
from harness.wire.codec.splice import Splice
from harness.wire.codec.tensors import read_tensor, write_tensor
from harness.wire.codec.views import Arrays, Images, add_views, read_views
from harness.wire.generated import wiw_pb2

_COORDINATE, _STEPS = Number(), Few(MAX_ACTIONS)


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


def write_reset_reply(reply: ResetReply, where: str = "reset") -> Splice:
    """Return a ResetReply message."""
    kind = wiw_pb2.ResetReply
    images: Arrays = []
    observation = _write_observation(reply.observation, images, f"{where}.observation")
    goal = Splice()
    add_views(reply.goal_views, goal, kind.GOAL_VIEWS_FIELD_NUMBER, images, f"{where}.goal_views")
    message = Splice()
    message.add_arrays(kind.IMAGES_FIELD_NUMBER, images)
    message.add_message(kind.OBSERVATION_FIELD_NUMBER, observation)
    message.append(goal)
    return message


def read_reset_reply(data: bytes, where: str = "reset") -> ResetReply:
    """Return the first observation and the goal views from the bytes of a ResetReply message."""
    message, payload = parse_with_payload("ResetReply", data)
    images = Images(payload)
    observation = _read_observation(present(message, "observation", where), images, f"{where}.observation")
    reply = ResetReply(observation, read_views(message.goal_views, images, f"{where}.goal_views"))
    images.finish(where)
    return reply


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
