"""Panoramas: rolls are exact and crops look where they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.digest import array_digest
from harness.contracts.errors import Refusal
from harness.contracts.observations import RGB, View
from harness.worldmodels.panorama import crop, front_crop, roll


def colour(right: np.ndarray, up: np.ndarray, ahead: np.ndarray) -> RGB:
    """Return a smooth colour for each unit direction."""
    channels = np.stack([right + 0.3 * np.sin(3 * up), up, ahead + 0.2 * np.sin(4 * right)], axis=-1)
    return np.round(127.5 + 80.0 * channels).astype(np.uint8)


def sphere_panorama(height: int, width: int, yaw_deg: float = 0.0) -> RGB:
    azimuth = np.pi - (np.arange(width) + 0.5) / width * 2 * np.pi + np.radians(yaw_deg)
    elevation = (0.5 - (np.arange(height) + 0.5) / height)[:, None] * np.pi
    level = np.cos(elevation)
    return colour(-np.sin(azimuth) * level, np.sin(elevation) + 0 * azimuth, np.cos(azimuth) * level)


def sphere_pinhole(height: int, width: int, hfov: float, yaw_deg: float, pitch_deg: float) -> RGB:
    pixel = 2 * np.tan(np.radians(hfov) / 2) / width
    right = (np.arange(width) + 0.5 - width / 2)[None, :] * pixel + np.zeros((height, 1))
    up = (height / 2 - np.arange(height) - 0.5)[:, None] * pixel + np.zeros((1, width))
    norm = np.sqrt(right**2 + up**2 + 1)
    pitch, yaw = np.radians(pitch_deg), np.radians(yaw_deg)
    ahead = np.cos(pitch) - up * np.sin(pitch)
    up = np.sin(pitch) + up * np.cos(pitch)
    right, ahead = right * np.cos(yaw) - ahead * np.sin(yaw), right * np.sin(yaw) + ahead * np.cos(yaw)
    return colour(right / norm, up / norm, ahead / norm)


@pytest.mark.parametrize("size", [(128, 256), (144, 256)], ids=["2:1", "16:9"])
@pytest.mark.parametrize("yaw", [0.0, 22.5, -135.0, 180.0, 10.3])
@pytest.mark.parametrize("pitch", [0.0, -10.0])
def test_a_crop_is_the_pinhole_view_of_an_analytic_sphere(size: tuple[int, int], yaw: float, pitch: float) -> None:
    cut = crop(sphere_panorama(*size), 48, 64, 90.0, yaw, pitch)
    expected = sphere_pinhole(48, 64, 90.0, yaw, pitch)
    assert np.abs(cut.astype(int) - expected.astype(int)).max() <= 2


def test_the_crop_test_can_fail() -> None:
    cut = crop(sphere_panorama(128, 256), 48, 64, 90.0, 22.5)
    expected = sphere_pinhole(48, 64, 90.0, -22.5, 0.0)
    assert np.abs(cut.astype(int) - expected.astype(int)).max() > 20


def test_looking_left_is_cropping_what_a_left_turn_brings_to_the_centre() -> None:
    pano = sphere_panorama(128, 256)
    np.testing.assert_array_equal(crop(pano, 32, 32, 90.0, 67.5), crop(roll(pano, 67.5), 32, 32, 90.0))


@given(st.lists(st.sampled_from([22.5, -22.5, 90.0, -180.0]), max_size=20))
def test_turns_add_up_exactly(turns: list[float]) -> None:
    pano = sphere_panorama(8, 32)
    turned = pano
    for turn in turns:
        turned = roll(turned, turn)
    np.testing.assert_array_equal(turned, roll(pano, sum(turns)))


def test_sixteen_turns_return_home_and_none_before_does() -> None:
    home = turned = sphere_panorama(128, 256)
    for _ in range(15):
        turned = roll(turned, 22.5)
        assert not np.array_equal(turned, home)
    np.testing.assert_array_equal(roll(turned, 22.5), home)


def test_a_left_turn_is_a_roll_to_the_right() -> None:
    np.testing.assert_array_equal(roll(sphere_panorama(128, 256), 22.5), sphere_panorama(128, 256, yaw_deg=22.5))


def test_a_turn_between_columns_is_refused() -> None:
    with pytest.raises(Refusal, match=r"1\.41\d* columns .* 256 wide"):
        roll(sphere_panorama(128, 256), 1.99)


@pytest.mark.parametrize("arguments", [(0, 64, 90.0), (64, 64, 180.0), (64, 64, 0.0)])
def test_impossible_crops_are_refused(arguments: tuple[int, int, float]) -> None:
    with pytest.raises(Refusal, match="no pinhole view"):
        crop(sphere_panorama(8, 16), *arguments)


def test_images_that_are_no_panorama_are_refused() -> None:
    with pytest.raises(Refusal, match="uint8"):
        crop(np.zeros((8, 16, 3), np.float32), 8, 8, 90.0)  # type: ignore[arg-type]
    pinhole = View(Camera("front", PINHOLE, 8, 8, 90.0, 1.25), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(Refusal, match="only an equirect view"):
        front_crop(pinhole, (8, 8), 90.0)


def test_bytes_of_a_crop_are_fixed() -> None:
    noise = np.random.Generator(np.random.PCG64(5)).integers(0, 256, (128, 256, 3)).astype(np.uint8)
    cut = crop(noise, 128, 128, 90.0, 22.5)
    assert array_digest(cut) == "63b517ab78a85af719a0c4d64a5dbf8b9559de4c0efa57707c3dd4794dd71d91"


def test_a_front_crop_carries_its_camera() -> None:
    view = View(Camera("pano", EQUIRECT, 128, 256, 360.0, 1.25), sphere_panorama(128, 256))
    front = front_crop(view, (48, 64), 90.0)
    assert front.camera == Camera("front_crop", PINHOLE, 48, 64, 90.0, 1.25)
    assert front.rgb.shape == (48, 64, 3)
