"""World models with planted errors: settings, images, and what reaches the environment."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.digest import array_digest
from harness.contracts.errors import Refusal
from harness.contracts.handling_errors import HandlingError
from harness.contracts.manifests import ENVIRONMENT
from harness.contracts.motion_errors import NO_ERROR, MotionError
from harness.contracts.observations import View
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.image_errors import blur, gaussian_weights, turn_hue
from harness.worldmodels.imaginer import EnvironmentImaginer
from harness.worldmodels.planted_errors import NOTHING, AnswerError, ImageError, PlantedErrors, planted_errors
from harness.worldmodels.preparing import Choice, prepare
from tests.wire.objects import GridEnvironment, example_episode

PANO = Camera("pano", EQUIRECT, 16, 32, 360.0, 1.25)
FRONT = Camera("front", PINHOLE, 16, 24, 90.0, 1.25)
CATALOG = load_catalog()
PLANTED = [e.manifest for e in CATALOG.entries if e.manifest.kind == ENVIRONMENT and e.manifest.settings]


def noise(camera: Camera, seed: int = 0) -> View:
    rgb = np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (camera.height, camera.width, 3))
    return View(camera, rgb.astype(np.uint8))


def test_the_planted_models_of_the_suite_are_there() -> None:
    magnitudes = {m.name: dict(m.settings) for m in PLANTED}
    assert magnitudes == {
        "gtsim-motion-50": {"motion_scale": 0.5}, "gtsim-motion-75": {"motion_scale": 0.75},
        "gtsim-jitter-20cm": {"jitter_m": 0.2}, "gtsim-jitter-40cm": {"jitter_m": 0.4},
        "gtsim-heading-11": {"heading_error_deg": 11.25}, "gtsim-heading-22": {"heading_error_deg": 22.5},
        "gtsim-walls": {"through_obstacles": True}, "gtsim-blur-1": {"blur_px": 1.0}, "gtsim-blur-3": {"blur_px": 3.0},
        "gtsim-hue-10": {"hue_deg": 10.0}, "gtsim-hue-30": {"hue_deg": 30.0}, "gtsim-null-1cm": {"jitter_m": 0.01},
        "gtsim-motion-130": {"motion_scale": 1.3}, "gtsim-pitch-1": {"pitch_deg": 1.40625},
        "gtsim-pitch-3": {"pitch_deg": 2.8125}, "gtsim-pitch-8": {"pitch_deg": 8.4375},
        "gtsim-half-resolution": {"resolution": 0.5}, "gtsim-stretch-110": {"row_stretch": 1.1},
        "gtsim-mirror-half": {"mirrored": 0.5}, "gtsim-ghost-box": {"ghost_box": 0.25},
        "gtsim-frozen": {"frozen": True}, "gtsim-swapped": {"swapped": True},
        "gtsim-offset-1mm": {"offset_m": 0.001}, "gtsim-offset-1cm": {"offset_m": 0.01},
        "gtsim-offset-2cm": {"offset_m": 0.02}, "gtsim-offset-4cm": {"offset_m": 0.04},
        "gtsim-things-stay": {"things_stay": True}, "gtsim-gripper-late": {"gripper_late": True},
        "gtsim-through-things": {"through_things": True},
    }  # fmt: skip
    for manifest in PLANTED:
        assert planted_errors(manifest) != NOTHING
    assert planted_errors(CATALOG.find("gtsim").manifest) == NOTHING


def test_gtsim_takes_every_error_by_set_and_its_own_manifest_stays() -> None:
    gtsim = CATALOG.find("gtsim").manifest
    prepared = prepare(gtsim, Choice(("jitter_m=0.4", "through_obstacles=true", "hue_deg=10", "frozen=true")))
    assert prepared.overrides == {"jitter_m": 0.4, "through_obstacles": True, "hue_deg": 10.0, "frozen": True}
    errors = planted_errors(prepared.manifest)
    motion = MotionError(through_obstacles=True, jitter_m=0.4)
    assert errors == PlantedErrors(motion, ImageError(hue_deg=10.0), AnswerError(frozen=True))
    assert prepared.manifest.digest() != gtsim.digest()
    assert gtsim.settings == {}
    named = prepare(CATALOG.find("gtsim-motion-50").manifest, Choice(("motion_scale=0.75",)))
    assert planted_errors(named.manifest).motion == MotionError(0.75)


@pytest.mark.parametrize(
    ("assignment", "match"),
    [("pitch_deg=40", "pitch_deg 40 is not in"), ("resolution=0", "resolution 0 is not in"),
     ("swapped=1", "not true or false"), ("jitter=0.4", "no fact or setting 'jitter'"),
     ("settings.jiter_m=1", "no setting 'jiter_m'"),
     ("jitter_m=-1", "jitter_m -1 is not in"), ("blur_px=99", "blur_px 99 is not in"),
     ("offset_m=0.6", "offset_m 0.6 is not in"),
     ("through_obstacles=0.5", "not true or false"), ("motion_scale=nan", "not a number")],
)  # fmt: skip
def test_wrong_errors_are_refused_before_a_run(assignment: str, match: str) -> None:
    with pytest.raises(Refusal, match=match):
        prepare(CATALOG.find("gtsim").manifest, Choice((assignment,)))


def test_settings_of_another_type_are_refused() -> None:
    gtsim = CATALOG.find("gtsim").manifest
    for settings_ in ({"through_obstacles": 1}, {"blur_px": True}, {"hue_deg": "red"}):
        with pytest.raises(Refusal, match="It is like"):
            planted_errors(replace(gtsim, settings=settings_))


@pytest.mark.parametrize("camera", [PANO, FRONT], ids=lambda c: c.name)
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 3.0])
def test_blur_is_a_gaussian_filter(camera: Camera, sigma: float) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    view = noise(camera)
    across = "wrap" if camera is PANO else "nearest"
    exact = ndimage.gaussian_filter1d(view.rgb.astype(float), sigma, axis=1, mode=across, truncate=4.0)
    exact = ndimage.gaussian_filter1d(exact, sigma, axis=0, mode="nearest", truncate=4.0)
    assert np.abs(blur(view, sigma) - exact).max() < 1.0


@given(seed=st.integers(0, 99), columns=st.integers(0, 31), sigma=st.sampled_from([0.7, 1.0, 3.0]))
@settings(deadline=None, max_examples=20)
def test_a_blurred_panorama_rolls_as_the_panorama_does(seed: int, columns: int, sigma: float) -> None:
    view = noise(PANO, seed)
    turned = blur(view.rolled(columns), sigma)
    assert np.array_equal(turned, np.roll(blur(view, sigma), columns, axis=1))


@given(st.floats(0.01, 16.0))
def test_weights_sum_to_one_and_are_symmetric(sigma: float) -> None:
    weights = gaussian_weights(sigma)
    assert sum(weights) == 1 << 15 and len(weights) % 2 == 1
    assert weights == weights[::-1] and min(weights) >= 0
    assert max(weights) - weights[len(weights) // 2] <= len(weights) // 2  # it takes what rounding left


@given(angle=st.floats(-180.0, 180.0), grey=st.integers(0, 255))
@settings(deadline=None, max_examples=40)
def test_grey_has_no_hue(angle: float, grey: int) -> None:
    assert (turn_hue(np.full((2, 2, 3), grey, np.uint8), angle) == grey).all()


def test_a_third_of_a_circle_exchanges_the_channels_and_none_changes_nothing() -> None:
    rgb = noise(FRONT).rgb
    assert np.array_equal(turn_hue(rgb, 120.0), rgb[..., [2, 0, 1]])
    assert np.array_equal(turn_hue(rgb, 0.0), rgb)


def test_known_bytes() -> None:
    """The same on every CPU: these digests are compared wherever the tests run."""
    view = noise(PANO)
    assert array_digest(blur(view, 3.0))[:16] == BLURRED
    assert array_digest(turn_hue(view.rgb, 30.0))[:16] == TURNED


BLURRED = "a5c047a25b90d95e"
TURNED = "d29d4519b64240ba"


def test_the_imaginer_plants_motion_in_the_environment_and_errors_of_images_itself() -> None:
    walks = [Candidate((Primitive(FORWARD, 0.2),) * 3)] * 2
    environment = GridEnvironment()
    environment.reset(example_episode(), 0, [])
    view = View(environment.rig.camera("pano"), np.zeros((8, 16, 3), np.uint8))

    def imagined(errors: PlantedErrors) -> np.ndarray:  # type: ignore[type-arg]
        found = EnvironmentImaginer(environment, "x", errors).imagine(view, walks, [(1, 3), (2,)], [200, 9])
        assert [sorted(rollout) for rollout in found] == [[1, 3], [2]]
        return found[0][3].rgb

    plain = next(environment.imagine(walks[:1], "pano", [(3,)])).rgb[0]
    assert np.array_equal(imagined(NOTHING), plain)
    assert tuple(imagined(PlantedErrors(MotionError(0.5)))[0, 0]) == (200, 50, 200)
    shifted = imagined(PlantedErrors(MotionError(0.5), ImageError(hue_deg=120.0)))
    assert tuple(shifted[0, 0]) == (200, 200, 50)
    assert MotionError() == NO_ERROR


def test_a_hand_errs_by_its_own_kind_and_never_by_both() -> None:
    assert PlantedErrors(handling=HandlingError(0.01)).world == HandlingError(0.01)
    assert PlantedErrors(MotionError(0.5)).world == MotionError(0.5) and NOTHING.world is None
    with pytest.raises(Refusal, match="motion and of handling are planted together"):
        PlantedErrors(MotionError(0.5), handling=HandlingError(0.01))
    for seed in (0, 7, 2**64 - 1):
        x, y = HandlingError(0.02).displacement(seed)
        assert math.hypot(x, y) == pytest.approx(0.02) and (x, y) == HandlingError(0.02).displacement(seed)
    assert HandlingError(0.02).displacement(1) != HandlingError(0.02).displacement(2)
