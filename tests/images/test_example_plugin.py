"""The example plugin does what it says: what lies ahead grows, turns shift the view, the request alone decides."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, TURN_LEFT, Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.observations import RGB
from harness.contracts.rollouts import RolloutRequest
from harness.wire.sdk import WorldModel
from harness.worldmodels.catalog import MANIFEST_FILE, read_family

FOLDER = Path(__file__).parents[2] / "images/example_plugin/plugin"
PINHOLE_CAMERA = Camera("front", PINHOLE, 64, 64, 90.0, 1.25)
PANORAMA = Camera("pano", EQUIRECT, 64, 128, 360.0, 1.25)
STEP = Primitive(FORWARD, 0.2)
LEFT = Primitive(TURN_LEFT, 22.5)


@pytest.fixture
def zoom(monkeypatch: pytest.MonkeyPatch) -> WorldModel:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "zoom_model", raising=False)
    (entry,) = read_family(FOLDER / MANIFEST_FILE)
    manifest = entry.manifest
    module, _, name = manifest.entry_point.partition(":")
    model: WorldModel = getattr(__import__(module), name)(manifest)
    return model


def imagined(zoom: WorldModel, view: RGB, camera: Camera, *actions: Primitive) -> RGB:
    frames = tuple(range(1, len(actions) + 1))
    rollout = zoom.imagine(RolloutRequest(3, 0, view, camera, Candidate(actions), frames))
    assert rollout.rgb.shape == (len(actions), camera.height, camera.width, 3) and rollout.rgb.dtype == np.uint8
    last: RGB = rollout.rgb[-1]
    return last


def bright_square(camera: Camera) -> RGB:
    view = np.zeros((camera.height, camera.width, 3), np.uint8)
    row, column = camera.height // 2, camera.width // 2
    view[row - 4 : row + 4, column - 4 : column + 4] = 255
    return view


@pytest.mark.parametrize("camera", [PINHOLE_CAMERA, PANORAMA], ids=["pinhole", "panorama"])
def test_what_lies_ahead_grows_with_every_forward(zoom: WorldModel, camera: Camera) -> None:
    view = bright_square(camera)
    areas = [int((imagined(zoom, view, camera, *[STEP] * steps) > 0).sum()) for steps in (1, 3, 6)]
    assert (view > 0).sum() <= areas[0] < areas[1] < areas[2]


def test_a_left_turn_shifts_a_panorama_to_the_right(zoom: WorldModel) -> None:
    view = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    assert np.array_equal(imagined(zoom, view, PANORAMA, LEFT), np.roll(view, 8, axis=1))


def test_a_left_turn_moves_what_is_seen_to_the_right(zoom: WorldModel) -> None:
    turned = imagined(zoom, bright_square(PINHOLE_CAMERA), PINHOLE_CAMERA, LEFT)
    assert np.flatnonzero(turned.any(axis=(0, 2))).mean() > PINHOLE_CAMERA.width / 2 + 8
