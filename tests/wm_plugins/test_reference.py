"""The reference plugins: copy repeats, warp is exact in the one world that it assumes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, STOP, Candidate, Primitive, Vector
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.digest import array_digest
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import RGB
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.worldmodels.catalog import load_catalog
from tests.wm_plugins.sphere_world import render

pytest.importorskip("numba", reason="warp needs numba (the extra 'embedded')")

from wm_plugins.reference.copy_model import Copy
from wm_plugins.reference.warp_model import Warp, motions_after

PANO = Camera("pano", EQUIRECT, 128, 256, 360.0, 1.25)
WIDE = Camera("pano_wide", EQUIRECT, 144, 256, 360.0, 1.25)
ODD = Camera("pano_odd", EQUIRECT, 65, 128, 360.0, 1.25)
FRONT = Camera("front", PINHOLE, 128, 128, 90.0, 1.25)
AHEAD = Primitive(FORWARD, 0.2)
LEFT = Primitive("turn_left", 22.5)
RIGHT = Primitive("turn_right", 22.5)


def manifest_of(name: str) -> ModelManifest:
    return load_catalog().find(name).manifest


def warp(camera: Camera, *actions: Primitive, view: RGB | None = None) -> Rollout:
    view = render(camera) if view is None else view
    frames = tuple(range(1, len(actions) + 1))
    return Warp(manifest_of("warp")).imagine(RolloutRequest(7, 0, view, camera, Candidate(actions), frames))


def worst(a: RGB, b: RGB) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("camera", [PANO, FRONT], ids=lambda c: c.name)
def test_copy_repeats_the_view(camera: Camera) -> None:
    view = render(camera)
    rollout = Copy(manifest_of("copy")).imagine(RolloutRequest(3, 0, view, camera, Candidate((AHEAD,) * 5), (2, 5)))
    assert (rollout.id, rollout.camera, len(rollout.rgb)) == (3, camera, 2)
    assert all(np.array_equal(frame, view) for frame in rollout.rgb)


@pytest.mark.parametrize("camera", [PANO, WIDE, ODD, FRONT], ids=lambda c: c.name)
def test_no_motion_gives_the_view_itself(camera: Camera) -> None:
    noise = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (camera.height, camera.width, 3)).astype(np.uint8)
    np.testing.assert_array_equal(warp(camera, Primitive(STOP, 0.0), view=noise).rgb[0], noise)


@pytest.mark.parametrize("camera", [PANO, WIDE, ODD], ids=lambda c: c.name)
@pytest.mark.parametrize("forwards", [1, 5, 8])
def test_forwards_show_the_sphere_from_further_on(camera: Camera, forwards: int) -> None:
    rollout = warp(camera, *[AHEAD] * forwards)
    moved = render(camera, back_m=-0.2 * forwards)
    assert worst(rollout.rgb[-1], moved) <= 6
    assert worst(render(camera), moved) > 10 * forwards / 2, "the scene itself must have moved visibly"


def test_turns_bend_the_way() -> None:
    rollout = warp(PANO, RIGHT, AHEAD, AHEAD, LEFT, LEFT, AHEAD)
    sine, cosine = np.sin(np.radians(22.5)), np.cos(np.radians(22.5))
    expected = render(PANO, right_m=0.4 * sine - 0.2 * sine, back_m=-0.6 * cosine, yaw_deg=22.5)
    assert worst(rollout.rgb[-1], expected) <= 6


def test_a_turn_in_the_core_is_the_exact_roll() -> None:
    view = render(PANO)
    np.testing.assert_array_equal(warp(PANO, LEFT, view=view).rgb[0], np.roll(view, 16, axis=1))


def test_a_pinhole_view_is_warped_where_it_sees_and_repeats_its_border_elsewhere() -> None:
    forward = warp(FRONT, AHEAD, AHEAD).rgb[-1]
    assert worst(forward, render(FRONT, back_m=-0.4)) <= 3
    turned = warp(FRONT, LEFT).rgb[0]
    seen = slice(64, 128)
    assert worst(turned[40:88, seen], render(FRONT, yaw_deg=22.5)[40:88, seen]) <= 3
    np.testing.assert_array_equal(turned[64, 0], turned[64, 20])


def test_the_camera_never_leaves_the_sphere() -> None:
    far = warp(PANO, *[AHEAD] * 30).rgb
    np.testing.assert_array_equal(far[11], far[29])
    assert not np.array_equal(far[10], far[11])


@settings(max_examples=25)
@given(st.lists(st.sampled_from([AHEAD, LEFT, RIGHT]), min_size=1, max_size=20), st.integers(0, 2**64 - 1))
def test_any_candidate_is_imagined_without_regard_to_seeds(actions: list[Primitive], seed: int) -> None:
    camera = Camera("small", EQUIRECT, 16, 32, 360.0, 1.25)
    wanted = (len(actions),)
    model = Warp(manifest_of("warp"))
    requests = [RolloutRequest(0, s, render(camera), camera, Candidate(tuple(actions)), wanted) for s in (0, seed)]
    first, second = (model.imagine(request).rgb for request in requests)
    assert first.shape == (1, 16, 32, 3)
    np.testing.assert_array_equal(first, second)


def test_sixteen_turns_end_where_they_began() -> None:
    x, z, yaw = motions_after((LEFT,) * 16)[-1]
    assert (x, z, yaw) == (0.0, 0.0, 360.0)


def test_bytes_of_a_warp_are_fixed() -> None:
    view = np.random.Generator(np.random.PCG64(5)).integers(0, 256, (128, 256, 3)).astype(np.uint8)
    rollout = warp(PANO, AHEAD, RIGHT, AHEAD, AHEAD, view=view)
    assert array_digest(rollout.rgb) == "b87de8005489680262fb543d6f36017910a3889b68707aca448800f68785f881"


def test_unknown_actions_and_impossible_settings_are_refused() -> None:
    with pytest.raises(Refusal, match="forwards, turns and stops only"):
        motions_after((Vector("ee_pose8", (0.0,) * 8),))
    with pytest.raises(Refusal, match="reach between 0 and 1"):
        Warp(replace(manifest_of("warp"), settings={"reach": 1.0}))
