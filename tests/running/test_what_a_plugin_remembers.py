"""Earlier views in real episodes, as a plugin gets them: those of its own episode, in order, and no place in the world.

Two episodes are played one after another by one service, as a run does.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.contracts.trajectories import PlayedEpisode
from harness.running.episode_runner import SuitePlayer
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from harness.wire.generated import wiw_pb2
from harness.worldmodels.conditioning import pose_before
from tests.running.test_what_a_plugin_sees import Seen, encodings, places

pytest.importorskip("numba")

CONTEXT = 3
Request = wiw_pb2.RolloutRequest


@pytest.fixture(scope="module")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Seen, ...]:
    """Play two ignav episodes with a plugin that keeps all it gets and declares `CONTEXT` earlier views."""
    folder = tmp_path_factory.mktemp("recording") / "recorder"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("recorder_plugin.py"), folder / "recorder_plugin.py")
    (folder / "plugin.toml").write_text(
        '[family]\nname = "recorder"\nentry_point = "recorder_plugin:Recorder"\n'
        f'[[model]]\nname = "recorder"\nmax_batch = 64\ncontext_max = {CONTEXT}\n'
    )
    options = RunOptions("recorder", "ignav", episodes="2", stop="oracle", plugins=(folder,))
    plan = make_plan(options)
    player = SuitePlayer(plan, folder.parent / "logs")
    found: list[Seen] = []
    known: set[Path] = set()
    try:
        for episode in plan.identity.episodes:
            played = player.play(episode, 0)
            files = sorted(set((folder.parent / "seen").glob("imagine-*")) - known)
            known |= set(files)
            found.append(Seen(episode, played, tuple(file.read_bytes() for file in files), b""))
    finally:
        player.close()
    return tuple(found)


def real_views(played: PlayedEpisode) -> list[bytes]:
    """Return the pixels of what the agent saw at the start and after each action."""
    return [played.frames[0].before.tobytes(), *(view.tobytes() for frames in played.frames for view in frames.real)]


def test_the_latest_views_of_this_episode_come_oldest_first(episodes: tuple[Seen, ...]) -> None:
    for seen in episodes:
        views, taken = real_views(seen.played), 0
        decisions = seen.played.trajectory.decisions
        assert len(seen.requests) == len(decisions) > 1
        for data, decision in zip(seen.requests, decisions):
            for request in wiw_pb2.WorldModelImagineRequest.FromString(data).requests:
                assert [view.rgb.data for view in request.context] == views[max(0, taken - CONTEXT) : taken]
            taken += len(decision.steps)


def test_no_view_of_the_other_episode_is_among_them(episodes: tuple[Seen, ...]) -> None:
    first, second = (set(real_views(seen.played)) for seen in episodes)
    remembered = {view.rgb.data for request in episodes[1].messages() for view in request.context}
    assert remembered and remembered <= second and not remembered & first


def test_poses_are_those_of_the_commanded_actions_since(episodes: tuple[Seen, ...]) -> None:
    for seen in episodes:
        actions = [step.action for decision in seen.played.trajectory.decisions for step in decision.steps]
        taken = 0
        for data, decision in zip(seen.requests, seen.played.trajectory.decisions):
            for request in wiw_pb2.WorldModelImagineRequest.FromString(data).requests:
                numbers = range(max(0, taken - CONTEXT), taken)
                for view, number in zip(request.context, numbers):
                    x, _, z = pose_before(actions[number:taken]).position
                    place = view.pose.position
                    assert math.hypot(place.x, place.z) == pytest.approx(math.hypot(x, z), abs=1e-9)
            taken += len(decision.steps)


def test_no_place_is_in_them(episodes: tuple[Seen, ...]) -> None:
    for seen in episodes:
        kept = []
        for request in seen.messages():
            request.view.data = b""
            for view in request.context:
                view.rgb.data = b""
            kept.append(request.SerializeToString())
        searched = b"\0".join(kept)
        for number in places(seen):
            assert not [form for form in encodings(number) if form in searched]


def test_they_are_as_large_as_the_conditioning_view(episodes: tuple[Seen, ...]) -> None:
    for seen in episodes:
        shapes = {
            (tuple(request.view.shape), tuple(view.rgb.shape))
            for request in seen.messages()
            for view in request.context
        }
        assert shapes and all(np.array_equal(*pair) for pair in shapes)
