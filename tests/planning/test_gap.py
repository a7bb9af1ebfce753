"""The imagined-versus-real gap, with and without LPIPS."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from harness.contracts.cameras import Camera
from harness.contracts.observations import View
from harness.planning import gap
from harness.planning.scores import lpips_metric
from harness.worldmodels.panorama import front_crop
from tests.planning.test_scores import PANO, blocks


@pytest.fixture(autouse=True)
def _forget_lpips() -> Iterator[None]:
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
