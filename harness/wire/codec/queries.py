"""Requests of the Environment service: reset, step, render and the queries of scoring."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence, Tuple, Union

from harness.contracts.actions import Action
from harness.contracts.cameras import Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.observations import ObjectBox, ShortestPath, TopDownMap, ViewRequest
from harness.wire import limits
from harness.wire.codec.basic_messages import (
    read_actions,
    read_pose,
    read_vec3,
    write_actions,
    write_pose,
    write_vec3,
)
from harness.wire.codec.boxes import read_object_boxes, write_object_boxes
from harness.wire.codec.candidate_frames import read_rollout_poses, read_wanted, write_rollout_poses, write_wanted
from harness.wire.codec.episodes import read_episode, write_episode
from harness.wire.codec.messages import choice, present
from harness.wire.codec.observations import (
    read_shortest_path,
    read_top_down_map,
    read_view_requests,
    write_shortest_path,
    write_top_down_map,
    write_view_requests,
)
from harness.wire.codec.splice import Splice
from harness.wire.generated import wiw_pb2
from harness.wire.limits import FIX_SENDER, few, number, whole

GEODESIC = "geodesic"
SHORTEST_PATH = "shortest_path"
NAVIGABLE = "navigable"
TOP_DOWN_MAP = "top_down_map"
OBJECT_BOXES = "object_boxes"
ROLLOUT_POSES = "rollout_poses"

Answer = Union[float, bool, ShortestPath, TopDownMap, Tuple[ObjectBox, ...], Tuple[Tuple[Pose, ...], ...]]


def write_reset(episode: Episode, seed: int, views: Sequence[ViewRequest], message: Any) -> None:
    """Fill a ResetRequest message."""
    write_episode(episode, message.episode)
    message.seed = whole(seed, "seed", 0, limits.MAX_UINT64)
    write_view_requests(views, message.views, "views")


def read_reset(message: Any) -> Tuple[Episode, int, List[ViewRequest]]:
    """Return episode, seed and views."""
    return (
        read_episode(present(message, "episode", "reset")),
        int(message.seed),
        read_view_requests(message.views, "views"),
    )


def write_render(poses: Sequence[Pose], views: Sequence[ViewRequest], message: Any) -> None:
    """Fill a RenderRequest message."""
    few(poses, "poses", limits.MAX_POSES)
    for index, pose in enumerate(poses):
        write_pose(pose, message.poses.add(), f"poses[{index}]")
    write_view_requests(views, message.views, "views")


def read_render(message: Any) -> Tuple[List[Pose], List[ViewRequest]]:
    """Return the poses to look from and the views wanted at each."""
    few(message.poses, "poses", limits.MAX_POSES)
    poses = [read_pose(pose, f"poses[{index}]") for index, pose in enumerate(message.poses)]
    return poses, read_view_requests(message.views, "views")


def write_step(actions: Sequence[Action], views: Sequence[ViewRequest], message: Any) -> None:
    """Fill a StepRequest message."""
    write_actions(actions, message.actions, "actions")
    write_view_requests(views, message.views, "views")


def read_step(message: Any) -> Tuple[List[Action], List[ViewRequest]]:
    """Return the actions to execute and the views wanted after each."""
    return read_actions(message.actions, "actions"), read_view_requests(message.views, "views")


def write_query(kind: str, arguments: Sequence[Any], message: Any) -> None:
    """Fill a QueryRequest message.

    ``arguments`` are start and goal, one position, candidates and frames, or nothing, by ``kind``.
    """
    query = getattr(message, kind)
    query.SetInParent()
    if kind == ROLLOUT_POSES:
        write_wanted(arguments[0], arguments[1], query)
        return
    for name, point in zip(_POINTS[kind], arguments):
        write_vec3(point, getattr(query, name), f"{kind}.{name}")


def read_query(message: Any) -> Tuple[str, List[Any]]:
    """Return the kind of query and its arguments."""
    kind = choice(message, "query", "query")
    query = getattr(message, kind)
    if kind == ROLLOUT_POSES:
        return kind, list(read_wanted(query))
    return kind, [read_vec3(present(query, name, kind), f"{kind}.{name}") for name in _POINTS[kind]]


_POINTS: Mapping[str, Tuple[str, ...]] = {
    GEODESIC: ("start", "goal"),
    SHORTEST_PATH: ("start", "goal"),
    NAVIGABLE: ("position",),
    TOP_DOWN_MAP: (),
    OBJECT_BOXES: (),
}


def checked_distance(value: Any) -> float:
    """Return a distance in metres: not negative, infinity where there is no way."""
    distance = number(value, "geodesic_m")
    if distance < 0.0:
        raise Refusal(f"geodesic_m is {distance}, below zero.", FIX_SENDER)
    return distance


def write_answer(kind: str, answer: Any) -> Splice:
    """Return a QueryReply message with the answer to a query of ``kind``."""
    small = wiw_pb2.QueryReply()
    if kind == GEODESIC:
        small.geodesic_m = checked_distance(answer)
    elif kind == NAVIGABLE:
        small.navigable = bool(answer)
    elif kind == SHORTEST_PATH:
        write_shortest_path(answer, small.shortest_path)
    elif kind == OBJECT_BOXES:
        write_object_boxes(answer, small.object_boxes)
    elif kind == ROLLOUT_POSES:
        write_rollout_poses(answer, small.rollout_poses)
    message = Splice.of(small)
    if kind == TOP_DOWN_MAP:
        message.add_message(small.TOP_DOWN_MAP_FIELD_NUMBER, write_top_down_map(answer))
    return message


def read_answer(kind: str, message: Any) -> Answer:
    """Return the answer to a query of ``kind``; an answer to another query is refused."""
    expected = "geodesic_m" if kind == GEODESIC else kind
    member = choice(message, "reply", "query")
    if member != expected:
        raise Refusal(f"the reply holds {member} instead of {expected}.", FIX_SENDER)
    if kind == GEODESIC:
        return checked_distance(message.geodesic_m)
    if kind == NAVIGABLE:
        return bool(message.navigable)
    if kind == SHORTEST_PATH:
        return read_shortest_path(message.shortest_path)
    if kind == OBJECT_BOXES:
        return read_object_boxes(message.object_boxes)
    if kind == ROLLOUT_POSES:
        return read_rollout_poses(message.rollout_poses)
    return read_top_down_map(message.top_down_map)
