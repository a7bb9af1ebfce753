"""What is done to views for training is what its name says, and does nothing at strength zero."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (the extra `models`)")

from harness.studies.learnt_score.batches import (  # noqa: E402
    GOALS,
    PANORAMAS,
    Spoiling,
    blur,
    compress,
    pitch,
    shrink,
    spoil,
    turn_hue,
)


def images(count: int = 4, width: int = 64) -> Any:
    return torch.rand(count, 3, 32, width, generator=torch.Generator().manual_seed(0))


def test_blur_takes_its_own_strength_for_each_image_and_keeps_the_mean() -> None:
    flat = torch.full((2, 3, 32, 64), 0.3)
    assert torch.allclose(blur(flat, torch.tensor([0.0, 3.0]), True), flat, atol=1e-6)
    sharp = images(2)
    soft = blur(sharp, torch.tensor([0.0, 2.0]), True)
    assert torch.allclose(soft[0], sharp[0], atol=1e-6)
    assert soft[1].std() < 0.4 * sharp[1].std()
    assert soft[1].mean() == pytest.approx(float(sharp[1].mean()), abs=0.02)


def test_blur_is_the_gaussian() -> None:
    point = torch.zeros(1, 3, 32, 64)
    point[:, :, 16, 32] = 1.0
    row = blur(point, torch.tensor([1.5]), True)[0, 0, 16]
    assert float(row[34] / row[32]) == pytest.approx(torch.exp(torch.tensor(-0.5 * (2 / 1.5) ** 2)).item(), rel=1e-4)


def test_blur_goes_round_a_panorama_but_not_round_a_goal() -> None:
    seam = torch.zeros(1, 3, 32, 64)
    seam[..., 0] = 1.0
    sigma = torch.tensor([1.0])
    assert float(blur(seam, sigma, True)[0, 0, 0, 63]) > 0.2
    assert float(blur(seam, sigma, False)[0, 0, 0, 63]) < 1e-6


def test_blurring_a_rolled_panorama_rolls_the_blurred_one() -> None:
    here, sigma = images(1), torch.tensor([2.0])
    assert torch.allclose(blur(here.roll(9, 3), sigma, True), blur(here, sigma, True).roll(9, 3), atol=1e-5)


def test_compression_loses_more_the_coarser_it_is() -> None:
    here = images()
    fine, coarse = (compress(here, torch.full((4,), strength)) for strength in (0.01, 4.0))
    assert (fine - here).abs().mean() < 0.005 < 0.05 < (coarse - here).abs().mean()
    flat = torch.full((1, 3, 32, 64), 0.5)
    assert torch.allclose(compress(flat, torch.tensor([1.0])), flat, atol=0.02)


def test_shrinking_keeps_size_and_mean() -> None:
    small = shrink(images(), 2)
    assert small.shape == images().shape
    assert small.mean() == pytest.approx(float(images().mean()), abs=0.01)


def test_hue_turns_red_to_green_in_a_third_of_a_circle() -> None:
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None].expand(1, 3, 8, 8)
    assert torch.allclose(turn_hue(red, torch.tensor([0.0])), red, atol=1e-6)
    assert torch.allclose(turn_hue(red, torch.tensor([120.0])), red.roll(1, 1), atol=1e-5)
    grey = torch.full((1, 3, 8, 8), 0.4)
    assert torch.allclose(turn_hue(grey, torch.tensor([77.0])), grey, atol=1e-6)


@pytest.mark.parametrize("how", [PANORAMAS, GOALS])
def test_spoiling_is_seeded_stays_in_range_and_leaves_some_views_clean(how: Spoiling) -> None:
    here = images(50)
    first, second = (spoil(here, how, True, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert float(first.min()) >= 0.0 and float(first.max()) <= 1.0
    clean = int((first == here).flatten(1).all(1).sum())
    assert 3 <= clean < 45


def test_nothing_is_done_where_all_shares_are_zero() -> None:
    how = Spoiling(blurred=0.0, compressed=0.0, shrunk=0.0, coloured=0.0)
    assert torch.equal(spoil(images(), how, False, torch.Generator().manual_seed(0)), images())


def test_pitch_sinks_rows_repeats_the_border_and_takes_its_own_strength_for_each_image() -> None:
    here = images(3)
    row_deg = 90.0 / 32
    seen = pitch(here, torch.tensor([0.0, 2 * row_deg, -0.5 * row_deg]))
    assert torch.allclose(seen[0], here[0], atol=1e-6)
    assert torch.allclose(seen[1, :, 2:], here[1, :, :-2], atol=1e-6)
    assert torch.allclose(seen[1, :, 0], here[1, :, 0], atol=1e-6)
    assert torch.allclose(seen[2, :, :-1], (here[2, :, 1:] + here[2, :, :-1]) / 2, atol=1e-5)


def test_a_share_of_the_panoramas_is_pitched_and_no_goal_is() -> None:
    assert PANORAMAS.pitched > 0.0 == GOALS.pitched
    here, alone = images(20), Spoiling(0, 0, 0, 0, 0, 0, pitched=0.4)
    seen = spoil(here, alone, True, torch.Generator().manual_seed(1))
    assert sum(not torch.allclose(a, b, atol=1e-4) for a, b in zip(seen, here)) == 8
