"""Pathdreamer on a stand-in of the official code and of TensorFlow: the same import paths, calls, shapes and dtypes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.contracts.errors import Refusal
from harness.worldmodels.catalog import load_catalog
from tests.wm_plugins.authors_code import says_where_from
from tests.wm_plugins.se3ds.panoramas import (
    AHEAD,
    HEIGHT,
    LEFT,
    WIDTH,
    ask,
    made,
    saved,
    small,
    through_the_service,
    view,
)

CHECKOUT = Path(__file__).parent / "standin"

if importlib.util.find_spec("tensorflow") is not None:
    pytest.skip("a real TensorFlow is installed; the stand-in would hide it", allow_module_level=True)


@pytest.fixture(scope="module")
def model() -> Any:
    return made(small("pathdreamer", CHECKOUT))


def jumps(model: Any) -> list[tuple[float, ...]]:
    found: list[tuple[float, ...]] = sys.modules[type(model.model).__module__].calls
    return found


def test_answers_what_was_asked_through_the_service(model: Any, tmp_path: Path) -> None:
    asked = [ask(AHEAD, LEFT, AHEAD), ask(*[AHEAD] * 12, id=1, frames=(12,)), ask(LEFT, id=2)]
    answers = through_the_service(small("pathdreamer", CHECKOUT), asked, tmp_path / "pathdreamer.log")
    assert [answer.rgb.shape for answer in answers] == [(n, HEIGHT, WIDTH, 3) for n in (3, 1, 1)]
    for request, answer in zip(asked, answers, strict=True):
        assert not answer.error and np.array_equal(answer.rgb, model.imagine(request).rgb)


def test_one_jump_a_wanted_place_and_none_for_a_turn(model: Any) -> None:
    jumps(model).clear()
    model.imagine(ask(*[AHEAD] * 12, frames=(12,)))
    assert np.allclose(jumps(model), [[0.0, 2.4, 0.0]])
    jumps(model).clear()
    rgb = model.imagine(ask(LEFT, AHEAD, LEFT, frames=(1, 2, 3))).rgb
    assert len(jumps(model)) == 1
    assert np.array_equal(rgb[0], np.roll(view(), WIDTH // 16, axis=1))
    assert np.array_equal(rgb[2], np.roll(rgb[1], WIDTH // 16, axis=1))


def test_a_chosen_frame_is_the_one_among_all(model: Any) -> None:
    every = model.imagine(ask(AHEAD, AHEAD, LEFT)).rgb
    assert np.array_equal(every[[1]], model.imagine(ask(AHEAD, AHEAD, LEFT, frames=(2,))).rgb)


def test_noise_comes_from_the_seed_of_the_request(model: Any) -> None:
    first, second = model.imagine(ask(AHEAD, seed=1)).rgb, model.imagine(ask(AHEAD, seed=2)).rgb
    assert not np.array_equal(first, second)
    assert np.array_equal(first, model.imagine(ask(AHEAD, seed=1)).rgb)


def test_a_request_without_depth_fails_alone(tmp_path: Path) -> None:
    asked = [ask(AHEAD, depth=None), ask(AHEAD, id=1)]
    answers = through_the_service(small("pathdreamer", CHECKOUT), asked, tmp_path / "pathdreamer.log")
    assert "depth" in answers[0].error and not answers[1].error


def test_missing_code_is_one_message() -> None:
    with pytest.raises(Refusal) as refused:
        made(small("pathdreamer", Path("/nowhere")))
    for part in ("git clone https://github.com/google-research/pathdreamer", "Apache-2.0", "--set code="):
        assert part in str(refused.value)
    says_where_from(load_catalog().find("pathdreamer"), sys.modules["pathdreamer_model"].CODE)


def test_both_checkpoints_lie_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "structure_gen_ckpt.index").write_text(saved("model"))
    with pytest.raises(Refusal, match="image_gen_ckpt"):
        made(small("pathdreamer", CHECKOUT, str(tmp_path)))
    (tmp_path / "image_gen_ckpt.index").write_text(saved("ema_generator"))
    config = made(small("pathdreamer", CHECKOUT, str(tmp_path))).model.config
    assert config.ckpt_path == str(tmp_path / "structure_gen_ckpt")
    assert config.spade_ckpt_path == str(tmp_path / "image_gen_ckpt")
    for root, file in (("model", "structure_gen_ckpt"), ("ema_generator", "image_gen_ckpt")):
        whole = (tmp_path / f"{file}.index").read_text()
        (tmp_path / f"{file}.index").write_text(saved(root, second=None, again=None))
        with pytest.raises(Refusal, match=f"{file} is not of this model: it lacks {root}/second/kernel"):
            made(small("pathdreamer", CHECKOUT, str(tmp_path)))
        (tmp_path / f"{file}.index").write_text(whole)


def test_the_manifest_says_what_the_model_is() -> None:
    manifest = load_catalog().find("pathdreamer").manifest
    assert (manifest.view, manifest.conditioning) == ("panorama", "camera")
    assert manifest.settings["depth"] is True and manifest.settings["depth_range_m"] == 10.0
