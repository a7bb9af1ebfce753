"""Dataclasses survive the way through JSON, and nothing else gets in."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.actions import Action, Primitive, Vector
from harness.contracts.digest import to_plain
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import PLUGIN, ModelManifest
from harness.contracts.results import EpisodeResult, StepRecord
from harness.contracts.trajectories import Trajectory
from tests.running.fake import episodes, played

finite = st.floats(allow_nan=False, allow_infinity=False)
actions = st.one_of(st.builds(Primitive, st.text(), finite), st.builds(Vector, st.text(), st.lists(finite).map(tuple)))


@given(actions, st.dictionaries(st.text(), finite))
def test_a_step_comes_back_equal(action: Action, gap: dict[str, float]) -> None:
    pose = episodes(1)[0].start
    step = StepRecord(action, pose, True, "ab", gap)
    assert from_plain(StepRecord, json.loads(json.dumps(to_plain(step)))) == step


@given(st.dictionaries(st.text(), st.one_of(st.booleans(), st.integers(), finite, st.text())))
def test_the_settings_of_a_manifest_keep_their_types(settings: dict[str, bool | int | float | str]) -> None:
    manifest = ModelManifest("toy", "toys", PLUGIN, settings=settings)
    again = from_plain(ModelManifest, json.loads(json.dumps(to_plain(manifest))))
    assert again.digest() == manifest.digest()
    assert {name: type(value) for name, value in again.settings.items()} == {k: type(v) for k, v in settings.items()}


def test_a_setting_of_another_type_is_refused() -> None:
    plain = {**to_plain(ModelManifest("toy", "toys", PLUGIN)), "settings": {"sizes": [1]}}
    with pytest.raises(ValueError, match=r"settings\.sizes is \[1\], which fits none"):
        from_plain(ModelManifest, plain)


def test_a_trajectory_comes_back_with_its_digest() -> None:
    trajectory = played(episodes(1)[0], 3).trajectory
    again = from_plain(Trajectory, json.loads(json.dumps(to_plain(trajectory))))
    assert again == trajectory
    assert again.digest() == trajectory.digest()
    assert replace(again, solved=not again.solved).digest() != trajectory.digest()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"surprise": 1}, "unknown fields: surprise"),
        ({"seed": "0"}, r"seed is '0', not of type int"),
        ({"seed": True}, "seed is True"),
        ({"metrics": {"a": "b"}}, r"metrics\.a is 'b'"),
        ({"metrics": []}, "not an object"),
    ],
)
def test_wrong_values_name_their_place(change: dict[str, object], complaint: str) -> None:
    plain = {**to_plain(EpisodeResult("e", "h", 0, "ok", {}, "")), **change}
    with pytest.raises(ValueError, match=complaint):
        from_plain(EpisodeResult, plain)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ValueError, match="home"):
        from_plain(EpisodeResult, {"episode": "e"})
