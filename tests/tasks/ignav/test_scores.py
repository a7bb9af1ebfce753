"""Scores: identical places win, headings do not matter, and equal input gives equal bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.cameras import Camera, Pose
from harness.contracts.errors import Refusal
from harness.contracts.observations import RGB, View, ViewRequest
from harness.planning.config import PartConfig
from harness.planning.lpips_metric import missing_part
from harness.worldmodels.panorama import crop
from tasks.ignav.parts import PARTS
from tasks.ignav.scores import descriptors
from tasks.ignav.scores.classical import Classical, HeadingComparer
from tasks.ignav.scores.crops import crop_into, crop_map, reduce_to
from tasks.ignav.scores.front import FrontSimilarity
from tests.planning.toy import ToyEnvironment, toy_episode

PANO = Camera("pano", "equirect", 128, 256, 360.0, 1.25)
FRONT = Camera("front", "pinhole", 128, 128, 90.0, 1.25)


def blocks(seed: int, height: int = 128, width: int = 256, block: int = 8) -> RGB:
    """Return coloured blocks, a picture with edges and several colours."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // block, width // block, 3))
    return np.kron(small, np.ones((block, block, 1), np.int64)).astype(np.uint8)


def goal_of(panorama: RGB, left_turns: int = 0) -> View:
    """Return the front view at a heading of a panorama."""
    return View(FRONT, crop(panorama, 128, 128, 90.0, left_turns * 22.5))


def comparer(goal: View) -> HeadingComparer:
    return Classical().against(goal)


@given(seed=st.integers(0, 50), heading=st.integers(0, 15))
@settings(deadline=None, max_examples=15)
def test_the_goals_own_place_scores_highest_at_the_goals_heading(seed: int, heading: int) -> None:
    here = blocks(seed)
    compare = comparer(goal_of(here, heading))
    values = compare.at_headings(View(PANO, here))
    assert int(np.argmax(values)) == heading
    assert values[heading] > 2.2
    assert all(compare([View(PANO, blocks(seed + other))]) < values[heading] - 0.2 for other in (100, 200))


@given(seed=st.integers(0, 50), turns=st.integers(0, 15))
@settings(deadline=None, max_examples=15)
def test_a_rolled_panorama_has_exactly_the_same_score(seed: int, turns: int) -> None:
    compare = comparer(goal_of(blocks(seed + 1)))
    here = blocks(seed)
    rolled = np.roll(here, turns * 16, axis=1)
    assert compare([View(PANO, rolled)]) == compare([View(PANO, here)])
    assert np.array_equal(
        compare.at_headings(View(PANO, rolled)), np.roll(compare.at_headings(View(PANO, here)), -turns)
    )


def test_only_the_last_view_of_an_end_counts() -> None:
    compare = comparer(goal_of(blocks(1)))
    views = [View(PANO, blocks(seed)) for seed in (2, 3)]
    assert compare(views) == compare(views[1:]) != compare(views[:1])


def test_scores_lie_between_zero_and_the_sum_of_weights() -> None:
    flat = View(PANO, np.full((128, 256, 3), 200, np.uint8))
    assert comparer(View(FRONT, np.full((128, 128, 3), 200, np.uint8)))([flat]) == pytest.approx(2.0)
    assert comparer(View(FRONT, np.full((128, 128, 3), 10, np.uint8)))([flat]) == 0.0


def test_weights_choose_what_counts() -> None:
    goal, here = goal_of(blocks(1)), View(PANO, blocks(2))
    parts = [Classical(cells=c, whole=w, hog=h).against(goal).at_headings(here) for c, w, h in np.eye(3)]
    whole = Classical(cells=2.0, whole=0.5, hog=1.0).against(goal).at_headings(here)
    assert np.allclose(2.0 * parts[0] + 0.5 * parts[1] + parts[2], whole)


def test_crops_agree_with_the_panorama_crops_of_world_models() -> None:
    here = blocks(5, block=32)
    maps = crop_map(128, 256, 64, 90.0)
    for turns in (0, 5, 15):
        image = np.empty((64, 64, 3), np.float32)
        crop_into(here, maps.column, maps.row, maps.right, maps.down, -turns * 16, image)
        assert np.max(np.abs(image - crop(here, 64, 64, 90.0, turns * 22.5))) < 0.51


def test_orientations_match_the_arctangent() -> None:
    rng = np.random.default_rng(0)
    for gx, gy in rng.normal(0.0, 50.0, (500, 2)):
        expected = np.arctan2(gy, gx) % np.pi / np.pi * 9.0
        at = min(abs(gx), abs(gy)) / max(abs(gx), abs(gy)) * descriptors._ANGLES
        found = descriptors._orientation(gx, gy, at, descriptors.ORIENTATION_TABLE)
        assert abs((found - expected + 4.5) % 9.0 - 4.5) < 1e-6


def test_images_reduce_exactly_or_not_at_all() -> None:
    image = blocks(3, 16, 16, 2)
    assert np.array_equal(reduce_to(image, 8, 8), image[::2, ::2].astype(np.float32))
    with pytest.raises(Refusal, match="cannot be reduced"):
        reduce_to(image, 5, 8)


def test_a_large_panorama_is_averaged_before_it_is_cropped() -> None:
    small = blocks(4, 144, 256)
    large = np.kron(small, np.ones((4, 4, 1), np.uint8))
    compare = comparer(goal_of(blocks(4)))
    at_large = compare([View(Camera("large", "equirect", 576, 1024, 360.0, 1.25), large)])
    assert at_large == compare([View(Camera("small", "equirect", 144, 256, 360.0, 1.25), small)])


@pytest.mark.parametrize(
    ("goal", "view"),
    [(View(PANO, blocks(0)), View(PANO, blocks(0))), (goal_of(blocks(0)), goal_of(blocks(0)))],
)
def test_wrong_cameras_are_refused(goal: View, view: View) -> None:
    with pytest.raises(Refusal, match="classical score"):
        Classical().against(goal)([view])


def test_the_front_score_averages_the_strip_of_front_views() -> None:
    here, there = View(PANO, blocks(1)), View(PANO, blocks(2))
    compare = FrontSimilarity("classical", 64).against(goal_of(here.rgb))
    assert compare([here]) > compare([there])
    assert compare([here, there]) == pytest.approx((compare([here]) + compare([there])) / 2)
    assert compare([View(PANO, np.roll(here.rgb, 128, axis=1))]) < compare([here])


def test_the_front_score_takes_goals_of_any_size() -> None:
    rig = (Camera("front", "pinhole", 512, 512, 90.0, 1.0), FRONT)
    scores = []
    for camera in rig:
        goal = View(camera, blocks(1, camera.height, camera.width, camera.height // 8))
        scores.append(FrontSimilarity("classical", 384).against(goal)([goal]))
    assert scores[0] == pytest.approx(2.5, abs=0.01) and scores[1] == pytest.approx(2.5, abs=0.01)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(Refusal, match="classical, lpips"):
        FrontSimilarity("mse")


@pytest.mark.skipif(missing_part() is None, reason="LPIPS is installed here")
def test_lpips_without_its_package_is_refused_in_words() -> None:
    with pytest.raises(Refusal, match=r"needs .*metric classical"):
        PARTS.make_score(PartConfig("front", {"metric": "lpips"}))


@pytest.mark.skipif(missing_part() is not None, reason=f"LPIPS needs {missing_part()}")
def test_lpips_prefers_the_same_view() -> None:
    here, there = View(PANO, blocks(1)), View(PANO, blocks(2))
    compare = FrontSimilarity("lpips", 128).against(goal_of(here.rgb))
    assert compare([here]) > compare([there])


def test_parts_with_wrong_names_or_constants_are_refused() -> None:
    with pytest.raises(Refusal, match="Did you mean 'classical'"):
        PARTS.make_score(PartConfig("clasical"))
    with pytest.raises(Refusal, match="cannot take the constants"):
        PARTS.make_score(PartConfig("classical", {"colour": 1}))


def test_toy_goals_score_best_where_they_were_taken() -> None:
    environment = ToyEnvironment()
    episode = toy_episode(3)
    start = environment.reset(episode, 0, [ViewRequest("pano")]).views["pano"]
    (goal,) = environment.render([Pose.of(episode.payload["goal"])], [ViewRequest("front"), ViewRequest("pano")])
    compare = Classical(size=16).against(goal["front"])
    assert compare([goal["pano"]]) > compare([start])
