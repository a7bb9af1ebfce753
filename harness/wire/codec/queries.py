"""Requests of the Environment service (reset, step, render, imagine, queries of scoring) and the answers to queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, List, Mapping, Optional, Sequence, Tuple, Union

from harness.contracts.actions import Action, Candidate
from harness.contracts.cameras import Pose, Vec3
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.field_limits import (
    FIX_SENDER,
    MAX_CANDIDATES,
    MAX_FRAMES,
    MAX_UINT64,
    Count,
    Few,
    Number,
    Text,
    Whole,
)
from harness.contracts.handling_errors import HandlingError
from harness.contracts.motion_errors import MotionError
from harness.contracts.observations import ObjectBox, ShortestPath, TopDownMap, ViewRequest
from harness.wire.codec import mapper
from harness.wire.codec.episodes import read_episode, write_episode
from harness.wire.codec.messages import choice, present
from harness.wire.codec.observations import read_top_down_map, write_top_down_map
from harness.wire.codec.splice import Splice
from harness.wire.generated import wiw_pb2
from harness.wire.limits import MAX_BOXES, MAX_POSES, MAX_VIEWS, ascending

GEODESIC = "geodesic"
SHORTEST_PATH = "shortest_path"
NAVIGABLE = "navigable"
TOP_DOWN_MAP = "top_down_map"
OBJECT_BOXES = "object_boxes"
ROLLOUT_POSES = "rollout_poses"

Answer = Union[float, bool, ShortestPath, TopDownMap, Tuple[ObjectBox, ...], Tuple[Tuple[Pose, ...], ...]]
Frames = Sequence[Sequence[int]]
Planted = Tuple[Union[MotionError, HandlingError], List[int]]
"""An error and one seed a candidate."""

_PLANTED: Tuple[Tuple[str, Any], ...] = (("error", MotionError), ("handling", HandlingError))

_SEED = Whole(0, MAX_UINT64)
_NAME = Text()
_DISTANCE = Number(low=0.0, infinite=True)
_VIEWS, _BOXES = Few(MAX_VIEWS), Few(MAX_BOXES)


@dataclass(frozen=True)
class _Indices:
    """The message FrameIndices."""

    frames: Annotated[Tuple[Count, ...], Few(MAX_FRAMES)]


@dataclass(frozen=True)
class _Wanted:
    """Candidates and the frames that are wanted of each, in the messages that have both."""

    candidates: Annotated[Tuple[Candidate, ...], Few(MAX_CANDIDATES)]
    frames: Annotated[Tuple[_Indices, ...], Few(MAX_CANDIDATES)]


@dataclass(frozen=True)
class _Poses:
    """The message Poses."""

    poses: Annotated[Tuple[Pose, ...], Few(MAX_FRAMES)]


@dataclass(frozen=True)
class _Places:
    """The poses of the message RenderRequest."""

    poses: Annotated[Tuple[Pose, ...], Few(MAX_POSES)]


@dataclass(frozen=True)
class _RolloutPoses:
    """The message RolloutPoses."""

    rollouts: Annotated[Tuple[_Poses, ...], Few(MAX_CANDIDATES)]


def write_reset(episode: Episode, seed: int, views: Sequence[ViewRequest], message: Any) -> None:
    """Fill a ResetRequest message."""
    write_episode(episode, message.episode)
    message.seed = _SEED.check(seed, "seed")
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
    mapper.write(_Places, _Places(tuple(poses)), message, "render")
    write_view_requests(views, message.views, "views")


def read_render(message: Any) -> Tuple[List[Pose], List[ViewRequest]]:
    """Return the poses to look from and the views wanted at each."""
    places: _Places = mapper.read(_Places, message, "render")
    return list(places.poses), read_view_requests(message.views, "views")


def write_view_requests(requests: Sequence[ViewRequest], messages: Any, where: str) -> None:
    """Append view requests to a repeated field."""
    for request in _VIEWS.check(requests, where):
        mapper.write(ViewRequest, request, messages.add(), where)


def read_view_requests(messages: Any, where: str) -> List[ViewRequest]:
    """Return view requests; a camera asked for twice is refused."""
    requests = [mapper.read(ViewRequest, message, where) for message in _VIEWS.check(messages, where)]
    if len({request.camera for request in requests}) != len(requests):
        raise Refusal(f"{where} asks for one camera twice.", "Ask once, with all the channels that are needed.")
    return requests


def write_step(actions: Sequence[Action], views: Sequence[ViewRequest], message: Any) -> None:
    """Fill a StepRequest message."""
    mapper.write(Candidate, Candidate(tuple(actions)), message, "step")  # its actions have the same name and limit
    write_view_requests(views, message.views, "views")


def read_step(message: Any) -> Tuple[List[Action], List[ViewRequest]]:
    """Return the actions to execute and the views wanted after each."""
    candidate: Candidate = mapper.read(Candidate, message, "step")
    return list(candidate.actions), read_view_requests(message.views, "views")


def write_candidates(candidates: Sequence[Candidate], camera: str, frames: Frames, message: Any) -> None:
    """Fill an EnvironmentImagineRequest message."""
    message.camera = _NAME.check(camera, "camera")
    _write_wanted(candidates, frames, message)


def read_candidates(message: Any) -> Tuple[List[Candidate], str, List[Tuple[int, ...]]]:
    """Return candidates, camera name and the wanted frames of each candidate."""
    candidates, frames = _read_wanted(message)
    return candidates, _NAME.check(message.camera, "camera"), frames


def _write_wanted(candidates: Sequence[Candidate], frames: Frames, message: Any) -> None:
    _check_wanted(candidates, frames)
    wanted = _Wanted(tuple(candidates), tuple(_Indices(tuple(indices)) for indices in frames))
    mapper.write(_Wanted, wanted, message, "request")


def _read_wanted(message: Any) -> Tuple[List[Candidate], List[Tuple[int, ...]]]:
    wanted: _Wanted = mapper.read(_Wanted, message, "request")
    frames = [item.frames for item in wanted.frames]
    _check_wanted(wanted.candidates, frames)
    return list(wanted.candidates), frames


def _check_wanted(candidates: Sequence[Candidate], frames: Frames) -> None:
    if len(frames) != len(candidates):
        raise Refusal(f"{len(frames)} lists of frames for {len(candidates)} candidates.", "Give one a candidate.")
    for index, (candidate, wanted) in enumerate(zip(candidates, frames)):
        ascending(wanted, f"request.frames[{index}]", 0, len(candidate))


def write_planted(error: Union[MotionError, HandlingError], seeds: Sequence[int], message: Any) -> None:
    """Fill ``error`` or ``handling``, and ``seeds`` of an EnvironmentImagineRequest message that has its candidates."""
    _check_seeds(len(seeds), len(message.candidates))
    field, kind = next((field, kind) for field, kind in _PLANTED if isinstance(error, kind))
    getattr(message, field).SetInParent()
    mapper.write(kind, error, getattr(message, field), field)
    message.seeds.extend(_SEED.check(seed, "seeds") for seed in seeds)


def read_planted(message: Any) -> Optional[Planted]:
    """Return the planted error and the seeds of an EnvironmentImagineRequest message; None where it has none."""
    planted = [(field, kind) for field, kind in _PLANTED if message.HasField(field)]
    if len(planted) > 1:
        raise Refusal("an error of motion and one of handling were planted together.", "Plant one of them.")
    _check_seeds(len(message.seeds), len(message.candidates) if planted else 0)
    if not planted:
        return None
    field, kind = planted[0]
    return mapper.read(kind, getattr(message, field), field), [int(seed) for seed in message.seeds]


def _check_seeds(seeds: int, wanted: int) -> None:
    if seeds != wanted:
        raise Refusal(f"{seeds} seeds for {wanted} candidates.", "Give one a candidate where an error is planted.")


def write_query(kind: str, arguments: Sequence[Any], message: Any) -> None:
    """Fill a QueryRequest message.

    ``arguments`` are start and goal, one position, candidates and frames, or nothing, by ``kind``.
    """
    query = getattr(message, kind)
    query.SetInParent()
    if kind == ROLLOUT_POSES:
        _write_wanted(arguments[0], arguments[1], query)
        return
    for name, point in zip(_POINTS[kind], arguments):
        mapper.write(Vec3, point, getattr(query, name), f"{kind}.{name}")


def read_query(message: Any) -> Tuple[str, List[Any]]:
    """Return the kind of query and its arguments."""
    kind = choice(message, "query", "query")
    query = getattr(message, kind)
    if kind == ROLLOUT_POSES:
        return kind, list(_read_wanted(query))
    return kind, [mapper.read(Vec3, present(query, name, kind), f"{kind}.{name}") for name in _POINTS[kind]]


_POINTS: Mapping[str, Tuple[str, ...]] = {
    GEODESIC: ("start", "goal"),
    SHORTEST_PATH: ("start", "goal"),
    NAVIGABLE: ("position",),
    TOP_DOWN_MAP: (),
    OBJECT_BOXES: (),
}


def checked_distance(value: Any) -> float:
    """Return a distance in metres: not negative, infinity where there is no way."""
    return _DISTANCE.check(value, "geodesic_m")


def write_answer(kind: str, answer: Any) -> Splice:
    """Return a QueryReply message with the answer to a query of ``kind``."""
    small = wiw_pb2.QueryReply()
    if kind == GEODESIC:
        small.geodesic_m = checked_distance(answer)
    elif kind == NAVIGABLE:
        small.navigable = bool(answer)
    elif kind == SHORTEST_PATH:
        mapper.write(ShortestPath, answer, small.shortest_path, "path")
    elif kind == OBJECT_BOXES:
        _write_boxes(answer, small.object_boxes)
    elif kind == ROLLOUT_POSES:
        poses = _RolloutPoses(tuple(_Poses(tuple(rollout)) for rollout in answer))
        mapper.write(_RolloutPoses, poses, small.rollout_poses, "rollout_poses")
    if kind not in (GEODESIC, NAVIGABLE, TOP_DOWN_MAP):
        getattr(small, kind).SetInParent()
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
        path: ShortestPath = mapper.read(ShortestPath, message.shortest_path, "path")
        return path
    if kind == OBJECT_BOXES:
        return read_object_boxes(message.object_boxes)
    if kind == ROLLOUT_POSES:
        found: _RolloutPoses = mapper.read(_RolloutPoses, message.rollout_poses, "rollout_poses")
        return tuple(item.poses for item in found.rollouts)
    return read_top_down_map(message.top_down_map)


def _write_boxes(boxes: Sequence[ObjectBox], message: Any) -> None:
    for index, box in enumerate(_BOXES.check(boxes, "boxes")):
        where, small = f"boxes[{index}]", message.boxes.add()
        mapper.write_fields(ObjectBox, box, small, where, "centre", "rotation")
        mapper.write(Pose, Pose(box.centre, box.rotation), small.pose, f"{where}.pose")


def read_object_boxes(message: Any) -> Tuple[ObjectBox, ...]:
    """Return the boxes of an ObjectBoxes message in their order."""
    boxes = []
    for index, small in enumerate(_BOXES.check(message.boxes, "boxes")):
        where = f"boxes[{index}]"
        pose: Pose = mapper.read(Pose, present(small, "pose", where), f"{where}.pose")
        fields = mapper.read_fields(ObjectBox, small, where, "centre", "rotation")
        boxes.append(ObjectBox(centre=pose.position, rotation=pose.rotation, **fields))
    return tuple(boxes)
