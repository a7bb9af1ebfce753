"""Post-trained models: a transformer folder, low-rank adapters for one or two experts, UNets told the actions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")
pytest.importorskip("peft", reason="adapters need peft (the extra 'models')")

import torch

from harness.contracts.actions import EE_POSE8, FORWARD, TURN_LEFT, TURN_RIGHT, Candidate, Primitive, Vector
from harness.contracts.errors import Refusal
from tests.wm_plugins.diffusers.saving import Saved, SavedPipelines
from tests.wm_plugins.diffusers.zoo import bare_frames, bare_pipeline, request, tiny_manifest, world_model

LORA_FILE = "pytorch_lora_weights.safetensors"


@pytest.mark.parametrize("name", [pytest.param("FTltx", marks=pytest.mark.slow), "FTcosmos"])
def test_transformer_folder_replaces_the_published_one(name: str, pipelines: SavedPipelines) -> None:
    saved = pipelines.post_trained(name)
    asked = request(0, 3)
    trained = world_model(tiny_manifest(name, saved))
    pipeline = bare_pipeline(trained, saved)
    published = bare_frames(pipeline, trained, asked)[[1, 2, 3]]
    pipeline.transformer = type(pipeline.transformer).from_pretrained(saved.weights)
    expected = bare_frames(pipeline, trained, asked)[[1, 2, 3]]
    imagined = trained.imagine(asked).rgb
    assert np.array_equal(imagined, expected)
    assert not np.array_equal(imagined, published)


@pytest.mark.parametrize("name", ["FTwan22", pytest.param("FTwan21", marks=pytest.mark.slow)])
def test_low_rank_adapter_is_merged(name: str, pipelines: SavedPipelines) -> None:
    saved, published = pipelines.post_trained(name), pipelines.published(name)
    plain = world_model(tiny_manifest(name, published))
    asked = request(0, 3)
    pipeline = bare_pipeline(plain, saved)
    pipeline.load_lora_weights(saved.weights, weight_name=LORA_FILE)
    pipeline.fuse_lora(components=["transformer"])
    expected = bare_frames(pipeline, plain, asked)[[1, 2, 3]]
    for weights in (saved.weights, saved.weights / LORA_FILE):
        trained = world_model(tiny_manifest(name, Saved(saved.base, weights)))
        imagined = trained.imagine(asked).rgb
        assert np.abs(imagined.astype(int) - expected).max() <= 1
    assert not np.array_equal(expected, plain.imagine(asked).rgb)


@pytest.mark.slow
def test_each_expert_gets_its_adapter(pipelines: SavedPipelines) -> None:
    name = "FTwan22-14B"
    plain = world_model(tiny_manifest(name, pipelines.published(name)))
    trained = world_model(tiny_manifest(name, pipelines.post_trained(name)))
    for expert in ("transformer", "transformer_2"):
        old = getattr(plain.pipeline, expert).blocks[0].attn1.to_q.weight
        new = getattr(trained.pipeline, expert).blocks[0].attn1.to_q.weight
        assert not torch.equal(old, new)
    first = trained.pipeline.transformer.blocks[0].attn1.to_q.weight
    assert not torch.equal(first, trained.pipeline.transformer_2.blocks[0].attn1.to_q.weight)


@pytest.fixture(scope="module")
def svd(pipelines: SavedPipelines) -> Any:
    """Return FTsvd on a tiny base, with a UNet that embeds the noise augmentation alone and random action weights."""
    return world_model(tiny_manifest("FTsvd", pipelines.post_trained("FTsvd")))


@pytest.fixture(scope="module")
def arm(pipelines: SavedPipelines) -> Any:
    """Return FTsvd-manip on the same base."""
    return world_model(tiny_manifest("FTsvd-manip", pipelines.post_trained("FTsvd-manip")))


def test_ftsvd_follows_the_actions(svd: Any) -> None:
    straight = svd.imagine(request(0, 4, actions=(FORWARD, FORWARD, FORWARD))).rgb
    again = svd.imagine(request(1, 4, actions=(FORWARD, FORWARD, FORWARD))).rgb
    left = svd.imagine(request(2, 4, actions=(FORWARD, TURN_LEFT, FORWARD))).rgb
    assert np.array_equal(straight, again)
    assert not np.array_equal(straight, left)


def test_ftsvd_in_a_batch_gives_each_request_its_own_actions(svd: Any) -> None:
    asked = [request(0, 4), request(1, 5, actions=(FORWARD, TURN_RIGHT, TURN_RIGHT)), request(2, 6, scene=1)]
    for rollout, one in zip(svd.imagine_batch(asked), asked, strict=True):
        assert np.abs(rollout.rgb.astype(int) - svd.imagine(one).rgb).max() <= 2


def test_prefix_matrix_holds_what_led_to_a_frame() -> None:
    from action_embedding import action_ids, prefix_matrix, sinusoids

    ids = action_ids(request(actions=(FORWARD, TURN_LEFT)).candidate.actions)
    assert ids == [4, 1, 2] + [1] * 11
    matrix = prefix_matrix(ids)
    assert matrix[0].tolist() == [4.0] + [0.0] * 13
    assert matrix[2].tolist() == [4.0, 1.0, 2.0] + [0.0] * 11
    features = sinusoids(matrix)
    assert features.shape == (14, 168)
    assert features[0, :2].tolist() == pytest.approx([np.cos(4.0), np.sin(4.0)])


def test_noise_turns_with_the_camera(svd: Any) -> None:
    asked = request(actions=(FORWARD, TURN_LEFT))
    noise = type(svd)._turning_noise(asked, torch.Generator().manual_seed(0), (5, 4, 4, 16))
    assert torch.equal(noise[2], noise[1].roll(1, dims=-1))  # 22.5 degrees of 16 columns
    assert not torch.equal(noise[1], noise[0]) and not torch.equal(noise[3], noise[2])


def test_a_request_with_unknown_actions_fails_alone(svd: Any) -> None:
    bad = replace(request(1), candidate=Candidate((Primitive("fly", 3.0),)), frames=(1,))
    answers = {rollout.id: rollout for rollout in svd.imagine_batch([request(0, 4), bad, request(2, 5)])}
    assert "fly" in answers[1].error
    assert np.abs(answers[2].rgb.astype(int) - svd.imagine(request(2, 5)).rgb).max() <= 2


def test_ftsvd_needs_its_embedding_of_actions(pipelines: SavedPipelines) -> None:
    with pytest.raises(Refusal, match=r"action_embedding\.safetensors"):
        world_model(tiny_manifest("FTsvd", pipelines.published("FTsvd")))


def test_poses_become_angles_within_the_scene() -> None:
    from action_embedding import POSE_NUMBERS, pose_matrix, sinusoids

    level, half = (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)  # no turn, and half a turn about z
    lowest, highest = pose(-0.3, -0.5, 0.6, level, 0.0), pose(0.7, 0.5, 1.6, half, 1.0)
    matrix = pose_matrix((lowest, highest)) / np.pi
    low = [-2.0, -2.0, -2.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0]
    high = [2.0, 2.0, 2.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0]
    expected = [low, low, *[high] * 12]  # the present pose is the first one, the last one goes on
    np.testing.assert_allclose(matrix.numpy(), expected, atol=1e-6)
    middle = pose_matrix((pose(0.2, 0.25, 0.85, level, 1.0),))[0, :3]
    assert middle.tolist() == pytest.approx([0.0, np.pi, -np.pi], abs=1e-5)
    assert sinusoids(matrix).shape == (14, POSE_NUMBERS * 12) == (14, 120)


def test_the_arm_follows_its_poses_and_no_others(arm: Any) -> None:
    level = (1.0, 0.0, 0.0, 0.0)
    ahead = tuple(pose(0.1 * step, 0.0, 1.0, level, 1.0) for step in range(3))
    aside = tuple(pose(0.1 * step, 0.1 * step, 1.0, level, 1.0) for step in range(3))
    asked = replace(request(0, 4), candidate=Candidate(ahead))
    frames = arm.imagine(asked).rgb
    assert np.array_equal(frames, arm.imagine(asked).rgb)
    assert not np.array_equal(frames, arm.imagine(replace(asked, candidate=Candidate(aside))).rgb)
    assert "not known" in arm.imagine(request(0, 4)).error


def pose(x: float, y: float, z: float, rotation: tuple[float, ...], gripper: float) -> Vector:
    return Vector(EE_POSE8, (x, y, z, *rotation, gripper))
