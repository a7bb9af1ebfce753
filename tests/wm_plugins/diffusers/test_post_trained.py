"""Post-trained models: a transformer folder, low-rank adapters for one or two experts, and a UNet told the actions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")
pytest.importorskip("peft", reason="adapters need peft (the extra 'models')")

import peft
import torch

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT
from harness.contracts.errors import Refusal
from tests.wm_plugins.diffusers.zoo import (
    Saved,
    bare_frames,
    bare_pipeline,
    request,
    save_base,
    tiny_manifest,
    world_model,
)


def perturbed_transformer(base: Path, folder: Path) -> Path:
    """Save the transformer of ``base`` with other weights to ``folder``, as a post-training would."""
    import diffusers

    index = diffusers.DiffusionPipeline.load_config(base)
    transformer = getattr(diffusers, index["transformer"][1]).from_pretrained(base, subfolder="transformer")
    torch.manual_seed(21)
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    transformer.save_pretrained(folder)
    return folder


def adapter(model: Any, seed: int) -> dict[str, Any]:
    """Return random low-rank weights for the attention of ``model``."""
    model.add_adapter(peft.LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    torch.manual_seed(seed)
    weights = {name: torch.randn_like(value) for name, value in peft.get_peft_model_state_dict(model).items()}
    return weights


@pytest.mark.parametrize("name", [pytest.param("FTltx", marks=pytest.mark.slow), "FTcosmos"])
def test_transformer_folder_replaces_the_published_one(name: str, tmp_path: Path) -> None:
    base = save_base(name, tmp_path / "base")
    part = perturbed_transformer(base, tmp_path / "part")
    asked = request(0, 3)
    trained = world_model(tiny_manifest(name, Saved(base, part)))
    pipeline = bare_pipeline(trained, Saved(base, part))
    published = bare_frames(pipeline, trained, asked)[[1, 2, 3]]
    pipeline.transformer = type(pipeline.transformer).from_pretrained(part)
    expected = bare_frames(pipeline, trained, asked)[[1, 2, 3]]
    imagined = trained.imagine(asked).rgb
    assert np.array_equal(imagined, expected)
    assert not np.array_equal(imagined, published)


@pytest.mark.parametrize("name", ["FTwan22", pytest.param("FTwan21", marks=pytest.mark.slow)])
def test_low_rank_adapter_is_merged(name: str, tmp_path: Path) -> None:
    base = save_base(name, tmp_path / "base")
    plain = world_model(tiny_manifest(name, Saved(base, base)))
    cls = type(plain.pipeline)
    weights = adapter(cls.from_pretrained(base).transformer, 5)
    cls.save_lora_weights(tmp_path / "part", transformer_lora_layers=weights)
    asked = request(0, 3)
    pipeline = bare_pipeline(plain, Saved(base, base))
    pipeline.load_lora_weights(tmp_path / "part", weight_name="pytorch_lora_weights.safetensors")
    pipeline.fuse_lora(components=["transformer"])
    expected = bare_frames(pipeline, plain, asked)[[1, 2, 3]]
    for weights_path in (tmp_path / "part", tmp_path / "part" / "pytorch_lora_weights.safetensors"):
        trained = world_model(tiny_manifest(name, Saved(base, weights_path)))
        imagined = trained.imagine(asked).rgb
        assert np.abs(imagined.astype(int) - expected).max() <= 1
    assert not np.array_equal(expected, plain.imagine(asked).rgb)


@pytest.mark.slow
def test_each_expert_gets_its_adapter(tmp_path: Path) -> None:
    name = "FTwan22-14B"
    base = save_base(name, tmp_path / "base")
    plain = world_model(tiny_manifest(name, Saved(base, base)))
    cls = type(plain.pipeline)
    for expert, seed in (("high_noise", 5), ("low_noise", 6)):
        weights = adapter(cls.from_pretrained(base).transformer, seed)
        cls.save_lora_weights(tmp_path / "part" / expert, transformer_lora_layers=weights)
    trained = world_model(tiny_manifest(name, Saved(base, tmp_path / "part")))
    for before, after in (("transformer", "transformer"), ("transformer_2", "transformer_2")):
        old = getattr(plain.pipeline, before).blocks[0].attn1.to_q.weight
        new = getattr(trained.pipeline, after).blocks[0].attn1.to_q.weight
        assert not torch.equal(old, new)
    first = trained.pipeline.transformer.blocks[0].attn1.to_q.weight
    assert not torch.equal(first, trained.pipeline.transformer_2.blocks[0].attn1.to_q.weight)


@pytest.fixture(scope="module")
def svd(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return FTsvd on a tiny base, with a UNet that embeds the noise augmentation alone and random action weights."""
    folder = tmp_path_factory.mktemp("ftsvd")
    base = save_base("FTsvd", folder / "base")
    from action_embedding import ActionEmbedding
    from safetensors.torch import save_file

    from tests.wm_plugins.diffusers.tiny_pipelines import svd_unet

    unet = svd_unet(added=32)
    unet.save_pretrained(folder / "part" / "unet")
    torch.manual_seed(8)
    actions = ActionEmbedding(unet.time_embedding.linear_2.out_features)
    save_file(actions.state_dict(), folder / "part" / "unet" / "action_embedding.safetensors")
    return world_model(tiny_manifest("FTsvd", Saved(base, folder / "part")))


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
    from action_embedding import FEATURES, action_ids, prefix_matrix, sinusoids

    ids = action_ids(request(actions=(FORWARD, TURN_LEFT)).candidate.actions)
    assert ids == [4, 1, 2] + [1] * 11
    matrix = prefix_matrix(ids)
    assert matrix[0].tolist() == [4.0] + [0.0] * 13
    assert matrix[2].tolist() == [4.0, 1.0, 2.0] + [0.0] * 11
    features = sinusoids(matrix)
    assert features.shape == (14, FEATURES) == (14, 168)
    assert features[0, :2].tolist() == pytest.approx([np.cos(4.0), np.sin(4.0)])


def test_noise_turns_with_the_camera(svd: Any) -> None:
    asked = request(actions=(FORWARD, TURN_LEFT))
    noise = type(svd)._turning_noise(asked, torch.Generator().manual_seed(0), (5, 4, 4, 16))
    assert torch.equal(noise[2], noise[1].roll(1, dims=-1))  # 22.5 degrees of 16 columns
    assert not torch.equal(noise[1], noise[0]) and not torch.equal(noise[3], noise[2])


def test_ftsvd_needs_its_embedding_of_actions(tmp_path: Path) -> None:
    base = save_base("FTsvd", tmp_path / "base")
    with pytest.raises(Refusal, match=r"action_embedding\.safetensors"):
        world_model(tiny_manifest("FTsvd", Saved(base, base)))
