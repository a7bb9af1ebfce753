"""One valid example of every message that a service or a client reads, with the code that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List

import numpy as np

from harness.contracts.actions import Candidate, Vector, navigation_space
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.manifests import ModelManifest
from harness.contracts.motion_errors import MotionError
from harness.contracts.observations import (
    EnvironmentSpec,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.contracts.rollouts import ContextView, Rollout, RolloutRequest, failed_rollout
from harness.wire.codec import mapper, queries
from harness.wire.codec.messages import PROTOCOL_VERSION, parse, present
from harness.wire.codec.observations import (
    read_first_observation,
    read_observations,
    read_rendered,
    write_first_observation,
    write_observations,
    write_rendered,
)
from harness.wire.codec.queries import read_candidates, read_planted, write_candidates, write_planted
from harness.wire.codec.rollouts import RolloutReader, read_batch, write_batch, write_rollout
from harness.wire.generated import wiw_pb2
from harness.wire.replies import ExpectedRollouts
from tests.wire.objects import ORIGIN, GridEnvironment, example_episode, example_manifest

FRONT = Camera("front", PINHOLE, 6, 8, 90.0, 1.25)
PANO = Camera("pano", EQUIRECT, 4, 8, 360.0, 1.25)
FORWARD, LEFT = navigation_space().primitives[:2]
WALK = Candidate((FORWARD, LEFT, FORWARD))
WANTED = [(0, 3), (), (1, 2, 3)]


@dataclass(frozen=True)
class Example:
    """A message, or the parts of a stream, and what reads them all."""

    kind: str
    parts: List[bytes]
    read: Callable[[List[bytes]], Any]


def _one(kind: str, data: bytes, read: Callable[[Any], Any]) -> Example:
    return Example(kind, [data], lambda parts: [read(parse(kind, part)) for part in parts])


def _reply(kind: str, data: bytes, read: Callable[[bytes], Any]) -> Example:
    return Example(kind, [data], lambda parts: [read(part) for part in parts])


def _image(camera: Camera, level: int) -> Any:
    return np.full((camera.height, camera.width, 3), level, np.uint8)


def _view(camera: Camera) -> View:
    size = (camera.height, camera.width)
    return View(camera, _image(camera, 7), np.full(size, 2.5, np.float32), np.full(size, 4, np.int32))


def _observation() -> Observation:
    return Observation({"front": _view(FRONT), "pano": _view(PANO)}, ORIGIN, True, False, {"steps": 3.0})


def _rollout_parts(parts: List[bytes]) -> List[Rollout]:
    expected = ExpectedRollouts({0: 3, 1: 2, 2: 1}, {0: (FRONT,), 1: (PANO,), 2: (PANO,)})
    reader = RolloutReader(expected.accept)
    found = [reader.add(part) for part in parts]
    reader.finish()
    expected.finish()
    return [rollout for rollout in found if rollout is not None]


def _rollouts() -> Example:
    rollouts = [
        Rollout(0, np.zeros((3, 6, 8, 3), np.uint8), FRONT, (0.1, 0.5, 1.0), {"total": 0.5}),
        Rollout(1, np.ones((2, 4, 8, 3), np.uint8), PANO),
        failed_rollout(2, PANO, "no paint left"),
    ]
    whole = [part.serialized() for rollout in rollouts for part in write_rollout(rollout)]
    first = parse("RolloutPart", whole[0])
    tail = wiw_pb2.RolloutPart(pixels=first.pixels[100:])
    first.pixels = first.pixels[:100]
    return Example("RolloutPart", [first.SerializeToString(), tail.SerializeToString(), *whole[1:]], _rollout_parts)


def _batch() -> Example:
    views = (ContextView(_image(PANO, 1), ORIGIN),)
    depth = np.full((4, 8), 1.0, np.float32)
    vectors = Candidate((Vector("ee_pose8", (0.5,) * 8),))
    requests = [
        RolloutRequest(3, 2**64 - 1, _image(PANO, 9), PANO, WALK, (1, 3), depth, "walk", (ORIGIN,) * 3, views),
        RolloutRequest(4, 0, _image(FRONT, 9), FRONT, vectors, (1,)),
    ]
    return _one("WorldModelImagineRequest", write_batch(requests).serialized(), read_batch)


def _descriptions() -> List[Example]:
    environment = wiw_pb2.EnvironmentDescription(protocol_version=PROTOCOL_VERSION, spec_digest="a" * 64)
    mapper.write(EnvironmentSpec, GridEnvironment().describe(), environment.spec, "spec")
    model = wiw_pb2.WorldModelDescription(protocol_version=PROTOCOL_VERSION, spec_digest="a" * 64)
    mapper.write(ModelManifest, example_manifest(), model.manifest, "manifest")
    return [
        _one("EnvironmentDescription", environment.SerializeToString(), _read_spec),
        _one("WorldModelDescription", model.SerializeToString(), _read_manifest),
    ]


def _read_spec(message: Any) -> Any:
    return mapper.read(EnvironmentSpec, present(message, "spec", "description"), "spec")


def _read_manifest(message: Any) -> Any:
    return mapper.read(ModelManifest, present(message, "manifest", "description"), "manifest")


def _read_imagine(message: Any) -> Any:
    return read_candidates(message), read_planted(message)


def _requests() -> List[Example]:
    views = [ViewRequest("front", True, True), ViewRequest("pano")]
    reset, step, render = wiw_pb2.ResetRequest(), wiw_pb2.StepRequest(), wiw_pb2.RenderRequest()
    imagine, describe = wiw_pb2.EnvironmentImagineRequest(), wiw_pb2.DescribeRequest(protocol_version=1)
    queries.write_reset(example_episode(), 5, views, reset)
    queries.write_step([FORWARD, Vector("ee_pose8", (0.5,) * 8)], views, step)
    queries.write_render([ORIGIN] * 2, views, render)
    write_candidates([WALK, Candidate(()), WALK], "pano", WANTED, imagine)
    write_planted(MotionError(0.5, 11.25, True, 0.2), [1, 2, 2**64 - 1], imagine)
    return [
        _one("DescribeRequest", describe.SerializeToString(), lambda message: message.protocol_version),
        _one("ResetRequest", reset.SerializeToString(), queries.read_reset),
        _one("StepRequest", step.SerializeToString(), queries.read_step),
        _one("RenderRequest", render.SerializeToString(), queries.read_render),
        _one("EnvironmentImagineRequest", imagine.SerializeToString(), _read_imagine),
    ]


def _answer(kind: str, points: List[Any], answer: Any) -> List[Example]:
    query = wiw_pb2.QueryRequest()
    queries.write_query(kind, points, query)
    reply = queries.write_answer(kind, answer).serialized()
    return [
        _one("QueryRequest", query.SerializeToString(), queries.read_query),
        _one("QueryReply", reply, lambda message: queries.read_answer(kind, message)),
    ]


def examples() -> List[Example]:
    """Return one example of every message."""
    start, goal = (0.0, 0.0, 0.0), (1.0, 0.0, -2.0)
    reset = write_first_observation(_observation()).serialized()
    rendered = write_rendered([{"front": _view(FRONT)}, {"pano": _view(PANO)}]).serialized()
    step = write_observations([_observation()] * 2).serialized()
    area = TopDownMap(np.eye(4, 6, dtype=bool), (-1.0, 2.0), 0.05)
    return [
        *_descriptions(),
        *_requests(),
        _reply("ResetReply", reset, read_first_observation),
        _reply("StepReply", step, read_observations),
        _reply("RenderReply", rendered, read_rendered),
        *_answer(queries.GEODESIC, [start, goal], 2.5),
        *_answer(queries.SHORTEST_PATH, [start, goal], ShortestPath(2.5, (start, goal))),
        *_answer(queries.NAVIGABLE, [start], True),
        *_answer(queries.TOP_DOWN_MAP, [], area),
        *_answer(queries.OBJECT_BOXES, [], GridEnvironment().object_boxes()),
        *_answer(queries.ROLLOUT_POSES, [[WALK] * 3, WANTED], GridEnvironment().rollout_poses([WALK] * 3, WANTED)),
        _batch(),
        _rollouts(),
    ]
