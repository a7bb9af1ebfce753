"""A plugin must not learn the goal, the episode or where it is: all that reaches one is recorded and searched.

The searches are for bytes, whatever field or encoding they might hide in; each has a control that shows that it finds
what is there.
"""

from __future__ import annotations

import itertools
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.contracts import seeds
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.episodes import Episode
from harness.contracts.observations import ViewRequest
from harness.contracts.trajectories import PlayedEpisode
from harness.running.episode_runner import SuitePlayer
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from harness.wire.generated import wiw_pb2
from tests.image_goals import goal_of

pytest.importorskip("numba")

RUN_SEED = 6_847_119_203_557_301_889
HEADINGS = 16
EXPECTED_FIELDS = {"id", "seed", "view", "camera", "candidate", "frames"}
DECISIONS, CANDIDATES = 40, 80
"""More of each than any episode here has."""


@dataclass(frozen=True)
class Seen:
    """What one plugin got while one episode was played."""

    episode: Episode
    played: PlayedEpisode
    requests: tuple[bytes, ...]
    others: bytes

    @property
    def everything(self) -> bytes:
        """Return all bytes, those of pictures included."""
        return b"\0".join((*self.requests, self.others))

    def messages(self) -> Iterator[wiw_pb2.RolloutRequest]:
        """Return each rollout request that was received."""
        for data in self.requests:
            yield from wiw_pb2.WorldModelImagineRequest.FromString(data).requests

    def without_pixels(self) -> bytes:
        """Return all bytes but those of pictures: short needles would be found in pixels by chance."""
        kept = []
        for request in self.messages():
            request.view.data = b""
            kept.append(request.SerializeToString())
        return b"\0".join((*kept, self.others))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Play one real ignav episode with a plugin that keeps all it gets."""
    folder = tmp_path_factory.mktemp("recording") / "recorder"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("recorder_plugin.py"), folder / "recorder_plugin.py")
    (folder / "plugin.toml").write_text(
        '[family]\nname = "recorder"\nentry_point = "recorder_plugin:Recorder"\n'
        '[[model]]\nname = "recorder"\nmax_batch = 8\n'
    )
    options = RunOptions("recorder", "ignav", episodes="1", seeds=str(RUN_SEED), plugins=(folder,))
    plan = make_plan(options)
    episode = plan.identity.episodes[0]
    player = SuitePlayer(plan, folder.parent / "logs")
    try:
        played = player.play(episode, RUN_SEED)
    finally:
        player.close()
    files = sorted((folder.parent / "seen").iterdir())
    requests = tuple(file.read_bytes() for file in files if file.name.startswith("imagine"))
    others = b"\0".join(file.read_bytes() for file in files if not file.name.startswith("imagine"))
    assert {file.name.partition("-")[0] for file in files} == {"command", "describe", "imagine", "spec", "variables"}
    return Seen(episode, played, requests, others)


def goal_pictures(episode: Episode) -> list[np.ndarray]:
    """Return what every camera of the loop sees at the goal's place, at all headings from the goal's own."""
    from harness.contracts.folders import cache_root
    from images.embedded.environment import EmbeddedEnvironment

    environment = EmbeddedEnvironment(str(cache_root()))
    environment.reset(episode, 0, [])
    pictures = []
    for base in (quaternion_yaw(goal_of(episode).goal), 0.0):
        for number in range(HEADINGS):
            rotation = yaw_to_quaternion(base + number * 360.0 / HEADINGS)
            turned = Pose(goal_of(episode).goal.position, rotation)
            (seen,) = environment.render([turned], [ViewRequest("front"), ViewRequest("pano")])
            pictures += [view.rgb for view in seen.values()]
    environment.close()
    return pictures


def quaternion_yaw(pose: Pose) -> float:
    """Return a pose's yaw in degrees."""
    from harness.contracts.cameras import quaternion_to_yaw

    return quaternion_to_yaw(pose.rotation)


def rows_of(picture: np.ndarray) -> list[bytes]:
    """Return rows of a picture that could not be found by chance: those with many different pixels, one in eight."""
    rows = [row for row in picture[::8] if len(np.unique(row.reshape(-1, 3), axis=0)) >= 12]
    return [row.tobytes() for row in rows]


def encodings(number: float) -> list[bytes]:
    """Return the forms in which a number could travel: doubles and floats of either byte order, and text."""
    binary = [struct.pack(form, number) for form in ("<d", ">d", "<f", ">f")]
    return [*binary, repr(number).encode(), f"{number:.4f}".encode()]


def places(seen: Seen) -> list[float]:
    """Return the coordinates of the goal, the start and every place the agent was at; round ones prove nothing."""
    poses = [goal_of(seen.episode).goal, seen.episode.start, seen.played.trajectory.start]
    poses += [step.pose for decision in seen.played.trajectory.decisions for step in decision.steps]
    numbers = {number for pose in poses for number in pose.position}
    return sorted(number for number in numbers if number != round(number, 1))


def test_the_record_is_complete_and_can_be_searched(seen: Seen) -> None:
    decisions = [d for d in seen.played.trajectory.decisions if d.rollouts]
    assert len(list(seen.messages())) == sum(d.rollouts for d in decisions) > 0
    for request in seen.messages():
        view = np.frombuffer(request.view.data, np.uint8).reshape(tuple(request.view.shape))
        rows = rows_of(view)
        assert rows and all(row in seen.everything for row in rows)
    assert b"recorder_plugin:Recorder" in seen.others
    assert any(struct.pack("<d", 0.2) in data for data in seen.requests), "commanded forwards are doubles"


def test_a_request_has_the_fields_of_the_contract_alone(seen: Seen) -> None:
    for request in seen.messages():
        assert {field.name for field, _ in request.ListFields()} <= EXPECTED_FIELDS
        for field, value in request.camera.ListFields():
            assert field.name not in ("name",) or value in ("front", "pano"), value


def test_request_ids_only_number_the_requests_of_a_decision(seen: Seen) -> None:
    most = max(decision.rollouts for decision in seen.played.trajectory.decisions)
    for data in seen.requests:
        ids = [request.id for request in wiw_pb2.WorldModelImagineRequest.FromString(data).requests]
        assert ids == list(range(ids[0], ids[0] + len(ids))) and ids[-1] < most


def test_no_picture_of_the_goal_reaches_a_plugin(seen: Seen) -> None:
    goal = seen.played.prompt
    pictures = [goal, *goal_pictures(seen.episode)]
    assert any(np.array_equal(goal, picture) for picture in pictures[1:]), "the goal's own heading is among them"
    everything = seen.everything
    for picture in pictures:
        rows = rows_of(picture)
        assert rows
        assert picture.tobytes() not in everything
        assert not [row for row in rows if row in everything]
    assert all(row in everything + goal.tobytes() for row in rows_of(goal)), "a leak would be found"


def test_no_place_reaches_a_plugin(seen: Seen) -> None:
    numbers = places(seen)
    assert len(numbers) >= 4
    searched = seen.without_pixels()
    everything = seen.everything
    for number in numbers:
        assert struct.pack("<d", number) not in everything
        assert not [form for form in encodings(number) if form in searched]
    spoken = wiw_pb2.RolloutRequest(poses=[wiw_pb2.Pose(position=wiw_pb2.Vec3(x=numbers[0]))])
    assert any(form in spoken.SerializeToString() for form in encodings(numbers[0])), "a leak would be found"


def test_no_name_and_no_run_seed_reaches_a_plugin(seen: Seen) -> None:
    episode = seen.episode
    everything = seen.everything.lower()
    for name in (episode.id, episode.home, episode.scene, str(RUN_SEED), f"{RUN_SEED:x}"):
        assert len(name) >= 6
        assert name.encode() not in everything
    assert struct.pack("<q", RUN_SEED) not in seen.everything
    assert wiw_pb2.RolloutRequest(id=RUN_SEED).SerializeToString()[1:] not in seen.everything


def test_seeds_do_not_tell_the_episode_to_who_tries_them_all(seen: Seen) -> None:
    """Episodes are public: a seed derived from an episode's id would be a look-up key for its goal."""
    given = {request.seed for request in seen.messages()}
    keys = itertools.product(range(DECISIONS), range(CANDIDATES), ("imagine", ""))
    names = (seen.episode.id, seen.episode.home, seen.episode.digest())
    guessed = {
        seeds.derive(RUN_SEED, name, decision, candidate, role) >> 64
        for decision, candidate, role in keys
        for name in names
    }
    assert given and not given & guessed
