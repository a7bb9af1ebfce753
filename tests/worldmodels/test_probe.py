"""The kit's requests carry what a manifest declares: earlier views as a run would send them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.contracts.actions import discrete7_space, ee_pose8_space
from harness.contracts.cameras import quaternion_to_yaw
from harness.contracts.manifests import ModelManifest
from harness.worldmodels.panorama import roll
from harness.worldmodels.probe import AHEAD, Place, Probe, RealView
from tests.conformance.toy_places import toy_places

MODEL = ModelManifest("m", "tests", "plugin")


def seen_from_behind() -> Place:
    """Return a place whose view 0.2 m behind it is another noise."""
    one, other = toy_places()
    return replace(one, around=(*one.around, RealView(-0.2, 0.0, other.view.rgb)))


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_a_request_carries_as_many_earlier_views_as_declared(count: int) -> None:
    place = seen_from_behind()
    request = Probe(replace(MODEL, context_max=count), (place, *toy_places())).request()
    assert len(request.context) == count
    headings = [round(quaternion_to_yaw(seen.pose.rotation), 3) for seen in request.context]
    assert headings == {0: [], 1: [0.0], 3: [0.0, -22.5, 0.0], 4: [22.5, 0.0, 22.5, 0.0]}[count]
    for seen, heading in zip(request.context, headings, strict=True):
        np.testing.assert_allclose(seen.pose.position, (0.0, 0.0, 0.2), atol=1e-6)
        np.testing.assert_array_equal(seen.rgb, roll(place.around[-1].rgb, heading))


def test_earlier_views_are_as_large_as_the_conditioning_view() -> None:
    for manifest in (
        replace(MODEL, view="perspective", height=24, width=32, context_max=2),
        replace(MODEL, height=64, width=128, context_max=2),
    ):
        request = Probe(manifest, toy_places()).request(place=1)
        assert [seen.rgb.shape for seen in request.context] == [request.view.shape] * 2


@pytest.mark.parametrize("space", ["ee_pose8", "discrete7"])
def test_a_robot_arm_gets_plans_of_its_own_space_that_differ_as_walks_do(space: str) -> None:
    probe = Probe(replace(MODEL, settings={"action_space": space}), toy_places())
    allowed = {"ee_pose8": ee_pose8_space, "discrete7": discrete7_space}[space]()
    plans = [request.candidate.actions for request in probe.different(3)]
    assert len(set(plans)) == 3 and all(allowed.allows(action) for plan in plans for action in plan)
    assert len(set(probe.request((AHEAD,) * 24).candidate.actions)) == 24


def test_a_robot_arm_gets_none() -> None:
    arm = replace(MODEL, context_max=2, settings={"action_space": "ee_pose8"})
    assert Probe(arm, toy_places()).request().context == ()
