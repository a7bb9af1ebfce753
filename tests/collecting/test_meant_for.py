"""Collected data say which world models they are for, by the camera that recorded them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cli.collect import meant_for, view_of
from tasks.suite import load_suite
from tests.collecting.toy import PLAN


@pytest.mark.parametrize(
    ("camera", "view", "tier"),
    [("front", "perspective", "easy-front"), ("pano", "panorama", "easy"), ("pano_large", "panorama", "easy")],
)
@pytest.mark.parametrize("suite", ["embedded-v1", "embedded-v1@habitat"])
def test_a_camera_says_which_models_learn_from_it_and_what_they_play(
    camera: str, view: str, tier: str, suite: str
) -> None:
    plan = replace(PLAN, suite=suite, camera=load_suite("embedded-v1").rig.camera(camera))
    assert view_of(plan) == view
    assert meant_for(plan) == f"for {view} models (camera {camera}): --suite {suite} --tier {tier}"
