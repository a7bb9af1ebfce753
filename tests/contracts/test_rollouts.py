"""Which frames may be asked for, and how a panorama turns."""

from __future__ import annotations

from typing import List

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.cameras import Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from harness.contracts.rollouts import check_wanted

TWO = Candidate((Primitive(FORWARD, 0.2), Primitive(FORWARD, 0.2)))


@pytest.mark.parametrize("frames", [[], [0], [2], [0, 1, 2]])
def test_ascending_frames_that_exist_may_be_asked_for(frames: List[int]) -> None:
    check_wanted([TWO], [frames])


@pytest.mark.parametrize("frames", [[3], [-1], [1, 1], [2, 0, 1]])
def test_other_frames_are_refused(frames: List[int]) -> None:
    with pytest.raises(Refusal, match=r"ascending numbers in 0\.\.2"):
        check_wanted([TWO], [frames])


def test_each_candidate_needs_its_frames() -> None:
    with pytest.raises(Refusal, match="1 candidates came with 2 lists"):
        check_wanted([TWO], [[1], [2]])


def test_a_panorama_rolls_with_all_its_images() -> None:
    camera = Camera("pano", "equirect", 4, 8, 360.0, 1.25)
    rgb = np.arange(96, dtype=np.uint8).reshape(4, 8, 3)
    ids = np.arange(32, dtype=np.int32).reshape(4, 8)
    view = View(camera, rgb, ids=ids)
    turned = view.rolled(3)
    assert np.array_equal(turned.rgb[:, 3:], rgb[:, :-3]) and turned.depth is None
    assert turned.ids is not None and np.array_equal(turned.ids[:, 3:], ids[:, :-3])
    assert view.rolled(8) is view
