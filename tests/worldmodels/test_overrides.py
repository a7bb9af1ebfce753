"""``--set``: typed, validated, and never silent."""

from __future__ import annotations

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.worldmodels.preparing import override

MANIFEST = ModelManifest(
    "toy",
    "toys",
    "plugin",
    conditioning="text",
    steps=30,
    guidance=7.0,
    fps=16.0,
    dtype="bf16",
    settings={"negative_prompt": "blur", "compile": False, "reach": 0.5, "frame_multiple": 4},
)


def test_facts_and_settings_take_the_type_of_what_they_replace() -> None:
    wanted = ("steps=20", "guidance=3", "dtype=fp32", "compile=true", "settings.reach=1", "frame_multiple=8",
              "negative_prompt=a=b, c", "height=576")  # fmt: skip
    changed, values = override(MANIFEST, wanted)
    assert (changed.steps, changed.guidance, changed.dtype, changed.height, changed.fps) == (20, 3.0, "fp32", 576, 16.0)
    assert isinstance(changed.guidance, float)
    assert changed.settings == {"negative_prompt": "a=b, c", "compile": True, "reach": 1.0, "frame_multiple": 8}
    assert isinstance(changed.settings["reach"], float)
    assert values == {"steps": 20, "guidance": 3.0, "dtype": "fp32", "compile": True, "reach": 1.0,
                      "frame_multiple": 8, "negative_prompt": "a=b, c", "height": 576}  # fmt: skip
    assert changed.digest() != MANIFEST.digest()
    assert override(MANIFEST, ()) == (MANIFEST, {})


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("3", 3), ("0.5", 0.5), ("euler", "euler"), ("nan", "nan"), ("", "")]
)
def test_a_setting_that_is_not_declared_needs_its_prefix(text: str, value: object) -> None:
    changed, _ = override(MANIFEST, (f"settings.scheduler={text}",))
    assert changed.settings["scheduler"] == value
    assert type(changed.settings["scheduler"]) is type(value)
    with pytest.raises(Refusal, match=r"--set settings\.NAME=VALUE"):
        override(MANIFEST, (f"scheduler={text}",))


def test_settings_of_the_harness_need_no_declaration() -> None:
    changed, _ = override(MANIFEST, ("plan_actions=13", "prompt_template=manipulation-v1"))
    assert changed.settings["plan_actions"] == 13


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("step=3", "Did you mean 'steps'"),
        ("Compile=true", "Did you mean 'compile'"),
        ("steps=many", "steps=many is not a whole number"),
        ("steps=2.5", "not a whole number"),
        ("guidance=nan", "not a number"),
        ("compile=1", "not true or false"),
        ("steps=-1", "steps: .*greater than or equal to 0"),
        ("height=99999", "height: .*less than or equal to 4096"),
        ("name=other", "no fact or setting 'name'"),
        ("settings.steps=3", "no fact or setting 'steps'"),
        ("steps", "not understood"),
        ("=3", "not understood"),
    ],
)
def test_mistakes_are_refused(assignment: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        override(MANIFEST, (assignment,))


def test_a_key_comes_once() -> None:
    with pytest.raises(Refusal, match="reach comes twice"):
        override(MANIFEST, ("reach=1", "settings.reach=2"))
