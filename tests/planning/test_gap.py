"""The imagined-versus-real gap, with and without LPIPS."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from harness.contracts.cameras import Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from harness.planning import gap, lpips_metric
from harness.planning.ssim import ssim
from harness.worldmodels.panorama import front_crop
from tests.tasks.ignav.test_scores import PANO, blocks


@pytest.fixture(autouse=True)
def _forget_lpips(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gap, "_failed", {})
    gap._lpips_if_present.cache_clear()
    yield
    gap._lpips_if_present.cache_clear()


def test_equal_views_have_no_gap_and_noise_widens_it() -> None:
    real = View(PANO, blocks(1))
    same = gap.measure(View(PANO, real.rgb.copy()), real)
    assert same["ssim"] == pytest.approx(1.0) and same["psnr"] == 100.0
    noise = np.random.default_rng(0).integers(-40, 40, real.rgb.shape)
    noisy = gap.measure(View(PANO, np.clip(real.rgb + noise, 0, 255).astype(np.uint8)), real)
    other = gap.measure(View(PANO, blocks(2)), real)
    assert 1.0 > noisy["ssim"] > other["ssim"] and 100.0 > noisy["psnr"] > other["psnr"]


def test_one_grey_level_is_48_decibels() -> None:
    grey = np.full((128, 256, 3), 100, np.uint8)
    assert gap.measure(View(PANO, grey), View(PANO, grey + 1))["psnr"] == pytest.approx(48.13, abs=0.01)


@pytest.mark.parametrize("shape", [(128, 256, 3), (7, 7, 3), (9, 40, 3)])
def test_structural_similarity_is_that_of_scikit_image_to_the_last_bit(shape: tuple[int, int, int]) -> None:
    reference = pytest.importorskip("skimage.metrics").structural_similarity
    draws = np.random.default_rng(0)
    one = draws.integers(0, 256, shape).astype(np.float32)
    for other in (np.roll(one, 1, 1), np.floor(one / 2.0), np.sort(one, 0), one.astype(np.float32)):
        expected = reference(one.mean(axis=2), other.mean(axis=2), data_range=255.0)
        assert ssim(one, other) == float(expected)


def test_perspective_views_are_compared_with_the_front_crop() -> None:
    real = View(PANO, blocks(1))
    assert gap.measure(front_crop(real, (64, 64), 90.0), real)["psnr"] == 100.0


def test_views_of_different_sizes_have_no_measures() -> None:
    camera = Camera("large", "equirect", 64, 128, 360.0, 1.25)
    assert gap.measure(View(camera, blocks(1, 64, 128)), View(PANO, blocks(1))) == {}


def test_lpips_is_measured_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stand-ins for torch and lpips show what is handed over: [1, 3, H, W] in -1..1, and a distance comes back."""
    shapes = []

    def distance(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
        shapes.append(a.shape)
        assert a.min() >= -1.0 and a.max() <= 1.0 and a.dtype == np.float32
        return float(np.abs(a - b).mean())

    model = SimpleNamespace(eval=lambda: distance)
    hub = SimpleNamespace(get_dir=lambda: str(tmp_path))
    torch = SimpleNamespace(no_grad=nullcontext, from_numpy=lambda array: array, hub=hub)
    for name, module in (("torch", torch), ("torch.hub", hub), ("lpips", SimpleNamespace(LPIPS=lambda **_: model))):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(lpips_metric, "find_spec", lambda name: True)
    missing = lpips_metric.missing_part()
    assert missing is not None and "weights" in missing
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / lpips_metric.ALEXNET_FILE).touch()
    real, other = View(PANO, blocks(1)), View(PANO, blocks(2))
    assert gap.measure(real, real)["lpips"] == 0.0 < gap.measure(other, real)["lpips"]
    assert set(shapes) == {(1, 3, 128, 256)}


UNFIT = "operator torchvision::nms does not exist"


def _raise(error: BaseException) -> Any:
    raise error


def install_lpips(monkeypatch: pytest.MonkeyPatch, folder: Path, make: Callable[..., Any]) -> None:
    """Stand-ins for torch and lpips whose model ``make`` makes."""
    hub = SimpleNamespace(get_dir=lambda: str(folder))
    torch = SimpleNamespace(no_grad=nullcontext, from_numpy=lambda array: array, hub=hub)
    for name, module in (("torch", torch), ("torch.hub", hub), ("lpips", SimpleNamespace(LPIPS=make))):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(lpips_metric, "find_spec", lambda name: True)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / lpips_metric.ALEXNET_FILE).touch()


@pytest.mark.parametrize("when", ["imported", "made", "used", "not a number"])
def test_a_measure_that_fails_costs_no_episode_and_leaves_one_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, when: str
) -> None:
    """As LPIPS does where torchvision belongs to another torch: it is installed, and raises what it likes."""
    uses: list[int] = []

    def used(a: object, b: object) -> float:
        uses.append(1)
        return float("nan") if when == "not a number" else _raise(RuntimeError(UNFIT))

    def make(**_: object) -> Any:
        return _raise(RuntimeError(UNFIT)) if when == "made" else SimpleNamespace(eval=lambda: used)

    install_lpips(monkeypatch, tmp_path, make)
    if when == "imported":
        monkeypatch.setattr("importlib.import_module", lambda name: _raise(OSError(UNFIT)))
    real, other = View(PANO, blocks(1)), View(PANO, blocks(2))
    first, second = gap.measure(other, real), gap.measure(other, real)
    assert set(first) == set(second) == {"ssim", "psnr"}
    assert len(uses) <= 2, "what failed is not tried again"
    (note,) = gap.notes()
    assert "lpips" in note and ("nan" if when == "not a number" else UNFIT) in note


def test_every_measure_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "harness.planning.ssim", None)
    real, other = View(PANO, blocks(1)), View(PANO, blocks(2))
    assert "psnr" in gap.measure(other, real)
    (note,) = gap.notes()
    assert "ssim" in note


def test_a_score_that_decides_refuses_an_lpips_that_does_not_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install_lpips(monkeypatch, tmp_path, lambda **_: _raise(RuntimeError(UNFIT)))
    with pytest.raises(Refusal, match=UNFIT):
        lpips_metric.Lpips(128)


def test_the_trial_says_which_measures_can_be_taken() -> None:
    tried = gap.trial()
    assert set(tried) == {spec.name for spec in gap.METRICS} and tried["ssim"] == tried["psnr"] == ""
    assert (tried["lpips"] == "") == (lpips_metric.missing_part() is None)
