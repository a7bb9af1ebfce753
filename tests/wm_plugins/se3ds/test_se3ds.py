"""SE3DS on a stand-in of the official code and of TensorFlow: the same import paths, calls, shapes and dtypes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.contracts.cameras import PINHOLE, Camera
from harness.contracts.errors import Refusal
from harness.worldmodels.catalog import load_catalog
from tests.wm_plugins.authors_code import says_where_from
from tests.wm_plugins.se3ds.panoramas import (
    AHEAD,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    ask,
    depth,
    made,
    saved,
    small,
    through_the_service,
    view,
)

CHECKOUT = Path(__file__).parent / "standin" / "checkout"

if importlib.util.find_spec("tensorflow") is not None:
    pytest.skip("a real TensorFlow is installed; the stand-in would hide it", allow_module_level=True)


@pytest.fixture(scope="module")
def model() -> Any:
    return made(small("se3ds", CHECKOUT))


def test_answers_what_was_asked_through_the_service(model: Any, tmp_path: Path) -> None:
    asked = [ask(AHEAD, LEFT, AHEAD), ask(AHEAD, id=1, frames=(1,)), ask(LEFT, id=2)]
    answers = through_the_service(small("se3ds", CHECKOUT), asked, tmp_path / "se3ds.log")
    assert [answer.rgb.shape for answer in answers] == [(n, HEIGHT, WIDTH, 3) for n in (3, 1, 1)]
    for request, answer in zip(asked, answers, strict=True):
        assert not answer.error and np.array_equal(answer.rgb, model.imagine(request).rgb)


def test_turns_are_rolls_of_the_imagined_panorama(model: Any) -> None:
    rgb = model.imagine(ask(AHEAD, LEFT, RIGHT)).rgb
    assert np.array_equal(rgb[1], np.roll(rgb[0], WIDTH // 16, axis=1))
    assert np.array_equal(rgb[2], rgb[0])


def test_a_turn_on_the_spot_is_the_real_view_rolled(model: Any) -> None:
    assert np.array_equal(model.imagine(ask(LEFT)).rgb[0], np.roll(view(), WIDTH // 16, axis=1))


def test_it_walks_from_place_to_place_and_only_as_far_as_is_wanted(model: Any) -> None:
    model.imagine(ask(AHEAD, LEFT, AHEAD, AHEAD, frames=(3,)))
    walked = np.array([place for _, _, place in model.model.remembered])[:, 0]
    side = np.sin(np.pi / 8)
    expected: list[list[float]] = [[0, 0, 0], [0, 0.2, 0], [-0.2 * side, 0.2 + 0.2 * np.cos(np.pi / 8), 0]]
    assert np.allclose(walked, expected, atol=1e-3)


def test_without_memory_every_place_is_imagined_from_the_real_view() -> None:
    alone = made(small("se3ds", CHECKOUT, remember=False))
    rgb = alone.imagine(ask(AHEAD, AHEAD)).rgb
    assert len(alone.model.remembered) == 1
    assert rgb[1].astype(int).mean() == pytest.approx(view().mean() - 8, abs=0.5)


def test_a_chosen_frame_is_the_one_among_all_and_nothing_is_kept_between_requests(model: Any) -> None:
    every = model.imagine(ask(AHEAD, AHEAD, LEFT)).rgb
    chosen = model.imagine(ask(AHEAD, AHEAD, LEFT, frames=(2,))).rgb
    assert np.array_equal(every[[1]], chosen)


def test_depth_is_a_share_of_the_range_and_beyond_it_nothing(model: Any) -> None:
    far = depth()
    far[:, : WIDTH // 2] = 25.0
    far[:4] = np.inf
    far[-4:] = 0.0
    model.imagine(ask(AHEAD, depth=far))
    share = model.model.remembered[0][1][0]
    assert share.shape == (32, 64)
    assert np.all(share[:, :32] == 0.0) and np.all(share[:2] == 0.0) and np.all(share[-3:] == 0.0)
    assert np.allclose(share[8:-8, 32:], 3.0 / 20.0)


def test_noise_comes_from_the_seed_of_the_request() -> None:
    noisy = made(small("se3ds", CHECKOUT, sample_noise=True))
    first, second = noisy.imagine(ask(AHEAD, seed=1)).rgb, noisy.imagine(ask(AHEAD, seed=2**64 - 1)).rgb
    assert not np.array_equal(first, second)
    assert np.array_equal(first, noisy.imagine(ask(AHEAD, seed=1)).rgb)


def test_what_it_cannot_imagine_fails_alone(tmp_path: Path) -> None:
    front = Camera("front", PINHOLE, HEIGHT, WIDTH, 90.0, 1.25)
    asked = [ask(AHEAD, depth=None), ask(AHEAD, id=1), ask(AHEAD, id=2, camera=front), ask(AHEAD, id=3, poses=())]
    answers = through_the_service(small("se3ds", CHECKOUT), asked, tmp_path / "se3ds.log")
    assert "depth" in answers[0].error and "panoramas" in answers[2].error and "pose" in answers[3].error
    assert not answers[1].error and answers[1].rgb.shape == (1, HEIGHT, WIDTH, 3)


def test_missing_code_is_one_message() -> None:
    for folder in (Path("/nowhere/se3ds"), CHECKOUT.parent):
        with pytest.raises(Refusal) as refused:
            made(small("se3ds", folder))
        for part in ("'se3ds'", "git clone https://github.com/google-research/se3ds", "Apache-2.0", "--set code="):
            assert part in str(refused.value)


def test_the_harness_says_the_same_of_the_code(model: Any) -> None:
    says_where_from(load_catalog().find("se3ds"), sys.modules["se3ds_model"].CODE)


def test_missing_code_reaches_whoever_starts_the_service(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"'se3ds' refused to start: .*git clone .*google-research/se3ds"):
        through_the_service(small("se3ds", Path("/nowhere")), [], tmp_path / "se3ds.log")


def test_weights_are_an_index_file_or_the_folder_of_one(tmp_path: Path) -> None:
    (tmp_path / "se3ds_ckpt.index").write_text(saved("ema_generator"))
    for weights in (tmp_path, tmp_path / "se3ds_ckpt.index"):
        assert made(small("se3ds", CHECKOUT, str(weights))).model.config.ckpt_path == str(tmp_path / "se3ds_ckpt")
    with pytest.raises(Refusal, match="no TensorFlow checkpoint"):
        made(small("se3ds", CHECKOUT, str(tmp_path / "se3ds_ckpt.data-00000-of-00001")))
    with pytest.raises(Refusal, match="no checkpoint"):
        made(small("se3ds", CHECKOUT, str(tmp_path / "gone.index")))


def test_every_variable_comes_from_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a.index").write_text(saved("ema_generator"))
    net = made(small("se3ds", CHECKOUT, str(tmp_path))).model.model
    assert (net.first.kernel.value, net.second.kernel.value, net.for_training.built) == (2.0, 2.0, False)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"first": None}, "lacks ema_generator/first/kernel"),
        ({"second": None, "again": None}, "lacks ema_generator/second/kernel"),
        ({"first": {}}, "lacks ema_generator/first/kernel"),
        ({"third": {"kernel": 1.0}}, "holds the foreign ema_generator/third"),
        ({"first": {"kernel": 1.0, "bias": 1.0}}, "holds the foreign ema_generator/first/bias"),
        ({"first": {"bias": 1.0}}, "lacks ema_generator/first/kernel, and holds the foreign ema_generator/first/bias"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused_by_its_names(
    tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    """Also where the official code finds nothing wrong: it asks before the layers have any variables."""
    (tmp_path / "a.index").write_text(saved("ema_generator", **changed))
    with pytest.raises(Refusal, match=f"a is not of this model: it .*{says}"):
        made(small("se3ds", CHECKOUT, str(tmp_path)))


def test_a_variable_under_one_of_its_names_is_enough(tmp_path: Path) -> None:
    (tmp_path / "a.index").write_text(saved("ema_generator", again=None))
    made(small("se3ds", CHECKOUT, str(tmp_path)))


def test_a_checkpoint_of_other_networks_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.index").write_text(saved("discriminator"))
    with pytest.raises(Refusal, match="holds no 'ema_generator', only discriminator, generator, optimizer"):
        made(small("se3ds", CHECKOUT, str(tmp_path)))


@pytest.mark.parametrize(("settings", "message"), [({"depht": True}, "depth"), ({"gen_dims": "4"}, "gen_dims")])
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        made(small("se3ds", CHECKOUT, **settings))


def test_the_manifest_says_what_the_model_is() -> None:
    manifest = load_catalog().find("se3ds").manifest
    assert (manifest.view, manifest.conditioning, manifest.height, manifest.width) == ("panorama", "camera", 576, 1024)
    assert manifest.settings["depth"] is True and manifest.settings["depth_range_m"] == 20.0


def test_a_library_that_is_not_here_is_named() -> None:
    from se3ds_model import CODE

    with pytest.raises(Refusal, match=r"no_such_library.*tensorflow==2\.15\.1"):
        CODE.import_module("no_such_library")
