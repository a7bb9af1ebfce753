"""Earlier views: a world model that declares it gets the latest real views of this episode, placed where they belong.

Poses are held against the simulator's own, which the agent never sees: in a world without obstacles they are equal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator, List, Mapping, Sequence

import numpy as np
import pytest

from harness.contracts.actions import Action, Candidate, Primitive, navigation_space
from harness.contracts.cameras import Pose, quaternion_to_yaw
from harness.contracts.digest import array_digest
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import Observation, View, ViewRequest
from harness.contracts.rollouts import ContextView, Rollout, RolloutRequest
from harness.contracts.trajectories import PlayedEpisode
from harness.worldmodels.conditioning import pose_before
from harness.worldmodels.imaginer import EarlierView, PluginImaginer
from tasks.ignav.task import TASK
from tests.planning.test_loop import toy_tier
from tests.planning.toy import PANO, ToyEnvironment, toy_episode

MANIFEST = ModelManifest(name="toy", family="toy", kind="plugin", entry_point="toy:Toy", context_max=4)
Calls = List[List[RolloutRequest]]


class Recorder:
    """A world model that imagines no change and notes the requests of each call."""

    def __init__(self) -> None:
        self.calls: List[List[RolloutRequest]] = []

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self.calls.append(list(requests))
        for request in requests:
            yield Rollout(request.id, np.stack([request.view] * len(request.frames)), request.camera)


def record(manifest: ModelManifest, episodes: Sequence[Episode]) -> tuple[Calls, List[PlayedEpisode]]:
    """Play toy episodes one after another with one imaginer; return the calls and what was played."""
    model = Recorder()
    imaginer = PluginImaginer(model, manifest, navigation_space())
    environment, tier = ToyEnvironment(), toy_tier(decisions=3)
    played = [TASK.play_episode(environment, imaginer, e, tier, 0, "toy", "oracle") for e in episodes]
    return model.calls, played


def real_views(played: PlayedEpisode) -> list[tuple[Pose, str]]:
    """Return pose and image digest at the start and after each executed action, in order."""
    steps = [step for decision in played.trajectory.decisions for step in decision.steps]
    return [
        (played.trajectory.start, array_digest(played.frames[0].before)),
        *((step.pose, step.frame_digest) for step in steps),
    ]


def relative(pose: Pose, to: Pose, turned_deg: float) -> tuple[float, float, float]:
    """Return metres to the right, metres behind and yaw of ``pose``, seen from ``to`` after a further turn."""
    yaw = np.radians(quaternion_to_yaw(to.rotation) + turned_deg)
    dx, dz = pose.position[0] - to.position[0], pose.position[2] - to.position[2]
    right, back = dx * np.cos(yaw) - dz * np.sin(yaw), dx * np.sin(yaw) + dz * np.cos(yaw)
    return right, back, quaternion_to_yaw(pose.rotation) - np.degrees(yaw)


def test_the_latest_real_views_come_oldest_first_with_their_true_relative_poses() -> None:
    calls, (played,) = record(replace(MANIFEST, max_batch=64), [toy_episode(0)])
    assert len(calls) == len(played.trajectory.decisions) == 3
    seen, taken = real_views(played), 0
    for requests, decision in zip(calls, played.trajectory.decisions):
        expected = seen[max(0, taken - 4) : taken]
        here, image = seen[taken]
        for request in requests:
            assert [array_digest(view.rgb) for view in request.context] == [digest for _, digest in expected]
            turned = turn_between(image, request, played)
            for view, (pose, _) in zip(request.context, expected):
                right, back, yaw = relative(pose, here, turned)
                assert view.pose.position == pytest.approx((right, 0.0, back), abs=1e-9)
                assert abs((quaternion_to_yaw(view.pose.rotation) - yaw + 180.0) % 360.0 - 180.0) < 1e-6
        taken += len(decision.steps)
    assert [len(requests[0].context) for requests in calls] == [0, 4, 4]


def turn_between(image: str, request: RolloutRequest, played: PlayedEpisode) -> float:
    """Return by how much the request's view is the present panorama turned."""
    present = next(frames.before for frames in played.frames if array_digest(frames.before) == image)
    turns = [k for k in range(16) if np.array_equal(np.roll(present, k * PANO.width // 16, axis=1), request.view)]
    assert len(turns) == 1
    return turns[0] * 22.5


def test_a_model_that_declares_none_gets_none_and_plays_as_before() -> None:
    without, plain = record(replace(MANIFEST, context_max=0), [toy_episode(1)])
    with_views, played = record(MANIFEST, [toy_episode(1)])
    assert all(request.context == () for requests in without for request in requests)
    seeds = [[[r.seed for r in requests] for requests in calls] for calls in (without, with_views)]
    assert seeds[0] == seeds[1]
    assert played[0].trajectory.digest() == plain[0].trajectory.digest()


def test_no_view_of_another_episode_is_among_them() -> None:
    calls, played = record(MANIFEST, [toy_episode(2), toy_episode(3)])
    second = played[1].frames[0].before
    begins = next(i for i, requests in enumerate(calls) if any(_shows(second, r.view) for r in requests))
    assert begins > 0 and all(request.context == () for request in calls[begins])
    own = {digest for _, digest in real_views(played[1])}
    later = {array_digest(view.rgb) for requests in calls[begins:] for r in requests for view in r.context}
    assert later and later <= own and not later & {digest for _, digest in real_views(played[0])}


def _shows(panorama: np.ndarray, view: np.ndarray) -> bool:  # type: ignore[type-arg]
    return any(np.array_equal(np.roll(panorama, k * PANO.width // 16, axis=1), view) for k in range(16))


def test_poses_hold_nothing_but_the_actions_since() -> None:
    """The way before would tell where the episode began: equal moves since give equal bits, wherever they are made."""
    calls, (played,) = record(replace(MANIFEST, max_batch=64), [toy_episode(0)])
    actions = [step.action for decision in played.trajectory.decisions for step in decision.steps]
    taken = len(played.trajectory.decisions[0].steps)
    for request in calls[1]:
        turned = turn_between(real_views(played)[taken][1], request, played)
        since = [actions[number:taken] for number in range(taken - 4, taken)]
        assert [view.pose for view in request.context] == [pose_before(moves, turned) for moves in since]


class Watched(ToyEnvironment):
    """Notes which cameras were rendered in each call of step."""

    def __init__(self) -> None:
        super().__init__()
        self.rendered: List[tuple[str, ...]] = []

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        self.rendered.append(tuple(view.camera for view in views))
        return super().step(actions, views)


@pytest.mark.parametrize(("context_max", "expected"), [(0, {("pano",), ("pano", "front")}), (2, {("pano", "front")})])
def test_the_further_camera_is_rendered_at_every_step_only_where_earlier_views_are_wanted(
    context_max: int, expected: set[tuple[str, ...]]
) -> None:
    environment = Watched()
    imaginer = _FrontSeeing(context_max)
    TASK.play_episode(environment, imaginer, toy_episode(0), toy_tier(decisions=2), 0, "copy", "oracle")
    assert set(environment.rendered) == expected
    assert imaginer.shown == ([0, min(context_max, 2)] if context_max else [0, 0])


class _FrontSeeing:
    """Imagines no change; wants the front camera, and earlier views of it."""

    every_frame = True
    further_view = ViewRequest("front")

    def __init__(self, context_max: int) -> None:
        self.context_max = context_max
        self.rollouts = 0
        self.shown: List[int] = []

    def imagine(
        self,
        view: View,
        candidates: Sequence[Candidate],
        frames: Sequence[Sequence[int]],
        seeds: Sequence[int],
        further: View | None = None,
        earlier: Sequence[EarlierView] = (),
    ) -> list[Mapping[int, View]]:
        assert all(seen.view.camera.name == "front" for seen in earlier)
        self.shown.append(len(earlier))
        return [dict.fromkeys(wanted, view) for wanted in frames]


def test_more_earlier_views_than_declared_are_refused() -> None:
    model = Recorder()
    imaginer = PluginImaginer(model, MANIFEST, navigation_space())
    view = View(PANO, np.zeros((PANO.height, PANO.width, 3), np.uint8))
    ahead = Primitive("forward", 0.2)
    with pytest.raises(Refusal, match="5 earlier views"):
        imaginer.imagine(view, [Candidate((ahead,))], [[1]], [0], None, [EarlierView(view, (ahead,))] * 5)
    imaginer.imagine(view, [Candidate((ahead,))], [[1]], [0], None, [EarlierView(view, (ahead,))] * 2)
    (contexts,) = [request.context for request in model.calls[0]]
    assert [type(context) for context in contexts] == [ContextView] * 2
    assert contexts[0].pose.position == pytest.approx((0.0, 0.0, 0.2))
