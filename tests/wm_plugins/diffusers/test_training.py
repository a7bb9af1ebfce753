"""Trainees of the video families: what they learn of a clip, what takes gradients, and what use loads of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")
pytest.importorskip("peft", reason="adapters need peft (the extra 'models')")

import torch

from harness.contracts.actions import STOP, Primitive
from harness.contracts.cameras import PINHOLE
from harness.contracts.errors import Refusal
from harness.contracts.training import ActionUse, Adapter, TrainingClip
from harness.worldmodels.panorama import resize
from tests.wm_plugins.diffusers.saving import Saved, SavedPipelines
from tests.wm_plugins.diffusers.training import (
    AHEAD,
    LEFT,
    LORA,
    RIGHT,
    TRAINEES,
    batch_of,
    clip,
    losses,
    other_weights,
    trainee,
)
from tests.wm_plugins.diffusers.zoo import request, tiny_manifest, world_model

TURNS = (AHEAD, RIGHT, RIGHT, AHEAD) * 3 + (LEFT,)


def some(*slow: str) -> list[Any]:
    """Return all models, the ``slow`` ones left to the long run."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in TRAINEES]


def steps(made: Any, batch: Mapping[str, torch.Tensor], count: int = 20, rate: float = 3e-3) -> list[float]:
    """Train on one batch with the same draws at every step; return the losses."""
    optimizer = torch.optim.AdamW([p for p in made.module().parameters() if p.requires_grad], lr=rate)
    found = []
    for _ in range(count):
        loss = made.loss(batch, ActionUse.CORRECT, torch.Generator().manual_seed(5))["loss"]
        optimizer.zero_grad()
        loss.backward()
        unused = [key for key, p in made.module().named_parameters() if p.requires_grad and p.grad is None]
        assert not unused, unused  # parallel training waits for the gradients of all
        optimizer.step()
        found.append(float(loss.detach()))
    return found


@pytest.mark.parametrize("name", some("FTwan21", "FTwan22-14B", "FTltx"))
def test_a_network_learns_and_is_used_as_it_was_trained(name: str, pipelines: SavedPipelines, tmp_path: Path) -> None:
    saved = pipelines.published(name)
    made = trainee(name, saved)
    found = steps(made, batch_of(made, clip(made.manifest)))
    assert found[-1] < 0.9 * found[0]
    made.save(tmp_path)
    trained = world_model(tiny_manifest(name, Saved(saved.base, tmp_path)))
    for folder, network in made.trained().items():
        used = getattr(trained.pipeline, folder or made.networks[0]).state_dict()
        assert all(torch.equal(value, used[key]) for key, value in network.state_dict().items())
    if name == "FTsvd":
        own = made.module().actions.state_dict()
        assert all(torch.equal(value, own[key]) for key, value in trained.actions.state_dict().items())


@pytest.mark.parametrize("name", some("FTwan21", "FTwan22-14B")[:-1])
def test_an_adapter_learns_alone_and_changes_what_is_imagined(
    name: str, pipelines: SavedPipelines, tmp_path: Path
) -> None:
    saved = pipelines.published(name)
    made = trainee(name, saved, LORA)
    before = {key: value.clone() for key, value in made.module().state_dict().items()}
    found = steps(made, batch_of(made, clip(made.manifest), clip(made.manifest, 1, TURNS)), rate=2e-2)
    assert found[-1] < found[0]
    changed = {key for key, value in made.module().state_dict().items() if not torch.equal(value, before[key])}
    assert changed and all("lora_" in key for key in changed)
    assert all(p.requires_grad == ("lora_" in key) for key, p in made.module().named_parameters())
    made.save(tmp_path)
    trained = world_model(tiny_manifest(name, Saved(saved.base, tmp_path)))
    plain = world_model(tiny_manifest(name, saved))
    assert not np.array_equal(trained.imagine(request(0, 3)).rgb, plain.imagine(request(0, 3)).rgb)
    for folder, network in made.trained().items():
        part = folder or "transformer"
        merged, own = getattr(trained.pipeline, part), getattr(plain.pipeline, part)
        layer = next(key for key, module in network.named_modules() if hasattr(module, "lora_A"))
        added = network.get_submodule(layer).get_delta_weight("default")
        weight = own.get_submodule(layer).weight + added
        assert torch.allclose(merged.get_submodule(layer).weight, weight, atol=1e-6)
        assert LORA.alpha / LORA.rank == network.get_submodule(layer).scaling["default"]


@pytest.mark.parametrize("name", ["FTltx", "FTsvd", "FTwan22-14B"])
def test_training_goes_on_from_a_checkpoint(name: str, pipelines: SavedPipelines, tmp_path: Path) -> None:
    saved = pipelines.published(name)
    made = trainee(name, saved)
    other_weights(made.module())
    made.save(tmp_path)
    again = trainee(name, Saved(saved.base, tmp_path))
    state = made.module().state_dict()
    assert all(torch.equal(value, state[key]) for key, value in again.module().state_dict().items())
    assert again.prepare(clip(again.manifest)).keys() == made.prepare(clip(made.manifest)).keys()


@pytest.mark.parametrize("name", TRAINEES)
def test_shuffled_and_unsaid_actions_give_other_losses(name: str, pipelines: SavedPipelines) -> None:
    made = (
        trainee(name, pipelines.published(name), prompt_dropout=0.5)
        if name != "FTsvd"
        else trainee(name, pipelines.published(name))
    )
    other_weights(made.module())
    one, two = clip(made.manifest), clip(made.manifest, 1, TURNS)
    batch = batch_of(made, one, two)
    correct, shuffled, none = (losses(made, batch, use) for use in ActionUse)
    assert correct != shuffled and shuffled != none and none != correct
    assert correct == losses(made, batch, ActionUse.CORRECT) != losses(made, batch, ActionUse.CORRECT, seed=1)
    exchanged = batch_of(
        made,
        replace(one, actions=two.actions, prompt=two.prompt),
        replace(two, actions=one.actions, prompt=one.prompt),
    )
    assert losses(made, exchanged, ActionUse.CORRECT) == pytest.approx(shuffled, rel=1e-5)
    with pytest.raises(Refusal, match="single clip"):
        losses(made, {key: value[:1] for key, value in batch.items()}, ActionUse.SHUFFLED)


@pytest.mark.parametrize("name", TRAINEES)
def test_memory_holds_what_is_trained_and_no_encoders(name: str, pipelines: SavedPipelines) -> None:
    made = trainee(name, pipelines.published(name))
    batch = batch_of(made, clip(made.manifest))
    assert made._encoders is not None
    made.module()
    assert made._encoders is None  # gone before the network comes
    made.prepare(clip(made.manifest))
    losses(made, batch, ActionUse.CORRECT)
    assert made._encoders is None
    again = made.prepare(clip(made.manifest))  # a clip that comes later is prepared all the same
    assert all(torch.equal(value[0], again[key]) for key, value in batch.items())


@pytest.mark.parametrize("name", ["FTltx", "FTwan22", "FTsvd"])
def test_a_training_that_goes_on_finds_the_same_loss(name: str, pipelines: SavedPipelines) -> None:
    """Clips that lie prepared on disk are not prepared again: what else was made of texts and views has to be equal."""
    settings: dict[str, Any] = {} if name == "FTsvd" else {"prompt_dropout": 0.5}
    first, second = (trainee(name, pipelines.published(name), **settings) for _ in range(2))
    batch = batch_of(first, *(clip(first.manifest, number) for number in range(3)))
    found = []
    for made in (first, second):
        with torch.autocast("cpu", torch.bfloat16):
            found.append(float(made.loss(batch, ActionUse.CORRECT, torch.Generator().manual_seed(4))["loss"].detach()))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["FTcosmos", "FTsvd"])
def test_activations_computed_again_change_no_gradient(name: str, pipelines: SavedPipelines) -> None:
    found = []
    for again in (False, True):
        made = trainee(name, pipelines.published(name))
        if again:
            made.checkpoint_gradients()
        loss = made.loss(batch_of(made, clip(made.manifest)), ActionUse.CORRECT, torch.Generator().manual_seed(2))
        loss["loss"].backward()
        found.append({key: p.grad for key, p in made.module().named_parameters()})
    assert all(torch.allclose(value, found[1][key], atol=1e-6) for key, value in found[0].items() if value is not None)


def test_wrong_data_are_refused(pipelines: SavedPipelines) -> None:
    made = trainee("FTltx", pipelines.published("FTltx"))
    whole = clip(made.manifest)
    few = clip(made.manifest, actions=(AHEAD,) * 5)
    flat = replace(whole, camera=replace(whole.camera, kind=PINHOLE, hfov_deg=90.0))
    for wrong, why in ((few, "data.frames=14"), (flat, "panoramas"), (replace(whole, prompt=""), "no prompt")):
        with pytest.raises(Refusal) as refused:
            made.prepare(wrong)
        assert why in str(refused.value)
    svd = trainee("FTsvd", pipelines.published("FTsvd"))
    with pytest.raises(Refusal, match="stop"):
        svd.prepare(replace(whole, actions=(*whole.actions[:-1], Primitive(STOP, 0.0))))


def test_a_prompt_whose_end_would_not_be_read_is_refused(pipelines: SavedPipelines) -> None:
    saved, longest = pipelines.published("FTltx"), "call.max_sequence_length"
    long = clip(tiny_manifest("FTltx", saved), actions=(LEFT,) * 13)
    with pytest.raises(Refusal, match="reads 128"):
        trainee("FTltx", saved, of_model={longest: 128}).prepare(long)
    assert trainee("FTltx", saved).prepare(long)["prompt_embeds"].shape[0] == 256
    told = world_model(tiny_manifest("FTltx", saved)).embedding(request(prompt=long.prompt))
    assert told["prompt_embeds"].shape[1] == 256


def test_wrong_recipes_are_refused(pipelines: SavedPipelines, tmp_path: Path) -> None:
    saved = pipelines.published("FTltx")
    with pytest.raises(Refusal, match="prompt_dropout"):
        trainee("FTltx", saved, prompt_drop=0.1)
    with pytest.raises(Refusal, match=r"'0\.1'"):
        trainee("FTltx", saved, prompt_dropout="0.1")
    with pytest.raises(Refusal, match="to_quack"):
        trainee("FTltx", saved, Adapter(4, 4.0, ("to_q", "to_quack"))).module()
    with pytest.raises(Refusal, match="adapter"):
        trainee("FTsvd", pipelines.published("FTsvd"), LORA)
    with pytest.raises(Refusal, match=r"model_index\.json"):
        trainee("FTltx", Saved(tmp_path, tmp_path))


@pytest.mark.parametrize("size", [(16, 32), (24, 40), (64, 128), (36, 100)])
def test_clips_of_another_size_are_resized_as_views_are_in_use(size: tuple[int, int]) -> None:
    from video_diffusion.training import resized

    frames = clip_frames()
    expected = np.stack([resize(frame, *size) for frame in frames])
    assert np.array_equal(resized(torch.from_numpy(frames), *size).numpy(), expected)


def clip_frames() -> Any:
    """Return three frames of noise."""
    return np.random.default_rng(2).integers(0, 256, (3, 32, 64, 3)).astype(np.uint8)


def test_a_video_shows_each_view_where_use_reads_it(pipelines: SavedPipelines) -> None:
    made = trainee("FTltx", pipelines.published("FTltx"))
    made.manifest = replace(made.manifest, frames=16)
    frames = clip(made.manifest).frames
    video = made.video(clip(made.manifest)).numpy()
    kept = (0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16)
    assert np.array_equal(video[list(kept)], frames) and np.array_equal(video[5], frames[4])


def test_levels_of_noise_reach_all_that_use_passes_through(pipelines: SavedPipelines) -> None:
    latents, draws = torch.zeros(4000, 1, 3, 18, 32), torch.Generator().manual_seed(0)
    ltx = trainee("FTltx", pipelines.published("FTltx")).levels(latents, draws)
    assert float(ltx.median()) == pytest.approx(1 / (1 + np.exp(-1.202)), abs=0.02)  # 1728 tokens
    cosmos = trainee("FTcosmos", pipelines.published("FTcosmos")).levels(latents[:, :, :1], draws)
    assert float(cosmos.median()) == pytest.approx(0.5, abs=0.02)
    wan = trainee("FTwan22", pipelines.published("FTwan22"))
    levels = wan.levels(latents, draws)
    assert float(levels.median()) == pytest.approx(5 / 6, abs=0.02)
    assert float(wan.weights(levels).mean()) == pytest.approx(1.0, abs=0.05)
    experts = trainee("FTwan22-14B", pipelines.published("FTwan22-14B"))
    high, low = experts.rounds(latents, draws)
    assert float(high.min()) >= 0.9 - 1e-6 and float(low.max()) < 0.9 + 1e-6 and float(low.min()) < 0.01
    assert experts.network_at(high) is experts.module().transformer
    assert experts.network_at(low) is experts.module().transformer_2


def test_a_mirrored_clip_is_that_of_the_mirrored_walk(pipelines: SavedPipelines) -> None:
    made = trainee("FTsvd", pipelines.published("FTsvd"))
    own = clip(made.manifest, actions=TURNS)
    swapped = tuple({LEFT: RIGHT, RIGHT: LEFT}.get(action, action) for action in TURNS)
    walk = TrainingClip("mirrored", own.frames[:, :, ::-1].copy(), own.camera, swapped)
    prepared, mirrored = made.prepare(own), made.prepare(walk)
    for key in ("latents", "picture", "ids", "columns"):
        assert torch.equal(prepared[key][1], mirrored[key][0])


def test_the_base_is_where_training_begins(pipelines: SavedPipelines) -> None:
    made = trainee("FTsvd", pipelines.published("FTsvd"))
    base = made.parts.denoiser("unet", torch.float32)
    sample, picture = torch.randn(1, 3, 8, 4, 8), torch.randn(1, 1, 8)
    with torch.no_grad():
        old = base(sample, torch.tensor([1.0]), picture, torch.tensor([[6.0, 127.0, 0.02]])).sample
        new = made.module()(torch.tensor([[4, 1, 2] + [1] * 11]), sample, torch.tensor([1.0]), picture,
                            torch.tensor([[0.02]]))  # fmt: skip
    assert torch.allclose(old, new, atol=1e-5)
