"""What goes onto the wire comes off it unchanged."""

from __future__ import annotations

import dataclasses
from typing import Any, List

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contracts.actions import Action, ActionSpace, Candidate
from harness.contracts.cameras import Camera, Pose, Rig, Vec3
from harness.contracts.digest import digest
from harness.contracts.episodes import Episode
from harness.contracts.errors import LimitExceeded, Refusal
from harness.contracts.field_limits import Count
from harness.contracts.handling_errors import HandlingError
from harness.contracts.manifests import ModelManifest
from harness.contracts.motion_errors import MotionError
from harness.contracts.observations import EnvironmentSpec, Observation, ShortestPath, View, ViewRequest
from harness.contracts.rollouts import ContextView, Rollout, RolloutRequest
from harness.wire import limits
from harness.wire.codec import mapper, queries, views
from harness.wire.codec import observations as observation_codec
from harness.wire.codec import rollouts as rollout_codec
from harness.wire.codec.episodes import read_episode, write_episode
from harness.wire.codec.messages import parse
from harness.wire.codec.splice import Splice, leading_payload
from harness.wire.generated import wiw_pb2
from tests.wire import strategies as some

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def same(left: Any, right: Any) -> bool:
    """Compare contracts field by field, arrays by dtype, shape and bytes."""
    if isinstance(left, np.ndarray):
        return bool(left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes())
    if dataclasses.is_dataclass(left):
        fields = [field.name for field in dataclasses.fields(left)]
        return type(left) is type(right) and all(same(getattr(left, f), getattr(right, f)) for f in fields)
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right))
    return bool(left == right)


def through(name: str, kind: Any, value: Any) -> Any:
    """Write a small message, serialise, parse and read it."""
    message = getattr(wiw_pb2, name)()
    mapper.write(kind, value, message, "it")
    return mapper.read(kind, parse(name, message.SerializeToString()), "it")


SMALL = [
    ("Vec3", Vec3, some.vec3),
    ("Pose", Pose, some.poses),
    ("Camera", Camera, some.cameras),
    ("Rig", Rig, some.rigs),
    ("Action", Action, some.actions),
    ("Candidate", Candidate, some.candidates),
    ("ActionSpace", ActionSpace, some.action_spaces),
    ("EnvironmentSpec", EnvironmentSpec, some.environment_specs),
    ("ModelManifest", ModelManifest, some.manifests),
    ("ShortestPath", ShortestPath, some.paths),
]

OTHERS = [
    ("Episode", Episode),
    ("MotionError", MotionError),
    ("HandlingError", HandlingError),
    ("ViewRequest", ViewRequest),
]

LARGE = [
    ("TopDownMap", observation_codec.write_top_down_map, observation_codec.read_top_down_map, some.maps()),
    (
        "RolloutRequest",
        rollout_codec.write_rollout_request,
        rollout_codec.read_rollout_request,
        some.rollout_requests(),
    ),
]


@pytest.mark.parametrize(("name", "kind", "values"), SMALL, ids=[case[0] for case in SMALL])
def test_small_types_come_back(name: str, kind: Any, values: Any) -> None:
    @quick
    @given(values)
    def check(value: Any) -> None:
        assert same(through(name, kind, value), value)

    check()


@pytest.mark.parametrize(
    ("name", "kind"), [case[:2] for case in [*SMALL, *OTHERS] if dataclasses.is_dataclass(case[1])]
)
def test_contracts_and_messages_have_the_same_fields(name: str, kind: Any) -> None:
    assert {field.name for field in dataclasses.fields(kind)} == set(getattr(wiw_pb2, name).DESCRIPTOR.fields_by_name)


@dataclasses.dataclass(frozen=True)
class _NewField(ViewRequest):
    zoom: Count = 0


@dataclasses.dataclass(frozen=True)
class _NoLimit:
    camera: str
    depth: bool
    ids: bool


def test_a_new_field_says_which_line_it_needs() -> None:
    with pytest.raises(TypeError, match=r"add zoom to message ViewRequest of wiw\.proto"):
        mapper.write(_NewField, _NewField("front"), wiw_pb2.ViewRequest(), "it")
    with pytest.raises(TypeError, match=r"camera needs a limit of harness/contracts/field_limits\.py"):
        mapper.write(_NoLimit, _NoLimit("front", False, False), wiw_pb2.ViewRequest(), "it")


@quick
@given(some.episodes)
def test_episodes_come_back(episode: Episode) -> None:
    message = wiw_pb2.Episode()
    write_episode(episode, message, "it")
    assert same(read_episode(parse("Episode", message.SerializeToString()), "it"), episode)


@pytest.mark.parametrize(("kind", "write", "read", "values"), LARGE, ids=[case[0] for case in LARGE])
def test_types_with_images_come_back(kind: str, write: Any, read: Any, values: Any) -> None:
    @quick
    @given(values)
    def check(value: Any) -> None:
        data = write(value, "it").serialized()
        message = parse(kind, data)
        assert same(read(message, "it"), value)
        # A splice is an ordinary message: protobuf itself writes one of the same size.
        assert len(message.SerializeToString()) == len(data)

    check()


def read_parts(parts: List[bytes], accept: Any = lambda *head: None) -> List[Rollout]:
    """Read the rollouts in serialised parts."""
    reader = rollout_codec.RolloutReader(accept)
    found = [reader.add(part) for part in parts]
    reader.finish()
    return [rollout for rollout in found if rollout is not None]


@pytest.mark.parametrize("part_bytes", [1, 7, 2**21])
def test_rollouts_come_back_in_parts(part_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PART_PIXEL_BYTES", part_bytes)

    @quick
    @given(st.lists(some.rollouts(), max_size=3))
    def check(rollouts: List[Rollout]) -> None:
        parts = [part.serialized() for rollout in rollouts for part in rollout_codec.write_rollout(rollout)]
        assert same(read_parts(parts), rollouts)

    check()


@quick
@given(st.lists(some.rollout_requests(), max_size=3, unique_by=lambda request: request.id))
def test_batches_come_back(batch: List[Any]) -> None:
    data = rollout_codec.write_batch(batch).serialized()
    assert same(rollout_codec.read_batch(parse("WorldModelImagineRequest", data)), batch)


def test_earlier_views_are_as_large_as_the_conditioning_view_at_both_ends() -> None:
    camera = Camera("pano", "equirect", 2, 4, 360.0, 1.0)
    image = np.zeros((2, 4, 3), np.uint8)
    pose = Pose((0.0, 0.0, 0.2), (1.0, 0.0, 0.0, 0.0))
    request = RolloutRequest(0, 0, image, camera, Candidate(()), (), context=(ContextView(image, pose),))
    with pytest.raises(LimitExceeded, match=r"context\[0\]\.rgb has shape \[2, 2, 3\] instead of \[2, 4, 3\]"):
        rollout_codec.write_batch([dataclasses.replace(request, context=(ContextView(image[:, :2], pose),))])
    message = parse("WorldModelImagineRequest", rollout_codec.write_batch([request]).serialized())
    message.requests[0].context[0].rgb.shape[:] = [1, 8, 3]
    with pytest.raises(LimitExceeded, match=r"context\[0\]\.rgb has shape \[1, 8, 3\] instead of \[2, 4, 3\]"):
        rollout_codec.read_batch(message)


@quick
@given(st.data())
def test_environment_requests_come_back(data: Any) -> None:
    candidates = data.draw(st.lists(some.candidates, max_size=3))
    frames = [data.draw(some.frame_indices(0, len(candidate))) for candidate in candidates]
    message = wiw_pb2.EnvironmentImagineRequest()
    queries.write_candidates(candidates, "pano", frames, message)
    got = queries.read_candidates(parse("EnvironmentImagineRequest", message.SerializeToString()))
    assert same(got, (candidates, "pano", frames))

    episode, seed = data.draw(some.episodes), data.draw(some.uint64)
    wanted = data.draw(some.view_requests)
    reset = wiw_pb2.ResetRequest()
    queries.write_reset(episode, seed, wanted, reset)
    assert same(queries.read_reset(parse("ResetRequest", reset.SerializeToString())), (episode, seed, wanted))

    poses = data.draw(st.lists(some.poses, max_size=3))
    render = wiw_pb2.RenderRequest()
    queries.write_render(poses, wanted, render)
    assert same(queries.read_render(parse("RenderRequest", render.SerializeToString())), (poses, wanted))

    actions = data.draw(st.lists(some.actions, max_size=3))
    step = wiw_pb2.StepRequest()
    queries.write_step(actions, wanted, step)
    assert same(queries.read_step(parse("StepRequest", step.SerializeToString())), (actions, wanted))


@quick
@given(st.data())
def test_queries_and_answers_come_back(data: Any) -> None:
    start, goal = data.draw(some.vec3), data.draw(some.vec3)
    cases = [
        (queries.GEODESIC, [start, goal], data.draw(some.positive | st.just(float("inf")))),
        (queries.SHORTEST_PATH, [start, goal], data.draw(some.paths)),
        (queries.NAVIGABLE, [start], data.draw(st.booleans())),
        (queries.TOP_DOWN_MAP, [], data.draw(some.maps())),
        (queries.OBJECT_BOXES, [], data.draw(some.boxes)),
    ]
    for kind, points, answer in cases:
        query = wiw_pb2.QueryRequest()
        queries.write_query(kind, points, query)
        assert queries.read_query(parse("QueryRequest", query.SerializeToString())) == (kind, points)
        reply = parse("QueryReply", queries.write_answer(kind, answer).serialized())
        assert same(queries.read_answer(kind, reply), answer)


REPLIES = [
    (
        "StepReply",
        observation_codec.write_observations,
        observation_codec.read_observations,
        st.lists(some.observations, max_size=3),
    ),
    (
        "ResetReply",
        observation_codec.write_first_observation,
        observation_codec.read_first_observation,
        some.observations,
    ),
    ("RenderReply", observation_codec.write_rendered, observation_codec.read_rendered, some.rendered),
]


@pytest.mark.parametrize(("kind", "write", "read", "values"), REPLIES, ids=[case[0] for case in REPLIES])
def test_replies_come_back_whoever_wrote_them(kind: str, write: Any, read: Any, values: Any) -> None:
    @quick
    @given(values)
    def check(value: Any) -> None:
        data = write(value).serialized()
        assert same(read(data), value)
        message = parse(kind, data)
        images = message.images
        # An ordinary message: protobuf itself writes one of the same size, and images may stand at its end.
        again = message.SerializeToString()
        assert len(again) == len(data)
        assert same(read(again), value)
        message.ClearField("images")
        tail = getattr(wiw_pb2, kind)(images=images).SerializeToString()
        assert same(read(message.SerializeToString() + tail), value)

    check()


def example_reply(depth: bool = False, ids: bool = False) -> bytes:
    """Return the bytes of a reply with one view of 3 x 5 pixels."""
    camera = Camera("c", "pinhole", 3, 5, 90.0, 0.0)
    view = View(
        camera,
        np.arange(45, dtype=np.uint8).reshape(3, 5, 3),
        np.ones((3, 5), np.float32) if depth else None,
        np.ones((3, 5), np.int32) if ids else None,
    )
    pose = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
    return observation_codec.write_observations([Observation({"c": view}, pose)]).serialized()


def test_reading_a_reply_copies_no_colours_and_aligns_numbers() -> None:
    data = example_reply(depth=True, ids=True)
    (observation,) = observation_codec.read_observations(data)
    view = observation.views["c"]
    assert view.depth is not None
    assert view.ids is not None
    start = np.frombuffer(data, np.uint8).ctypes.data
    assert start < view.rgb.ctypes.data < start + len(data)
    for image in (view.rgb, view.depth, view.ids):
        assert not image.flags.writeable
        assert image.flags.aligned


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (
            lambda images: images[:-1],
            LimitExceeded,
            r"\[0\]\.views\.c\.depth has 59 bytes left; float32 \[3, 5\] needs 60",
        ),
        (lambda images: images + b"\0", LimitExceeded, "observations has 1 bytes beyond its images"),
        (lambda images: b"", LimitExceeded, r"\.rgb has 0 bytes left; uint8 \[3, 5, 3\] needs 45"),
        (lambda images: images[:45] + b"\xff" * 60, Refusal, "depth holds NaN or infinity"),
        (lambda images: images[:45] + b"\0\0\x80\xbf" * 15, Refusal, "depth holds values below zero"),
    ],
)
def test_images_must_be_those_of_the_views(change: Any, error: Any, match: str) -> None:
    message = wiw_pb2.StepReply.FromString(example_reply(depth=True))
    message.images = change(message.images)
    with pytest.raises(error, match=match):
        observation_codec.read_observations(message.SerializeToString())


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"\n\x80", b"\n\x05abc", b"\n" + b"\xff" * 9, b"\n\x80\x80\x80\x80\x80\x00", b"\x12\x00", b"abc"],
)
def test_a_message_that_does_not_begin_with_a_whole_payload_is_all_rest(data: bytes) -> None:
    payload, rest = leading_payload(data)
    assert (bytes(payload), rest) == (b"", data)


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_a_leading_payload_is_found(payload: bytes, rest: bytes) -> None:
    found, after = leading_payload(wiw_pb2.RolloutPart(pixels=payload).SerializeToString() + rest)
    if payload:
        assert (bytes(found), after) == (payload, rest)


def test_strange_views_do_not_fill_the_memory() -> None:
    for height in range(1, 600):
        message = wiw_pb2.NamedView(name="v")
        message.view.camera.CopyFrom(wiw_pb2.Camera(name="c", kind="pinhole", height=height, width=1, hfov_deg=9.0))
        views._read_head(message, "v")
    assert len(views._read_heads) <= 256
    message.MergeFromString(b"\xfa\x01\xd0\x0f" + bytes(2000))  # number 31, 2000 bytes
    views._read_head(message, "v")
    assert all(len(encoded) <= 1024 for encoded in views._read_heads)


def test_minus_zero_keeps_its_sign_and_a_pose_its_digest() -> None:
    pose = Pose((-0.0, 0.0, 0.1), (1.0, 0.0, -0.0, 0.0))
    assert digest(through("Pose", Pose, pose)) == digest(pose)


def test_reading_an_image_copies_nothing_and_cannot_be_written_to() -> None:
    data = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    from harness.wire.codec.tensors import read_tensor, write_tensor

    message = parse("Tensor", write_tensor(data, "uint8", (2, 2, 3), "it").serialized())
    array = read_tensor(message, "uint8", (2, 2, 3), "it")
    assert not array.flags.owndata
    assert not array.flags.writeable


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16383, 16384, 2**21])
def test_a_splice_writes_lengths_as_protobuf_does(size: int) -> None:
    splice = Splice.of(wiw_pb2.RolloutPart())
    splice.add_arrays(
        wiw_pb2.RolloutPart.PIXELS_FIELD_NUMBER, [np.zeros(size - size // 3, np.uint8), np.zeros(size // 3, np.uint8)]
    )
    data = splice.serialized()
    assert len(splice) == len(data)
    assert parse("RolloutPart", data).pixels == bytes(size)


def test_what_cannot_be_read_is_not_written() -> None:
    episode = Episode("e", "t", "t", "s", "s", "h", Pose((0.0, 0.0, 0.0), (2.0, 0.0, 0.0, 0.0)), 1)
    with pytest.raises(Refusal, match=r"episode\.start\.rotation"):
        write_episode(episode, wiw_pb2.Episode())
    camera = Camera("c", "pinhole", 2, 2, 90.0, 0.0)
    with pytest.raises(LimitExceeded, match=r"view\.rgb has shape \[1, 2, 3\] instead of \[2, 2, 3\]"):
        views.write_view("c", View(camera, np.zeros((1, 2, 3), np.uint8)), [], "view")


def test_a_camera_is_checked_anew_wherever_it_may_have_changed() -> None:
    camera = Camera("c", "pinhole", 2, 2, 90.0, 0.0)
    assert views.encoded_camera(camera, "c") is views.encoded_camera(camera, "c")
    assert views.encoded_camera(dataclasses.replace(camera), "c") == views.encoded_camera(camera, "c")
    with pytest.raises(Refusal, match=r"c\.height is float"):
        views.encoded_camera(dataclasses.replace(camera, height=2.0), "c")  # type: ignore[arg-type]
    for hfov in (90.0, 200.0, 90.0, 200.0):
        message = wiw_pb2.Camera(name="c", kind="pinhole", height=2, width=2, hfov_deg=hfov)
        if hfov < 180.0:
            assert mapper.read(Camera, message, "c") == camera
        else:
            with pytest.raises(Refusal, match=r"c\.hfov_deg is 200"):
                mapper.read(Camera, message, "c")


def test_strange_cameras_do_not_fill_the_memory() -> None:
    for height in range(1, 600):
        camera = Camera("c", "pinhole", height, 2, 90.0, 0.0)
        message = wiw_pb2.Camera.FromString(views.encoded_camera(camera, "c"))
        assert mapper.read(Camera, message, "c") == camera
    assert len(views._written_cameras) <= 256
