"""`FTmini-manip` and `mini-manip` in use, with random weights: shapes, equal bytes, and what changes a view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the model needs torch (the extra 'models')")

from manip_model import ManipModel

from harness.contracts.actions import Candidate, Primitive
from harness.contracts.errors import Refusal
from tests.wm_plugins.mini_manip.plans import CAMERA, CARRY, PUSH, manifest, request, view

TOLD, TWIN = ManipModel(manifest()), ManipModel(manifest("mini-manip"))


def test_rollouts_have_the_wanted_frames_alone_or_together() -> None:
    seen = view()
    found = TOLD.imagine(request(CARRY, (1, 3, 6), seen))
    assert found.rgb.shape == (3, 128, 128, 3) and found.rgb.dtype == np.uint8 and found.camera == CAMERA
    for number, frame in enumerate((1, 3, 6)):
        assert np.array_equal(TOLD.imagine(request(CARRY, (frame,), seen)).rgb[0], found.rgb[number])
    assert np.array_equal(ManipModel(manifest()).imagine(request(CARRY, (1, 3, 6), seen)).rgb, found.rgb)


def test_the_plan_changes_the_views_of_the_model_that_is_told_alone() -> None:
    seen, other = view(0), view(1)
    carried, pushed = (TOLD.imagine(request(plan, (6,), seen)).rgb for plan in (CARRY, PUSH))
    assert not np.array_equal(carried, pushed)
    carried, pushed = (TWIN.imagine(request(plan, (6,), seen)).rgb for plan in (CARRY, PUSH))
    assert np.array_equal(carried, pushed)
    assert not np.array_equal(carried, TWIN.imagine(request(CARRY, (6,), other)).rgb)


def test_what_comes_after_a_frame_does_not_change_it() -> None:
    seen = view()
    whole, part = (TOLD.imagine(request(plan, (4,), seen)).rgb for plan in (CARRY, CARRY[:4]))
    assert np.array_equal(whole, part)


def test_other_views_and_actions_are_refused() -> None:
    small = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(Refusal, match="imagines front views of 128 x 128"):
        TOLD.imagine(request(CARRY, (1,), small, replace(CAMERA, height=64, width=64)))
    with pytest.raises(Refusal, match="is no sub-goal of a hand"):
        TOLD.imagine(replace(request(CARRY, (1,), view()), candidate=Candidate((Primitive("forward", 0.2),))))
