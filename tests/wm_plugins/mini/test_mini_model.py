"""What `mini` and `FTmini` answer, without torch: motion, rolls, earlier views, weights that do not fit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("safetensors", reason="weights are safetensors (the extra 'embedded')")

import mini_kernels as kernels
import mini_numbers as numbers
from mini_checkpoint import WEIGHTS_FILE, random_tensors, read_tensors
from mini_model import BLOCK_COLUMNS, Mini
from mini_shapes import CROP_BEHIND_M, CROP_CELL_M, CROP_CELLS, FLOOR_CELLS, tensor_shapes
from safetensors.numpy import save_file

from harness.contracts.errors import Refusal
from harness.contracts.rollouts import Rollout
from tests.wm_plugins.mini.worlds import AHEAD, CAMERA, HEIGHT, LEFT, WIDTH, manifest, request, view


def saved(folder: Path, **changed: npt.NDArray[Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({**{name: np.asarray(t) for name, t in random_tensors().items()}, **changed}, folder / WEIGHTS_FILE)
    return folder


def of_one_distance() -> Dict[str, npt.NDArray[Any]]:
    """Return what makes every distance 2 m and leaves splatted colours as they are."""
    zeros = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes().items() if "head" in name}
    return {**zeros, "steps.output.weight": np.zeros((3, 64), np.float32)}


def free(yes: bool) -> npt.NDArray[np.float32]:
    """Return the last bias of the steps' network: every forward is free, or gets a quarter of its length ahead."""
    return np.array([5.0, 0.0, 0.0] if yes else [-5.0, 0.25, 0.0], np.float32)


@pytest.fixture(scope="module")
def model() -> Mini:
    return Mini(manifest())


def made(model: Mini, *asked: Any, **words: Any) -> Rollout:
    return model.imagine(request(*asked, **words))


def test_frames_are_as_asked_for_and_the_same_alone_or_among_others(model: Mini) -> None:
    seen = view()
    both = made(model, [AHEAD, LEFT, AHEAD], [1, 3], seen)
    assert both.rgb.shape == (2, HEIGHT, WIDTH, 3)
    assert len(both.confidence) == 2 and all(0.0 <= value <= 1.0 for value in both.confidence)
    np.testing.assert_array_equal(made(Mini(manifest()), [AHEAD, LEFT, AHEAD], [3], seen).rgb[0], both.rgb[1])


def test_what_depth_sees_rolls_with_the_view(model: Mini) -> None:
    seen = view(3)
    planes = numbers.depth_of(seen, model._depth)
    for blocks in (1, 5, 15):
        rolled = np.ascontiguousarray(np.roll(seen, blocks * BLOCK_COLUMNS, 1))
        np.testing.assert_array_equal(
            numbers.depth_of(rolled, model._depth), np.roll(planes, blocks * BLOCK_COLUMNS, 2)
        )
        assert (
            model._seen(rolled).weights.tobytes()
            == numbers.seen(rolled, np.roll(planes, 16 * blocks, 2)).weights.tobytes()
        )


def test_actions_move_the_body_as_far_as_was_learnt(tmp_path: Path) -> None:
    weights = saved(tmp_path, **of_one_distance(), **{"steps.output.bias": free(True)}, turn=np.array(0.05, np.float32))
    model = Mini(manifest(weights=str(weights)))
    poses = model._poses(request([AHEAD, LEFT, AHEAD], [3], view()), model._seen(view()))
    half = math.radians(11.25)
    np.testing.assert_allclose(poses[1], (0.2, 0.0, 0.0), atol=1e-9)
    np.testing.assert_allclose(poses[2], (0.2, 0.0, half), atol=1e-9)
    np.testing.assert_allclose(poses[3], (0.2 + 0.2 * math.cos(half), 0.2 * math.sin(half), half), atol=1e-9)


def test_a_blocked_forward_gets_as_far_as_was_learnt_and_only_where_that_is_asked_for(tmp_path: Path) -> None:
    weights = saved(tmp_path, **of_one_distance(), **{"steps.output.bias": free(False)})
    settings = manifest().settings
    blocked = Mini(manifest(weights=str(weights)))
    through = Mini(manifest(weights=str(weights), settings={**settings, "blocked_steps": False}))
    asked = request([AHEAD, AHEAD], [2], view())
    np.testing.assert_allclose(blocked._poses(asked, blocked._seen(view()))[2], (0.1, 0.0, 0.0), atol=1e-9)
    np.testing.assert_allclose(through._poses(asked, through._seen(view()))[2], (0.4, 0.0, 0.0), atol=1e-9)


def test_a_step_ahead_in_a_sphere_of_two_metres_moves_what_is_seen_beside_backwards(tmp_path: Path) -> None:
    """Geometry, against arithmetic of its own: a mark 90 degrees to the left moves back by atan(0.4 / 2)."""
    weights = saved(tmp_path, **of_one_distance(), **{"steps.output.bias": free(True)})
    seen = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    seen[60:68, WIDTH // 4 - 2 : WIDTH // 4 + 2] = 250  # the columns left of the middle by a quarter of the circle
    frame = made(Mini(manifest(weights=str(weights))), [AHEAD, AHEAD], [2], seen).rgb[0]
    bright = np.flatnonzero(frame[62:66].mean((0, 2)) > 140)
    moved = WIDTH // 4 - 0.5 - bright.mean()
    assert moved == pytest.approx(math.atan(0.4 / 2.0) / (2 * math.pi) * WIDTH, abs=0.6)


def test_mini_knows_no_actions() -> None:
    model = Mini(manifest("mini"))
    seen = view()
    one, other = made(model, [AHEAD, AHEAD], [2], seen), made(model, [AHEAD, LEFT], [2], seen)
    np.testing.assert_array_equal(one.rgb, other.rgb)


def test_an_earlier_view_is_used_where_it_was_and_passed_over_where_it_was_not(tmp_path: Path) -> None:
    weights = saved(tmp_path, **of_one_distance(), **{"steps.output.bias": free(True)})
    model = Mini(manifest(weights=str(weights)))
    even, other = np.full((HEIGHT, WIDTH, 3), 90, np.uint8), np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    here = model._seen(even)
    agreeing = request([AHEAD], [1], even, [(even, 0.8)])
    contradicting = request([AHEAD], [1], even, [(other, 0.8)])
    near = request([AHEAD], [1], even, [(even, 0.2)])
    assert model._with_context(here, agreeing).points.shape[1] == 2 * here.points.shape[1]
    assert model._with_context(here, contradicting).points.shape[1] == here.points.shape[1]
    assert model._with_context(here, near).points.shape[1] == here.points.shape[1]


def test_views_that_it_cannot_see_are_refused(model: Mini) -> None:
    asked = replace(request([AHEAD], [1], view()), camera=replace(CAMERA, kind="pinhole", hfov_deg=90.0))
    with pytest.raises(Refusal, match="panorama"):
        model.imagine(asked)
    with pytest.raises(Refusal, match="128 x 256"):
        model.imagine(request([AHEAD], [1], view(height=96, width=192)))


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    good = random_tensors()
    cases: Dict[str, Tuple[Dict[str, npt.NDArray[Any]], str]] = {
        "missing": ({name: t for name, t in good.items() if name != "drift"}, "drift"),
        "unknown": ({**good, "depth.stem.convolution.weights": np.zeros(3, np.float32)}, "nearest"),
        "shape": ({**good, "drift": np.zeros((13, 3), np.float32)}, "another shape"),
        "nan": ({**good, "stride": np.array(np.nan, np.float32)}, "NaN"),
    }
    for case, (tensors, words) in cases.items():
        (tmp_path / case).mkdir()
        save_file({name: np.asarray(t) for name, t in tensors.items()}, tmp_path / case / WEIGHTS_FILE)
        with pytest.raises(Refusal, match=words):
            read_tensors(tmp_path / case)
    with pytest.raises(Refusal, match="cannot read"):
        read_tensors(tmp_path)


def test_the_floor_around_a_body_is_cut_out_of_the_plan() -> None:
    floor = np.zeros((3, FLOOR_CELLS, FLOOR_CELLS), np.float32)
    floor[1, FLOOR_CELLS // 2 + 30, FLOOR_CELLS // 2 - 1] = 1.0  # 1.525 m ahead, 0.025 m to the right
    cut = kernels.crop(floor, np.array([1.0, 0.0, 0.0]), CROP_CELLS, CROP_CELL_M, CROP_BEHIND_M)
    row = (1.525 - 1.0 + CROP_BEHIND_M) / CROP_CELL_M - 0.5
    column = (-0.025 + CROP_CELLS * CROP_CELL_M / 2) / CROP_CELL_M - 0.5
    assert np.unravel_index(cut[1].argmax(), cut[1].shape) == (round(row), round(column))
    turned = kernels.crop(floor, np.array([1.525, 0.5, -math.pi / 2]), CROP_CELLS, CROP_CELL_M, CROP_BEHIND_M)
    assert turned[1].max() > 0.2  # seen straight ahead by a body that has turned right
