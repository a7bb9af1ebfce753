"""What world models are told: golden prompts and camera poses, and who sees which camera."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.actions import Primitive, Vector, navigation_space
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera, Rig, quaternion_to_yaw
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import ViewRequest
from harness.worldmodels.conditioning import (
    PROMPT_TEMPLATE,
    TEMPLATES,
    conditioning_of,
    pose_before,
    relative_poses,
    template_of,
    view_request,
    with_template,
)
from tests.worldmodels.toy_world import AHEAD, LEFT, RIGHT

SPACE = navigation_space()
TEXT = ModelManifest("words", "toy", "plugin", conditioning="text")
OWN = 'name = "own"\nversion = 3\ntemplate = "Follow: [\'{actions}\']."\nseparator = "\', \'"\n[actions]\n' + (
    'forward = "forward {magnitude}m"\nturn_left = "turn_left {magnitude}°"\n'
)


def test_our_prompt() -> None:
    assert conditioning_of(TEXT).prompt((AHEAD, LEFT, AHEAD, RIGHT), SPACE) == (
        "Indoor footage filmed by a robot gliding through a still room at a constant height. In order, once per "
        "frame, the robot does this: go 0.2 m straight ahead, then rotate 22.5 degrees to the left on the spot, then "
        "go 0.2 m straight ahead, then rotate 22.5 degrees to the right on the spot. Nothing else in the room moves."
    )


def test_our_prompt_of_an_arm() -> None:
    pose = Vector("ee_pose8", (0.25, -0.1, 0.8, 1.0, 0.0, 0.0, 0.0, 1.0))
    manifest = replace(TEXT, settings={PROMPT_TEMPLATE: "manipulation-v1"})
    prompt = template_of(manifest).render([pose, replace(pose, values=(*pose.values[:7], 0.0))])
    assert "(0.25, -0.1, 0.8) with the fingers open, then (0.25, -0.1, 0.8) with the fingers closed." in prompt


def test_a_template_of_the_users_own_is_copied_into_the_manifest(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(OWN, encoding="utf-8")
    planned = with_template(replace(TEXT, settings={PROMPT_TEMPLATE: str(file)}))
    file.unlink()
    template = template_of(planned)
    assert (template.name, template.version) == ("own", 3)
    assert template.render((AHEAD, LEFT)) == "Follow: ['forward 0.2m', 'turn_left 22.5°']."
    assert planned.digest() != with_template(TEXT).digest()
    assert with_template(planned) == planned
    with pytest.raises(Refusal, match="no words for 'turn_right'"):
        template.render((RIGHT,))


def test_models_that_read_no_text_have_no_template() -> None:
    numbers = replace(TEXT, conditioning="numbers")
    assert with_template(numbers) == numbers
    assert conditioning_of(numbers).prompt((AHEAD,), SPACE) == ""
    assert conditioning_of(numbers).camera_poses((AHEAD,)) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[actions]", "actions"), "is no TOML"),
        (("{actions}", ""), "does not hold {actions} exactly once"),
        (("version = 3", 'version = "3"'), "version: .*integer"),
        (("forward {magnitude}m", "forward {0.__class__}"), "actions.forward holds"),
        (("forward {magnitude}m", "forward {magnitude!r}"), "actions.forward holds"),
        (("forward {magnitude}m", "forward {"), "actions.forward"),
    ],
)
def test_wrong_templates_are_refused(change: tuple[str, str], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        with_template(replace(TEXT, settings={PROMPT_TEMPLATE: OWN.replace(*change)}))


def test_a_template_that_is_not_there_is_refused_with_what_is() -> None:
    with pytest.raises(Refusal, match=r"no prompt template 'navigation-v2'.*Did you mean 'navigation-v1'\?"):
        conditioning_of(replace(TEXT, settings={PROMPT_TEMPLATE: "navigation-v2"}))
    assert sorted(path.stem for path in TEMPLATES.glob("*.toml")) == ["manipulation-v1", "navigation-v1"]


def test_prompts_of_a_fixed_length_are_filled_up_with_forwards(tmp_path: Path) -> None:
    fixed = replace(TEXT, frames=32, settings={PROMPT_TEMPLATE: OWN, "plan_actions": 3})
    conditioning = conditioning_of(fixed)
    assert conditioning.prompt((LEFT,), SPACE) == "Follow: ['turn_left 22.5°', 'forward 0.2m', 'forward 0.2m']."
    assert conditioning.most_actions == 3
    assert conditioning_of(replace(TEXT, frames=32)).most_actions == 32
    with pytest.raises(Refusal, match=r"plan_actions of 'words' is 1\.5"):
        conditioning_of(replace(TEXT, settings={"plan_actions": 1.5}))


def test_camera_poses_are_relative_to_the_conditioning_view() -> None:
    poses = relative_poses((AHEAD, LEFT, LEFT, LEFT, LEFT, AHEAD, RIGHT))
    assert poses[0].position == (0.0, 0.0, -0.2)
    assert [quaternion_to_yaw(pose.rotation) for pose in poses] == pytest.approx([0, 22.5, 45, 67.5, 90, 90, 67.5])
    assert poses[4].position == (0.0, 0.0, -0.2)
    assert poses[5].position == pytest.approx((-0.2, 0.0, -0.2), abs=1e-15)
    diagonal = relative_poses((RIGHT, RIGHT, AHEAD))[-1].position
    assert diagonal == pytest.approx((0.2 * math.sqrt(0.5), 0.0, -0.2 * math.sqrt(0.5)), abs=1e-15)
    with pytest.raises(Refusal, match="does not say how the camera moves"):
        relative_poses((Vector("ee_pose8", (0.0,) * 8),))


@given(st.lists(st.sampled_from([AHEAD, LEFT, RIGHT]), max_size=12), st.sampled_from([-90.0, 0.0, 22.5, 180.0]))
def test_the_pose_before_undoes_the_actions_and_a_further_turn(actions: list[Primitive], turned_deg: float) -> None:
    before = pose_before(actions, turned_deg)
    assert pose_before((), turned_deg).position == (0.0, 0.0, 0.0)
    yaw_deg = quaternion_to_yaw(before.rotation)
    there = relative_poses(actions)[-1] if actions else pose_before(())
    yaw = math.radians(yaw_deg)
    x, _, z = there.position
    back = (x * math.cos(yaw) + z * math.sin(yaw), -x * math.sin(yaw) + z * math.cos(yaw))
    assert (before.position[0] + back[0], before.position[2] + back[1]) == pytest.approx((0.0, 0.0), abs=1e-12)
    total = quaternion_to_yaw(there.rotation) + turned_deg + yaw_deg
    assert math.remainder(total, 360.0) == pytest.approx(0.0, abs=1e-9)


RIG = Rig(
    (
        Camera("front", PINHOLE, 128, 128, 90.0, 1.25),
        Camera("pano", EQUIRECT, 128, 256, 360.0, 1.25),
        Camera("pano_large", EQUIRECT, 576, 1024, 360.0, 1.25),
    )
)


@pytest.mark.parametrize(
    ("fields", "further"),
    [
        ({}, None),
        ({"height": 128, "width": 256}, None),
        ({"height": 64, "width": 128}, None),
        ({"height": 576, "width": 1024}, ViewRequest("pano_large")),
        ({"height": 288, "width": 512}, ViewRequest("pano_large")),
        ({"height": 1000, "width": 2000}, ViewRequest("pano_large")),
        ({"view": "perspective"}, None),
        ({"view": "perspective", "height": 480, "width": 480}, ViewRequest("pano_large")),
        ({"settings": {"depth": True}}, ViewRequest("pano", depth=True)),
        ({"height": 576, "width": 1024, "settings": {"depth": True}}, ViewRequest("pano_large", depth=True)),
    ],
)
def test_a_large_model_imagines_from_a_large_view(fields: dict[str, object], further: ViewRequest | None) -> None:
    assert view_request(replace(TEXT, **fields), RIG, "pano") == further  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"view": "perspective"},
        {"view": "perspective", "height": 480, "width": 480},
        {"view": "perspective", "width": 32},
    ],
)
def test_an_agent_that_looks_ahead_turns_on_the_spot_for_a_perspective_model(fields: dict[str, object]) -> None:
    """It starts from a crop of the smallest panorama that is sharp enough, for real, wherever a candidate leads."""
    wanted = "pano" if fields.get("width") == 32 else "pano_large"
    assert view_request(replace(TEXT, **fields), RIG, "front") == ViewRequest(wanted)  # type: ignore[arg-type]
