"""The model's own test; run it from the checkout: python -m pytest FOLDER -p no:cacheprovider -o addopts="" """

from __future__ import annotations

from pathlib import Path

import numpy as np
import tomllib

from harness.contracts.actions import Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.manifests import PLUGIN, ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.host import load_class

FOLDER = Path(__file__).parent
PANO = Camera("pano", EQUIRECT, 32, 64, 360.0, 1.25)
AHEAD, LEFT = Primitive("forward", 0.2), Primitive("turn_left", 22.5)


def imagine(*actions: Primitive, seed: int = 0) -> Rollout:
    declared = tomllib.loads((FOLDER / "plugin.toml").read_text(encoding="utf-8"))["model"][0]
    model = load_class(declared["entry_point"], [str(FOLDER)])(ModelManifest(declared["name"], "test", PLUGIN))
    view = np.random.default_rng(1).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    frames = tuple(range(1, len(actions) + 1))
    rollout = model.imagine(RolloutRequest(3, seed, view, PANO, Candidate(actions), frames))
    assert isinstance(rollout, Rollout)
    return rollout


def test_every_action_gives_one_frame_of_the_size_of_the_view() -> None:
    rollout = imagine(AHEAD, LEFT, AHEAD)
    assert rollout.id == 3
    assert rollout.rgb.dtype == np.uint8
    assert rollout.rgb.shape == (3, 32, 64, 3)


def test_the_same_request_gives_the_same_frames() -> None:
    assert np.array_equal(imagine(AHEAD, LEFT).rgb, imagine(AHEAD, LEFT).rgb)


def test_a_turn_to_the_left_moves_the_panorama_to_the_right() -> None:
    before, after = imagine(AHEAD, LEFT).rgb
    assert np.array_equal(after, np.roll(before, 4, axis=1))
