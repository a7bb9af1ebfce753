"""Each limit and each value check names its field, and no memory is taken for what is refused."""

from __future__ import annotations

import tracemalloc
from typing import Any, Callable, Dict

import numpy as np
import pytest

from harness.contracts.actions import Action, Candidate, Primitive
from harness.contracts.cameras import Camera, Pose, Rig
from harness.contracts.errors import LimitExceeded, Refusal
from harness.contracts.field_limits import Few, Number, Text, Whole, Word
from harness.contracts.observations import Observation, TopDownMap, View
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire import limits
from harness.wire.codec import mapper, queries, rollouts
from harness.wire.codec.messages import parse
from harness.wire.codec.observations import read_first_observation, read_top_down_map, write_top_down_map
from harness.wire.codec.tensors import read_tensor, write_tensor
from harness.wire.codec.views import Images, read_view, read_views, write_view
from harness.wire.generated import wiw_pb2 as pb
from tests.wire.objects import FRONT, ORIGIN

UINT8 = pb.DTYPE_UINT8
WALK = Candidate((Primitive("forward", 0.2),) * 3)


def tensor(dtype: int = UINT8, shape: Any = (2, 3), data: bytes = bytes(6)) -> Any:
    return pb.Tensor(dtype=dtype, shape=shape, data=data)


TENSORS: Dict[str, Any] = {
    "too few bytes": (tensor(data=bytes(5)), "carries 5 bytes; uint8 \\[2, 3\\] needs 6"),
    "too many bytes": (tensor(data=bytes(7)), "carries 7 bytes"),
    "other dtype": (tensor(pb.DTYPE_INT32, data=bytes(24)), "declares dtype int32 instead of uint8"),
    "unknown dtype": (tensor(77), "declares dtype code 77"),
    "no dtype": (tensor(0), "declares dtype code 0"),
    "other rank": (tensor(shape=(6,)), "shape \\[6\\] instead of \\[any, 3\\]"),
    "other side": (tensor(shape=(3, 2)), "shape \\[3, 2\\] instead of \\[any, 3\\]"),
    "too many dimensions": (tensor(shape=(1,) * 5), "has 5 dimensions; at most 4"),
    "too many elements": (tensor(shape=(2**32 - 1, 3)), "uint8 elements; at most"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_must_be_what_its_field_is(name: str) -> None:
    message, match = TENSORS[name]
    with pytest.raises(LimitExceeded, match=f"rgb {match}|rgb has {match}|{match}") as caught:
        read_tensor(message, "uint8", (None, 3), "rgb")
    assert "rgb" in caught.value.what


def test_values_of_arrays_are_checked() -> None:
    nan = np.array([np.nan], np.float32).tobytes()
    with pytest.raises(Refusal, match="depth holds NaN"):
        read_tensor(tensor(pb.DTYPE_FLOAT32, (1,), nan), "float32", (None,), "depth")
    with pytest.raises(Refusal, match="neither 0 nor 1"):
        read_tensor(tensor(pb.DTYPE_BOOL, (2,), b"\x01\x02"), "bool", (None,), "map")
    with pytest.raises(LimitExceeded, match="has dtype float64 instead of uint8"):
        write_tensor(np.zeros(3), "uint8", (3,), "rgb")
    with pytest.raises(LimitExceeded, match="is list, not an array"):
        write_tensor([1, 2], "uint8", (2,), "rgb")  # type: ignore[arg-type]
    below = View(FRONT, np.zeros((16, 24, 3), np.uint8), np.full((16, 24), -1.0, np.float32))
    with pytest.raises(Refusal, match=r"view\.depth holds values below zero"):
        write_view("front", below, [], "view")


def test_a_refused_tensor_takes_no_memory() -> None:
    message = tensor(shape=(2**16, 2**11), data=b"")
    tracemalloc.start()
    with pytest.raises(LimitExceeded):
        read_tensor(message, "uint8", (None, None), "rgb")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_messages_have_a_size_limit_before_they_are_parsed() -> None:
    with pytest.raises(LimitExceeded, match="StepRequest has 1048577 bytes; at most 1048576"):
        parse("StepRequest", bytes(limits.MAX_CONTROL_BYTES + 1))
    with pytest.raises(LimitExceeded, match="RolloutPart has"):
        parse("RolloutPart", bytes(limits.MAX_PART_BYTES + 1))
    with pytest.raises(Refusal, match="3 bytes are no StepRequest"):
        parse("StepRequest", b"\xff\xff\xff")


CHECKS: Dict[str, Any] = {
    "text type": (lambda: Text().check(3, "name"), Refusal, "name is int, not text"),
    "text length": (lambda: Text().check("x" * 300, "name"), LimitExceeded, "name has 300 characters"),
    "text bytes": (lambda: Text().check("\ud800", "name"), Refusal, "name is no valid text"),
    "word": (lambda: Word(("pinhole",)).check("fisheye", "kind"), Refusal, "kind is 'fisheye'"),
    "number type": (lambda: Number().check("far", "x"), Refusal, "x is str, not a number"),
    "nan": (lambda: Number(infinite=True).check(float("nan"), "x"), Refusal, "x is NaN"),
    "infinite": (lambda: Number().check(float("inf"), "x"), Refusal, "x is inf"),
    "negative": (lambda: Number(low=0.0).check(-1, "x"), Refusal, "x is -1.0, below zero"),
    "fraction": (lambda: Whole().check(1.5, "n"), Refusal, "n is float, not a whole number"),
    "flag": (lambda: Whole().check(True, "n"), Refusal, "n is bool, not a whole number"),
    "range": (lambda: Whole().check(2**32, "n"), Refusal, "n is 4294967296, outside 0"),
    "count": (lambda: Few(1).check([1, 2], "n"), LimitExceeded, "n has 2 items; at most 1"),
    "order": (lambda: limits.ascending([2, 1], "f", 0, 3), Refusal, "frame index 1 follows 2"),
    "twice": (lambda: limits.ascending([1, 1], "f", 0, 3), Refusal, "frame index 1 follows 1"),
    "above": (lambda: limits.ascending([4], "f", 0, 3), Refusal, "f is 4, outside 0..3"),
    "below": (lambda: limits.ascending([0], "f", 1, 3), Refusal, "f is 0, outside 1..3"),
    "distance": (lambda: queries.checked_distance(-1.0), Refusal, "geodesic_m is -1.0"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_values_are_checked_and_named(name: str) -> None:
    check, error, match = CHECKS[name]
    with pytest.raises(error, match=match):
        check()


def camera(**changed: Any) -> Any:
    fields = {"name": "c", "kind": "pinhole", "height": 2, "width": 2, "hfov_deg": 90.0}
    return pb.Camera(**{**fields, **changed})


def numbers(*names: str) -> Any:
    return pb.Observation(info=[pb.NamedNumber(name=name) for name in names])


def pose(w: float = 1.0) -> Any:
    return pb.Pose(position=pb.Vec3(), rotation=pb.Quaternion(w=w))


def candidates(frames: int) -> Any:
    return pb.EnvironmentImagineRequest(candidates=[pb.Candidate()], frames=[pb.FrameIndices()] * frames)


def named_views(*names: str) -> Any:
    views = [pb.NamedView(name=name, view=pb.View(camera=camera())) for name in names]
    return pb.Observation(views=views).views


def box(**fields: Any) -> Any:
    unit = pb.Pose(position=pb.Vec3(), rotation=pb.Quaternion(w=1.0))
    return pb.ObjectBox(**{"id": 1, "pose": unit, "size": pb.Vec3(), **fields})


MESSAGES: Dict[str, Any] = {
    "no rotation": (
        lambda: mapper.read(Pose, pb.Pose(position=pb.Vec3()), "start"),
        "start.rotation is missing",
    ),
    "not a unit": (lambda: mapper.read(Pose, pose(1.1), "start"), "start.rotation .* is not a unit quaternion"),
    "no action": (lambda: mapper.read(Action, pb.Action(), "a"), "a.action is missing or of an unknown kind"),
    "wide pinhole": (lambda: mapper.read(Camera, camera(hfov_deg=180.0), "c"), "c.hfov_deg is 180.0"),
    "empty camera": (lambda: mapper.read(Camera, camera(height=0), "c"), "c.height is 0"),
    "huge camera": (lambda: mapper.read(Camera, camera(width=9000), "c"), "c.width is 9000"),
    "same cameras": (
        lambda: mapper.read(Rig, pb.Rig(cameras=[camera(), camera()]), "rig"),
        "two cameras of one name",
    ),
    "same numbers": (
        lambda: mapper.read_fields(Observation, numbers("a", "a"), "it", "views", "pose"),
        r"it\.info names 'a' twice",
    ),
    "same views": (
        lambda: read_views(named_views("a", "a"), Images(memoryview(bytes(24))), "views"),
        "views has 'a' twice",
    ),
    "same view requests": (
        lambda: queries.read_view_requests([pb.ViewRequest(camera="a")] * 2, "views"),
        "views asks for one camera twice",
    ),
    "no observation": (lambda: read_first_observation(b""), "reset.observation is missing"),
    "no view": (lambda: read_view(pb.NamedView(name="v"), Images(memoryview(b"")), "v"), "v.view is missing"),
    "no camera": (
        lambda: read_view(pb.NamedView(view=pb.View(depth=True)), Images(memoryview(b"")), "v"),
        "v.camera is missing",
    ),
    "flat map": (
        lambda: read_top_down_map(pb.TopDownMap(walkable=tensor(pb.DTYPE_BOOL, (0, 0), b""))),
        "map.cell_m is 0.0",
    ),
    "box without a pose": (
        lambda: queries.read_object_boxes(pb.ObjectBoxes(boxes=[pb.ObjectBox(id=1)])),
        r"boxes\[0\]\.pose is missing",
    ),
    "box of less than nothing": (
        lambda: queries.read_object_boxes(pb.ObjectBoxes(boxes=[box(size=pb.Vec3(x=1.0, y=-0.5, z=1.0))])),
        r"boxes\[0\]\.size is -0\.5, below zero",
    ),
    "box of an id beyond the image's": (
        lambda: queries.read_object_boxes(pb.ObjectBoxes(boxes=[box(id=2**31)])),
        r"boxes\[0\]\.id is 2147483648",
    ),
    "no query": (lambda: queries.read_query(pb.QueryRequest()), "query.query is missing"),
    "other answer": (
        lambda: queries.read_answer(queries.GEODESIC, pb.QueryReply(navigable=True)),
        "the reply holds navigable instead of geodesic_m",
    ),
    "seeds without an error": (
        lambda: queries.read_planted(pb.EnvironmentImagineRequest(seeds=[1])),
        "1 seeds for 0 candidates",
    ),
    "error of a number that is none": (
        lambda: queries.read_planted(pb.EnvironmentImagineRequest(error=pb.MotionError(jitter_m=float("nan")))),
        r"error\.jitter_m is NaN",
    ),
    "error out of range": (
        lambda: queries.read_planted(pb.EnvironmentImagineRequest(error=pb.MotionError(motion_scale=-1.0))),
        r"motion_scale -1 is not in 0\.\.4",
    ),
    "frames of nobody": (lambda: queries.read_candidates(candidates(2)), "2 lists of frames for 1 candidates"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_are_checked_and_fields_named(name: str) -> None:
    read, match = MESSAGES[name]
    with pytest.raises(Refusal, match=match):
        read()


def request(**changed: Any) -> RolloutRequest:
    fields: Dict[str, Any] = {"id": 1, "seed": 0, "view": np.zeros((16, 24, 3), np.uint8), "camera": FRONT}
    return RolloutRequest(**{**fields, "candidate": WALK, "frames": (1, 2), **changed})


def test_requests_are_checked_before_they_are_sent() -> None:
    with pytest.raises(Refusal, match="requests uses one id twice"):
        rollouts.write_batch([request(), request()])
    with pytest.raises(Refusal, match="has 1 poses for 3 actions"):
        rollouts.write_batch([request(poses=(ORIGIN,))])
    with pytest.raises(Refusal, match=r"requests\[0\].frames is 4, outside 1..3"):
        rollouts.write_batch([request(frames=(4,))])
    with pytest.raises(Refusal, match="1 lists of frames for 2 candidates"):
        queries.write_candidates([WALK, WALK], "front", [(1,)], pb.EnvironmentImagineRequest())
    with pytest.raises(Refusal, match="a is str, none of Primitive, Vector"):
        mapper.write(Action, "forward", pb.Action(), "a")


def test_a_batch_that_is_too_large_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MESSAGE_BYTES", 1000)
    with pytest.raises(LimitExceeded, match="bytes; at most 1000"):
        rollouts.write_batch([request()])


def head(**changed: Any) -> Any:
    small = pb.Camera(name="c", kind="pinhole", height=1, width=2, hfov_deg=90.0)
    return pb.RolloutPart(head=pb.RolloutHead(**{"id": 4, "camera": small, "frames": 2, **changed}))


def read(*parts: Any, accept: Callable[..., None] = lambda *head: None) -> None:
    reader = rollouts.RolloutReader(accept)
    for part in parts:
        reader.add(part.SerializeToString())
    reader.finish()


PARTS: Dict[str, Any] = {
    "no head": ([pb.RolloutPart(pixels=bytes(3))], Refusal, "pixels came before the head"),
    "no camera": ([pb.RolloutPart(head=pb.RolloutHead(frames=1))], Refusal, "camera is missing"),
    "cut off": ([pb.RolloutPart(head=head().head, pixels=bytes(5))], Refusal, "rollout 4 stops after 5 of 12 bytes"),
    "interleaved": ([pb.RolloutPart(head=head().head, pixels=bytes(5)), head()], Refusal, "stops after 5 of 12"),
    "no progress": ([head()], Refusal, "rollout 4 has a part without pixels"),
    "too long": ([pb.RolloutPart(head=head().head, pixels=bytes(13))], LimitExceeded, "more than its 12 bytes"),
    "confidence": ([head(confidence=[0.5])], LimitExceeded, "has 1 values for 2 frames"),
    "uncertain": ([head(confidence=[0.5, 1.5])], Refusal, r"outside \[0, 1\]"),
    "error with frames": ([head(error="no paint")], Refusal, "an error and 2 frames"),
    "too many frames": ([head(frames=2000)], Refusal, "frames is 2000"),
    "negative seconds": ([head(timings=[pb.NamedNumber(name="t", value=-1.0)])], Refusal, "timings.t is -1.0"),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_rollouts_are_checked(name: str) -> None:
    parts, error, match = PARTS[name]
    with pytest.raises(error, match=match):
        read(*parts)


def test_a_rollout_that_nobody_wants_takes_no_memory() -> None:
    def reject(id: int, camera: Camera, frames: int, failed: bool) -> None:
        raise Refusal(f"rollout {id} of {frames} frames was not asked for.")

    huge = pb.Camera(name="c", kind="pinhole", height=300, width=400, hfov_deg=90.0)
    tracemalloc.start()
    with pytest.raises(Refusal, match="was not asked for"):
        read(head(camera=huge, frames=300), accept=reject)
    huge.height = huge.width = 8192
    with pytest.raises(LimitExceeded, match="uint8 elements"):
        read(head(camera=huge, frames=1024))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_what_is_written_is_checked_too() -> None:
    two = np.zeros((2, 16, 24, 3), np.uint8)
    with pytest.raises(LimitExceeded, match="has 1 values for 2 frames"):
        list(rollouts.write_rollout(Rollout(1, two, FRONT, (0.5,))))
    with pytest.raises(Refusal, match="an error and 2 frames"):
        list(rollouts.write_rollout(Rollout(1, two, FRONT, error="no paint")))
    with pytest.raises(Refusal, match=r"map\.cell_m is 0"):
        write_top_down_map(TopDownMap(np.zeros((2, 2), bool), (0.0, 0.0), 0.0))
    with pytest.raises(Refusal, match="is not a unit quaternion"):
        mapper.write(Pose, Pose((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)), pb.Pose(), "pose")
