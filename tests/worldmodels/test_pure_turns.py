"""Nothing is asked for nothing: what a turn shows is real, whichever kind of view a model imagines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.contracts.actions import Candidate, navigation_space
from harness.contracts.manifests import ModelManifest
from harness.worldmodels.imaginer import PluginImaginer
from harness.worldmodels.panorama import front_crop
from tests.worldmodels.toy_world import AHEAD, LEFT, RIGHT, ToyModel, toy_view

MANIFEST = ModelManifest(name="toy", family="toy", kind="plugin", entry_point="toy:Toy", height=4, width=4)
TURNS = [Candidate((LEFT,) * 5), Candidate((LEFT, RIGHT, RIGHT)), Candidate(())]


@pytest.mark.parametrize("every_frame", [True, False])
def test_a_perspective_model_is_not_asked_for_turns(every_frame: bool) -> None:
    model, view = ToyModel(), toy_view()
    manifest = replace(MANIFEST, view="perspective", every_frame=every_frame)
    imaginer = PluginImaginer(model, manifest, navigation_space())
    seen = imaginer.imagine(view, TURNS, [[0, 5], [1, 2, 3], [0]], [1, 2, 3])
    assert (model.batches, imaginer.rollouts) == ([], 0)
    for candidate, index, yaw_deg in ((0, 5, 112.5), (1, 3, -22.5), (2, 0, 0.0)):
        np.testing.assert_array_equal(seen[candidate][index].rgb, front_crop(view, (4, 4), 90.0, yaw_deg).rgb)


def test_a_model_is_not_asked_for_frames_that_only_turns_lead_to() -> None:
    model = ToyModel()
    imaginer = PluginImaginer(model, replace(MANIFEST, height=0, width=0), navigation_space())
    imaginer.imagine(toy_view(), [Candidate((LEFT, LEFT, AHEAD))], [[0, 1, 2]], [0])
    assert model.batches == []
