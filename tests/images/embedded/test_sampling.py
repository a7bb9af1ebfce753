"""Episodes stay in the band of their tier and depend on nothing but home, constants and seed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.contracts.cameras import quaternion_to_yaw
from harness.contracts.errors import EpisodeError
from harness.contracts.observations import View
from images.embedded.environment import RIG, make_scene
from images.embedded.sampling import TierConstants, sample_episodes, view_flaw
from tests.image_goals import goal_of
from tests.images.embedded.tiny_home import tiny_home

EASY = TierConstants("ignav", "easy", "test", 1.5, 3.0, 0.5, least_instances=3)


def test_episodes_are_in_the_band_and_told_apart() -> None:
    scene = make_scene("test-0007", tiny_home())
    episodes, statistics = sample_episodes(scene, EASY, 6)
    assert [episode.id for episode in episodes] == [f"test-0007-{index:02d}" for index in range(6)]
    for episode in episodes:
        assert 1.5 <= goal_of(episode).geodesic_m <= 3.0
        assert goal_of(episode).geodesic_m == scene.navigator.geodesic_distance(
            episode.start.position, goal_of(episode).goal.position
        )
        assert episode.reference_actions >= (goal_of(episode).geodesic_m - goal_of(episode).radius_m) / 0.2 - 1.0
        for pose in (episode.start, goal_of(episode).goal):
            assert quaternion_to_yaw(pose.rotation) % 22.5 == pytest.approx(0.0, abs=1e-6) or quaternion_to_yaw(
                pose.rotation
            ) % 22.5 == pytest.approx(22.5, abs=1e-6)
    counts = statistics.counts
    assert counts["goal drawn"] == sum(n for name, n in counts.items() if name.startswith("goal ")) / 2
    assert counts["start kept"] == 6
    assert sample_episodes(make_scene("test-0007", tiny_home()), EASY, 6)[0] == episodes


def test_another_seed_gives_other_episodes() -> None:
    scene = make_scene("test-0007", tiny_home())
    assert sample_episodes(scene, EASY, 2, seed=1)[0] != sample_episodes(scene, EASY, 2)[0]


def test_detours_are_longer_than_the_straight_line() -> None:
    scene = make_scene("test-0007", tiny_home())
    detour = dataclasses.replace(EASY, geodesic_high_m=6.0, least_detour=1.15, least_instances=2)
    for episode in sample_episodes(scene, detour, 2)[0]:
        (x0, _, z0), (x1, _, z1) = episode.start.position, goal_of(episode).goal.position
        assert goal_of(episode).geodesic_m >= 1.15 * np.hypot(x1 - x0, z1 - z0)


def test_a_home_without_such_episodes_says_so() -> None:
    scene = make_scene("test-0007", tiny_home())
    far = dataclasses.replace(EASY, geodesic_low_m=50.0, geodesic_high_m=60.0, attempts=5)
    with pytest.raises(EpisodeError, match="gave 0 of 1 episodes in 5 attempts"):
        sample_episodes(scene, far, 1)


def test_what_makes_a_view_unfit() -> None:
    camera = RIG.camera("front")
    ids = np.arange(128 * 128, dtype=np.int32).reshape(128, 128) // 1024 + 1
    depth = np.full((128, 128), 2.0, np.float32)
    rgb = np.zeros((128, 128, 3), np.uint8)
    constants = dataclasses.replace(EASY, least_instances=6)
    assert view_flaw(View(camera, rgb, depth, ids), constants) == ""
    assert view_flaw(View(camera, rgb, depth, ids // 4 + 1), constants) == "few instances"
    assert view_flaw(View(camera, rgb, np.full_like(depth, 1.0), ids), constants) == "shallow"
    near = depth.copy()
    near[:20] = 0.4
    assert view_flaw(View(camera, rgb, near, ids), constants) == "near"
