"""Planted errors of where things are seen: each does what its name says, to the pixels that it names and no others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.digest import array_digest
from harness.contracts.errors import Refusal
from harness.contracts.observations import RGB, View
from harness.worldmodels.image_errors import GHOST_COLOUR, coarse, mirrored, pitched, stretched, with_ghost
from harness.worldmodels.panorama import crop
from harness.worldmodels.planted_errors import ImageError

PANO = Camera("pano", EQUIRECT, 128, 256, 360.0, 1.25)
FRONT = Camera("front", PINHOLE, 64, 64, 90.0, 1.25)

WRONG = [
    {"pitch_deg": 2.8125}, {"pitch_deg": -3.3}, {"resolution": 0.5}, {"row_stretch": 1.1}, {"row_stretch": 0.9},
    {"mirrored": 0.5}, {"ghost_box": 0.25},
]  # fmt: skip


def noise(camera: Camera, seed: int = 0) -> View:
    rgb = np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (camera.height, camera.width, 3))
    return View(camera, rgb.astype(np.uint8))


def smooth() -> RGB:
    """Return a panorama without fine structure, so that one resampling more is hardly seen."""
    rows, columns = np.mgrid[0:256, 0:512]
    channels = [
        np.sin(rows / 17.0),
        np.cos(2 * np.pi * columns / 128.0),
        np.sin(rows / 29.0 + 2 * np.pi * columns / 512),
    ]
    return (127.5 + 100.0 * np.stack(channels, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("rows", [1, 2, 6, -4])
def test_a_panorama_sinks_by_rows_where_it_looks_up(rows: int) -> None:
    view = noise(PANO)
    seen = pitched(view, rows * 180.0 / 128)
    wanted = view.rgb[np.clip(np.arange(128) - rows, 0, 127)]
    assert np.array_equal(seen, wanted)


def test_half_a_row_is_the_mean_of_two() -> None:
    view = noise(PANO)
    seen = pitched(view, 0.5 * 180.0 / 128).astype(float)
    assert np.abs(seen[1:] - (view.rgb[1:].astype(float) + view.rgb[:-1]) / 2).max() <= 0.5


@pytest.mark.parametrize("pitch_deg", [-20.0, -5.0, 2.5, 12.0])
def test_a_front_view_is_pitched_as_a_camera_is(pitch_deg: float) -> None:
    level = View(FRONT, crop(smooth(), 64, 64, 90.0))
    wanted = crop(smooth(), 64, 64, 90.0, 0.0, pitch_deg)
    inside = slice(24, None) if pitch_deg > 0 else slice(None, -24)  # the rest came into view
    columns = slice(8, -8)
    seen, true = pitched(level, pitch_deg)[inside, columns], wanted[inside, columns]
    assert np.abs(seen.astype(int) - true).mean() < 3.0 < np.abs(level.rgb[inside, columns].astype(int) - true).mean()


def test_stretched_rows_lie_farther_from_the_middle_by_the_factor() -> None:
    rgb = np.zeros((129, 8, 3), np.uint8)
    rgb[64 + 30], rgb[64 - 20] = 255, 255
    for factor in (1.1, 1.5, 0.8):
        seen = stretched(rgb, factor)[:, 0, 0].astype(float)
        below, above = seen[65:], seen[:64][::-1]
        assert np.argmax(below) + 1 == pytest.approx(30 * factor, abs=0.51)
        assert np.argmax(above) + 1 == pytest.approx(20 * factor, abs=0.51)


@given(share=st.floats(0.0, 1.0), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=30)
def test_mirrored_columns_stay_on_their_side_and_twice_is_not_at_all(share: float, seed: int) -> None:
    rgb = noise(FRONT, seed).rgb
    seen = mirrored(rgb, share)
    first = max(63 - round(share * 64), 0)
    assert np.array_equal(seen[:, :first], rgb[:, :first])
    assert np.array_equal(mirrored(seen, share), rgb)
    assert np.array_equal(mirrored(rgb, 0.5)[:, 32:], rgb[:, :31:-1]) and np.array_equal(
        mirrored(rgb, 1.0), rgb[:, ::-1]
    )


def test_half_the_resolution_is_the_mean_of_every_four_pixels() -> None:
    rgb = noise(FRONT).rgb
    seen = coarse(rgb, 0.5)
    means = rgb.reshape(32, 2, 32, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(seen[::2, ::2] - means).max() <= 0.5 and np.array_equal(seen[::2], seen[1::2])
    assert np.array_equal(seen[:, ::2], seen[:, 1::2]) and np.array_equal(coarse(rgb, 1.0), rgb)


@pytest.mark.parametrize("camera", [PANO, FRONT], ids=lambda c: c.name)
def test_the_ghost_stands_straight_ahead_and_changes_nothing_else(camera: Camera) -> None:
    rgb = noise(camera).rgb
    seen, side = with_ghost(rgb, 0.25), camera.height // 4
    rows = slice((camera.height - side) // 2, (camera.height + side) // 2)
    columns = slice((camera.width - side) // 2, (camera.width + side) // 2)
    assert (seen[rows, columns] == GHOST_COLOUR).all()
    seen[rows, columns] = rgb[rows, columns]
    assert np.array_equal(seen, rgb)


@given(columns=st.integers(0, 127), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=15)
def test_pitch_stretch_and_resolution_do_not_know_which_way_a_panorama_is_turned(columns: int, seed: int) -> None:
    view = noise(PANO, seed)
    for wrong in ({"pitch_deg": 2.0}, {"row_stretch": 1.1}, {"resolution": 0.5}):
        error = ImageError(**wrong)
        assert np.array_equal(
            error.applied(view.rolled(2 * columns)).rgb, np.roll(error.applied(view).rgb, 2 * columns, axis=1)
        )


@pytest.mark.parametrize("camera", [PANO, FRONT], ids=lambda c: c.name)
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_an_error_changes_pixels_and_neither_size_camera_nor_the_view_itself(
    camera: Camera, wrong: dict[str, float]
) -> None:
    view = noise(camera)
    before = view.rgb.copy()
    seen = ImageError(**wrong).applied(view)
    assert seen.camera == camera and seen.rgb.shape == before.shape and seen.rgb.dtype == np.uint8
    assert not np.array_equal(seen.rgb, before) and np.array_equal(view.rgb, before)


def test_nothing_wrong_is_the_view_itself() -> None:
    view = noise(PANO)
    assert ImageError().applied(view) is view


@pytest.mark.parametrize(
    "wrong",
    [{"pitch_deg": 31.0}, {"pitch_deg": float("nan")}, {"resolution": 0.0}, {"resolution": 1.5}, {"row_stretch": 0.0},
     {"mirrored": -0.1}, {"mirrored": 2.0}, {"ghost_box": 1.01}],
    ids=str,
)  # fmt: skip
def test_impossible_errors_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(Refusal, match=f"{next(iter(wrong))} .* is not in"):
        ImageError(**wrong)


def test_known_bytes() -> None:
    """The same on every CPU: these digests are compared wherever the tests run."""
    found = {
        f"{camera.name} {wrong}": array_digest(ImageError(**wrong).applied(noise(camera)).rgb)[:12]
        for camera in (PANO, FRONT)
        for wrong in WRONG[:4]
    }
    assert found == KNOWN


KNOWN = {
    "pano {'pitch_deg': 2.8125}": "736bdda555b4",
    "pano {'pitch_deg': -3.3}": "99679d2d95f1",
    "pano {'resolution': 0.5}": "25562d4397bc",
    "pano {'row_stretch': 1.1}": "56c4426ff5b2",
    "front {'pitch_deg': 2.8125}": "775490e88115",
    "front {'pitch_deg': -3.3}": "a25a200ffc7e",
    "front {'resolution': 0.5}": "a9643ab7b343",
    "front {'row_stretch': 1.1}": "a2f21c980bc9",
}
