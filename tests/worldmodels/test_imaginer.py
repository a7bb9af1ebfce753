"""Imaginers: whatever is folded, shared and batched inside, the caller gets the frames it wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.actions import Candidate, Primitive, Vector, discrete7_space, navigation_space
from harness.contracts.cameras import PINHOLE, Camera, quaternion_to_yaw
from harness.contracts.errors import EpisodeError, Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import View, ViewRequest
from harness.contracts.rollouts import Rollout, RolloutRequest, failed_rollout
from harness.wire.limits import MIB
from harness.worldmodels.imaginer import EarlierView, EnvironmentImaginer, PluginImaginer
from harness.worldmodels.panorama import front_crop, resize
from tests.worldmodels.toy_world import AHEAD, LEFT, PANO, RIGHT, ToyEnvironment, ToyModel, play, toy_view

MANIFEST = ModelManifest(name="toy", family="toy", kind="plugin", entry_point="toy:Toy", every_frame=False)
SPACE = navigation_space()

candidates = st.lists(
    st.lists(st.sampled_from([LEFT, RIGHT, AHEAD]), max_size=7).map(lambda moves: Candidate(tuple(moves))), max_size=8
)


def plugin(manifest: ModelManifest = MANIFEST) -> tuple[ToyModel, PluginImaginer]:
    model = ToyModel()
    return model, PluginImaginer(model, manifest, SPACE)


def forwards(lead: Sequence[Primitive], count: int, tail: Sequence[Primitive] = ()) -> Candidate:
    return Candidate((*lead, *([AHEAD] * count), *tail))


@given(candidates, st.booleans(), st.integers(1, 3), st.data())
def test_a_perfect_model_gives_the_world_itself(
    proposed: list[Candidate], every_frame: bool, max_batch: int, data: st.DataObject
) -> None:
    view = toy_view()
    wanted = [sorted(data.draw(st.sets(st.integers(0, len(c))), label="frames")) for c in proposed]
    seeds = list(range(len(proposed)))
    model, imaginer = plugin(replace(MANIFEST, every_frame=every_frame, max_batch=max_batch))
    imagined = imaginer.imagine(view, proposed, wanted, seeds)
    real = EnvironmentImaginer(ToyEnvironment(view.rgb)).imagine(view, proposed, [w or [0] for w in wanted], seeds)
    for views, indices, expected in zip(imagined, wanted, real, strict=True):
        assert list(views) == indices
        for index in indices:
            np.testing.assert_array_equal(views[index].rgb, expected[index].rgb)
            assert views[index].camera == PANO
    assert imaginer.rollouts == sum(len(batch) for batch in model.batches)
    assert all(len(batch) <= max_batch for batch in model.batches)


def test_pure_turns_never_reach_the_model() -> None:
    model, imaginer = plugin()
    turns = [Candidate((LEFT,) * 5), Candidate((LEFT, RIGHT, RIGHT)), Candidate(())]
    imaginer.imagine(toy_view(), turns, [[0, 5], [1, 2, 3], [0]], [1, 2, 3])
    assert (model.batches, imaginer.rollouts) == ([], 0)


def test_equal_prefixes_are_asked_once_with_the_longest_candidates_seed() -> None:
    model, imaginer = plugin(replace(MANIFEST, max_batch=8))
    around = [(LEFT,) * 8, (RIGHT,) * 8, (LEFT,)]
    proposed = [forwards(lead, count) for lead in around for count in (2, 5, 8)]
    imaginer.imagine(toy_view(), proposed, [[len(c)] for c in proposed], list(range(9)))
    asked = model.batches[0]
    assert imaginer.rollouts == 2, "turning left or right by 180 degrees leads to the same view"
    assert [len(request.candidate) for request in asked] == [8, 8]
    assert [request.frames for request in asked] == [(2, 5, 8), (2, 5, 8)]
    assert [request.seed for request in asked] == [2, 8]


def test_all_frames_are_asked_where_they_cost_nothing() -> None:
    model, imaginer = plugin(replace(MANIFEST, every_frame=True))
    views = imaginer.imagine(toy_view(), [forwards((LEFT,), 4)], [[3]], [0])
    assert model.batches[0][0].frames == (1, 2, 3, 4)
    assert list(views[0]) == [3]


def test_a_request_holds_nothing_that_a_plugin_may_not_know() -> None:
    model, imaginer = plugin()
    view = toy_view()
    imaginer.imagine(view, [forwards((LEFT, LEFT), 2, (RIGHT,))], [[5]], [77])
    request = model.batches[0][0]
    assert (request.id, request.seed, request.camera, request.context) == (0, 77, PANO, ())
    assert request.candidate == forwards((), 2)
    np.testing.assert_array_equal(request.view, np.roll(view.rgb, 4, axis=1))


def test_the_environment_is_called_once_a_decision() -> None:
    environment = ToyEnvironment(toy_view().rgb)
    imaginer = EnvironmentImaginer(environment)
    imaginer.imagine(toy_view(), [forwards((), 1), forwards((), 2)], [[1], [0, 2]], [0, 0])
    assert (environment.calls, imaginer.rollouts) == (1, 2)
    assert imaginer.imagine(toy_view(), [], [], []) == []


class CropModel:
    """A perspective model that keeps the view, marked by the frame number."""

    def __init__(self) -> None:
        self.requests: list[RolloutRequest] = []

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self.requests.extend(requests)
        for request in requests:
            frames = np.stack([np.full_like(request.view, frame) for frame in request.frames])
            yield Rollout(request.id, frames, request.camera)


def test_perspective_models_see_the_front_crop_and_keep_trailing_turns() -> None:
    model = CropModel()
    imaginer = PluginImaginer(model, replace(MANIFEST, view="perspective", height=24, width=24), SPACE)
    view = toy_view()
    views = imaginer.imagine(view, [forwards((LEFT,), 1, (RIGHT,))], [[0, 1, 2, 3]], [0])[0]
    request = model.requests[0]
    assert request.candidate.actions == (AHEAD, RIGHT)
    assert request.camera == Camera("front_crop", PINHOLE, 24, 24, 90.0, 1.25)
    turned = front_crop(view, (24, 24), 90.0, 22.5).rgb
    np.testing.assert_array_equal(request.view, turned)
    np.testing.assert_array_equal(views[0].rgb, front_crop(view, (24, 24), 90.0).rgb)
    np.testing.assert_array_equal(views[1].rgb, turned)
    assert [int(views[i].rgb[0, 0, 0]) for i in (2, 3)] == [1, 2]
    assert {v.camera.kind for v in views.values()} == {PINHOLE}


class BrokenModel:
    """Answers with whatever it was given."""

    def __init__(self, *rollouts: Rollout) -> None:
        self.rollouts = rollouts

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        yield from self.rollouts


GOOD = Rollout(0, np.zeros((1, 4, 32, 3), np.uint8), PANO)


@pytest.mark.parametrize(
    ("rollouts", "message"),
    [
        ((failed_rollout(0, PANO, "CUDA out of memory"),), "'toy' failed on rollout 0: CUDA out of memory"),
        ((), r"did not answer the rollouts \[0\]"),
        ((GOOD, GOOD), "answered rollout 0, which was not asked"),
        ((replace(GOOD, id=5),), "answered rollout 5, which was not asked"),
        ((replace(GOOD, rgb=np.zeros((2, 4, 32, 3), np.uint8)),), r"\[2, 4, 32, 3\] where equirect \[1, 4, 32, 3\]"),
        ((replace(GOOD, camera=replace(PANO, kind=PINHOLE)),), "answered pinhole"),
    ],
)
def test_a_broken_answer_ends_the_episode_and_names_the_model(rollouts: tuple[Rollout, ...], message: str) -> None:
    imaginer = PluginImaginer(BrokenModel(*rollouts), MANIFEST, SPACE)
    with pytest.raises(EpisodeError, match=message):
        imaginer.imagine(toy_view(), [forwards((), 1)], [[1]], [0])


def test_wrong_questions_are_refused() -> None:
    _, imaginer = plugin(replace(MANIFEST, frames=3))
    view = toy_view()
    with pytest.raises(Refusal, match=r"ascending numbers in 0\.\.1"):
        imaginer.imagine(view, [forwards((), 1)], [[2]], [0])
    with pytest.raises(Refusal, match="ascending"):
        imaginer.imagine(view, [forwards((), 2)], [[2, 1]], [0])
    with pytest.raises(Refusal, match="1 candidates came with 0 seeds"):
        imaginer.imagine(view, [forwards((), 1)], [[1]], [])
    with pytest.raises(Refusal, match="not in the space 'navigation'"):
        imaginer.imagine(view, [Candidate((Primitive("turn_left", 30.0),))], [[1]], [0])
    with pytest.raises(Refusal, match="imagines at most 3 actions"):
        imaginer.imagine(view, [forwards((LEFT,), 4)], [[1]], [0])
    front = View(Camera("front", PINHOLE, 8, 8, 90.0, 1.25), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(Refusal, match="needs an equirect view; camera 'front' is pinhole"):
        imaginer.imagine(front, [forwards((), 1)], [[1]], [0])


def test_where_nothing_turns_a_perspective_model_sees_the_whole_pinhole_view_at_its_own_size() -> None:
    view = View(Camera("front", PINHOLE, 8, 8, 40.0, 0.0), np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    plan = Candidate((Vector("discrete7", (50.0, 50.0, 30.0, 120.0, 60.0, 60.0, 1.0)),) * 2)
    arm = replace(MANIFEST, view="perspective", conditioning="none")
    model = EchoModel()
    (seen,) = PluginImaginer(model, arm, discrete7_space()).imagine(view, [plan], [[1, 2]], [0])
    assert model.requests[0].camera == view.camera and model.requests[0].candidate == plan
    assert all(np.array_equal(seen[number].rgb, view.rgb) for number in (1, 2))
    model = EchoModel()
    imaginer = PluginImaginer(model, replace(arm, height=16, width=16), discrete7_space())
    (seen,) = imaginer.imagine(view, [plan], [[2]], [0])
    assert model.requests[0].view.shape == (16, 16, 3) and seen[2].rgb.shape == view.rgb.shape
    with pytest.raises(Refusal, match="needs an equirect view"):
        PluginImaginer(EchoModel(), MANIFEST, discrete7_space()).imagine(view, [plan], [[1]], [0])


class EchoModel:
    """Answers every frame with the conditioning view, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[RolloutRequest] = []

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self.requests.extend(requests)
        for request in requests:
            yield Rollout(request.id, np.stack([request.view] * len(request.frames)), request.camera)


def test_text_and_camera_models_are_told_what_follows_the_leading_turns() -> None:
    candidate = forwards((LEFT, LEFT), 2, (RIGHT,))
    for conditioning in ("text", "camera"):
        model = EchoModel()
        imaginer = PluginImaginer(model, replace(MANIFEST, conditioning=conditioning), SPACE)
        imaginer.imagine(
            toy_view(), [candidate, forwards((LEFT, LEFT), 1), forwards((RIGHT,), 0)], [[4], [3], [1]], [0, 1, 2]
        )
        (request,) = model.requests  # one for the equal prefix, none for the turn
        assert request.candidate.actions == (AHEAD, AHEAD)
        assert request.frames == (1, 2)
        if conditioning == "text":
            assert request.prompt.count("go 0.2 m straight ahead") == 2
            assert "rotate" not in request.prompt
            assert request.poses == ()
        else:
            assert [pose.position for pose in request.poses] == [(0.0, 0.0, -0.2), (0.0, 0.0, -0.4)]
            assert request.prompt == ""


def test_a_model_of_another_size_imagines_from_the_further_view_and_is_compared_at_the_agents_size() -> None:
    model = EchoModel()
    manifest = replace(MANIFEST, height=8, width=64)
    large = replace(PANO, name="large", height=16, width=128)
    imaginer = PluginImaginer(model, manifest, SPACE, ViewRequest("large", depth=False))
    rgb = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (16, 128, 3)).astype(np.uint8)
    view = toy_view()
    views = imaginer.imagine(view, [forwards((LEFT,), 1, (RIGHT,))], [[0, 1, 2, 3]], [0], View(large, rgb))[0]
    (request,) = model.requests
    np.testing.assert_array_equal(request.view, resize(np.roll(rgb, 8, axis=1), 8, 64))
    assert (request.camera.height, request.camera.width) == (8, 64)
    np.testing.assert_array_equal(views[0].rgb, view.rgb)
    np.testing.assert_array_equal(views[1].rgb, np.roll(view.rgb, 2, axis=1))
    seen = resize(request.view, 4, 32)
    np.testing.assert_array_equal(views[2].rgb, seen)
    np.testing.assert_array_equal(views[3].rgb, np.roll(seen, -2, axis=1))
    assert {(v.camera.height, v.camera.width) for v in views.values()} == {(4, 32)}


def test_depth_is_turned_with_the_view_and_never_resized() -> None:
    model = EchoModel()
    imaginer = PluginImaginer(model, replace(MANIFEST, conditioning="camera", settings={"depth": True}), SPACE)
    depth = np.arange(4 * 32, dtype=np.float32).reshape(4, 32)
    view = toy_view()
    imaginer.imagine(view, [forwards((LEFT,), 1)], [[2]], [0], replace(view, depth=depth))
    np.testing.assert_array_equal(model.requests[0].depth, np.roll(depth, 2, axis=1))
    larger = PluginImaginer(model, replace(MANIFEST, height=8, width=64), SPACE)
    with pytest.raises(Refusal, match="needs depth at 8 x 64"):
        larger.imagine(view, [forwards((LEFT,), 1)], [[2]], [0], replace(view, depth=depth))


def test_no_call_holds_more_than_one_message_can(monkeypatch: pytest.MonkeyPatch) -> None:
    model, imaginer = plugin(replace(MANIFEST, max_batch=8, context_max=2))
    view = toy_view()
    monkeypatch.setattr("harness.worldmodels.merging.MAX_MESSAGE_BYTES", 8 * MIB + 6 * view.rgb.nbytes)
    proposed = [forwards((LEFT,) * lead, 1) for lead in range(5)]
    earlier = [EarlierView(toy_view(1), (AHEAD, LEFT)), EarlierView(toy_view(2), (LEFT,))]
    imaginer.imagine(view, proposed, [[len(c)] for c in proposed], list(range(5)), None, earlier)
    assert [len(batch) for batch in model.batches] == [2, 2, 1]
    assert all(len(request.context) == 2 for batch in model.batches for request in batch)


def test_earlier_views_are_as_large_as_the_conditioning_view() -> None:
    manifest = replace(MANIFEST, view="perspective", height=24, width=24, context_max=1)
    model = CropModel()
    earlier = EarlierView(toy_view(1), (AHEAD,))
    PluginImaginer(model, manifest, SPACE).imagine(toy_view(), [forwards((LEFT,), 1)], [[2]], [0], None, [earlier])
    (context,) = model.requests[0].context
    np.testing.assert_array_equal(context.rgb, front_crop(toy_view(1), (24, 24), 90.0).rgb)
    assert quaternion_to_yaw(context.pose.rotation) == pytest.approx(-22.5)


def test_front_views_of_a_perspective_model_have_the_size_of_the_agents_camera() -> None:
    """The agent looks ahead; the model works at another size, and starts from crops of the panorama around."""
    front = Camera("front", PINHOLE, 6, 6, 90.0, 1.25)
    around = toy_view()
    ahead = View(front, np.zeros((6, 6, 3), np.uint8))
    manifest = replace(MANIFEST, view="perspective", height=12, width=12)
    model = ToyModel()
    imaginer = PluginImaginer(model, manifest, SPACE, ViewRequest("pano"))
    candidate = Candidate((LEFT, LEFT, AHEAD, RIGHT))
    answer = imaginer.imagine(ahead, [candidate], [(0, 2, 3, 4)], [7], around)[0]
    assert {i: (seen.camera.kind, seen.rgb.shape) for i, seen in answer.items()} == dict.fromkeys(
        (0, 2, 3, 4), (PINHOLE, (6, 6, 3))
    )
    request = model.batches[0][0]
    assert request.view.shape == (12, 12, 3) and request.candidate.actions == (AHEAD, RIGHT)
    assert np.array_equal(request.view, front_crop(around, (12, 12), 90.0, 45.0).rgb)
    assert np.array_equal(answer[2].rgb, resize(request.view, 6, 6))
    assert np.array_equal(answer[3].rgb, resize(play(request.view, (AHEAD,))[1], 6, 6))
