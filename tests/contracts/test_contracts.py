"""Contracts: hashes change exactly when content changes, seeds are keyed, poses and actions mean what they say."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts import seeds
from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Primitive, Vector, navigation_space, signed_turn
from harness.contracts.cameras import (
    EQUIRECT,
    PINHOLE,
    Camera,
    Pose,
    Rig,
    quaternion_to_yaw,
    yaw_to_quaternion,
)
from harness.contracts.digest import array_digest, canonical_json, digest, merkle_root, to_plain
from harness.contracts.errors import Refusal
from harness.contracts.results import DecisionRecord, StepRecord
from harness.contracts.trajectories import Trajectory
from tests.image_goals import changed, image_goal_episode

HERE = Pose((1.0, 0.0, 2.0), yaw_to_quaternion(0.0))
EPISODE = image_goal_episode("e", "ignav", "easy", "test", "test-0000", "test-0000", HERE, HERE, 0.5, 2.0, 12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(plain)
def test_canonical_json_is_stable_and_ignores_key_order(value: object) -> None:
    assert canonical_json(value) == canonical_json(value)
    if isinstance(value, dict):
        assert canonical_json(dict(reversed(list(value.items())))) == canonical_json(value)


def test_digest_rejects_what_has_no_canonical_form() -> None:
    with pytest.raises(TypeError, match="ndarray"):
        digest({"a": np.zeros(3)})
    with pytest.raises(ValueError, match="JSON"):
        digest(float("nan"))


def test_array_digest_covers_dtype_shape_and_bytes() -> None:
    a = np.arange(6, dtype=np.uint8)
    digests = {array_digest(a), array_digest(a.reshape(2, 3)), array_digest(a.astype(np.int32)), array_digest(a + 1)}
    assert len(digests) == 4
    assert array_digest(a[::-1][::-1]) == array_digest(a)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=9), st.data())
def test_merkle_root_notices_any_changed_or_moved_leaf(blobs: list[bytes], data: st.DataObject) -> None:
    leaves = [hashlib.sha256(b).hexdigest() for b in blobs]
    i = data.draw(st.integers(0, len(leaves) - 1))
    changed = [*leaves[:i], hashlib.sha256(b"changed!").hexdigest(), *leaves[i + 1 :]]
    assert merkle_root(changed) != merkle_root(leaves)
    if leaves[0] != leaves[-1]:
        assert merkle_root([leaves[-1], *leaves[1:-1], leaves[0]]) != merkle_root(leaves)
    assert merkle_root([*leaves, leaves[-1]]) != merkle_root(leaves)


def test_every_episode_field_changes_its_digest() -> None:
    changes = {"id": "f", "radius_m": 0.3, "start": Pose((1.5, 0.0, 2.0), HERE.rotation), "tags": ("x",)}
    for name, value in changes.items():
        assert changed(EPISODE, **{name: value}).digest() != EPISODE.digest()


def test_the_hash_of_an_episode_is_of_its_fields_side_by_side() -> None:
    """As it was before payloads: what suites were frozen with stays."""
    flat = {
        "id": "e", "task": "ignav", "tier": "easy", "split": "test", "scene": "test-0000", "home": "test-0000",
        "start": HERE, "goal": HERE, "radius_m": 0.5, "geodesic_m": 2.0, "reference_actions": 12, "tags": [],
    }  # fmt: skip
    assert EPISODE.digest() == digest(flat) and to_plain(EPISODE) == to_plain(flat)


def test_seeds_are_keyed_by_every_part() -> None:
    keys = [(0, "e", 0, 0, "a"), (1, "e", 0, 0, "a"), (0, "f", 0, 0, "a"), (0, "e", 1, 0, "a"), (0, "e", 0, 0, "b")]
    assert len({seeds.derive(*k) for k in keys}) == len(keys)
    assert seeds.generator(*keys[0]).integers(1 << 30) == seeds.generator(*keys[0]).integers(1 << 30)
    assert 0 <= seeds.request_seed(0, "e", 0, 0) < 2**64


@given(st.integers(-40, 40))
def test_yaw_survives_the_quaternion(steps: int) -> None:
    yaw = quaternion_to_yaw(yaw_to_quaternion(steps * 22.5))
    assert abs((yaw - steps * 22.5 + 180.0) % 360.0 - 180.0) < 1e-9
    assert -180.0 < yaw <= 180.0


def test_a_tilted_rotation_is_refused() -> None:
    with pytest.raises(Refusal, match="not a unit rotation about y"):
        quaternion_to_yaw((0.7, 0.7, 0.0, 0.0))


def test_action_space_and_turn_signs() -> None:
    space = navigation_space()
    assert space.allows(Primitive(FORWARD, 0.2)) and not space.allows(Primitive(FORWARD, 0.25))
    assert not space.allows(Vector("navigation", (0.0,)))
    assert signed_turn(Primitive(TURN_LEFT, 22.5)) == 22.5
    assert signed_turn(Primitive(TURN_RIGHT, 22.5)) == -22.5
    assert signed_turn(Primitive(FORWARD, 0.2)) == 0.0


def test_rig_names_its_cameras_when_one_is_missing() -> None:
    rig = Rig((Camera("front", PINHOLE, 128, 128, 90.0, 1.25), Camera("pano", EQUIRECT, 128, 256, 360.0, 1.25)))
    assert rig.camera("pano").width == 256
    with pytest.raises(Refusal, match=r"no camera 'back'.*front, pano"):
        rig.camera("back")


def test_trajectory_digest_ignores_the_gap_and_sees_the_rest() -> None:
    step = StepRecord(Primitive(FORWARD, 0.2), HERE, False, "ab", {"ssim": 0.5})
    decision = DecisionRecord(0, 8, 24, 3, (0.1,), 0.0, "cd", 2.0, 8, (step,))
    base = Trajectory("e", 0, "copy", "self", HERE, "ef", (decision,), "self", 0.3, True)
    other_gap = dataclasses.replace(decision, steps=(dataclasses.replace(step, gap={}),))
    blocked = dataclasses.replace(decision, steps=(dataclasses.replace(step, collided=True),))
    assert dataclasses.replace(base, decisions=(other_gap,)).digest() == base.digest()
    assert dataclasses.replace(base, decisions=(blocked,)).digest() != base.digest()
    assert dataclasses.replace(base, solved=False).digest() != base.digest()


def test_contracts_import_nothing_heavy() -> None:
    code = (
        "import sys, harness.contracts.trajectories, harness.contracts.manifests; "
        "print([m for m in ('scipy', 'numba', 'torch', 'av', 'pydantic', 'grpc') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_turns_on_the_spot_are_not_what_a_model_imagined() -> None:
    actions = (
        Primitive(TURN_LEFT, 22.5),
        Primitive(TURN_LEFT, 22.5),
        Primitive(FORWARD, 0.2),
        Primitive(TURN_RIGHT, 22.5),
    )
    steps = tuple(StepRecord(action, HERE, False, "") for action in actions)
    assert DecisionRecord(0, 1, 1, 0, (), 0.0, "", 0.0, 0, steps).moving_steps() == steps[2:]
    assert DecisionRecord(0, 1, 1, 0, (), 0.0, "", 0.0, 0, steps[:2]).moving_steps() == ()
