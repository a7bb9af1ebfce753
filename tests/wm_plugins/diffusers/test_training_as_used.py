"""Trainees call their networks as the pipelines do in use: the same words, the same first view, the same times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch", reason="the zoo needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")

import torch
from action_embedding import ActionEmbedding, turned_columns
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from harness.contracts.actions import TURN_LEFT, Candidate, Primitive
from harness.contracts.training import ActionUse
from tests.wm_plugins.diffusers.saving import SavedPipelines
from tests.wm_plugins.diffusers.training import AHEAD, batch_of, clip, trainee
from tests.wm_plugins.diffusers.zoo import request, tiny_manifest, world_model

GIVEN = {"FTltx": 0, "FTcosmos": 0, "FTwan22": 0, "FTwan21": 4, "FTwan22-14B": 4}
"""From which channel on the network is given the first view; 0: as the first latents."""


@contextmanager
def first_call(network: Any) -> Iterator[dict[str, Any]]:
    """Collect the arguments of the first call of ``network`` inside."""
    found: dict[str, Any] = {}

    def note(_: Any, unnamed: tuple[Any, ...], arguments: dict[str, Any]) -> None:
        for name, value in {**dict(zip(("sample", "time"), unnamed, strict=False)), **arguments}.items():
            found.setdefault(name, value)

    hook = network.register_forward_pre_hook(note, with_kwargs=True)
    yield found
    hook.remove()


def in_use(name: str, saved: Any, seen: Any, **settings: Any) -> dict[str, Any]:
    """Return what the first network is called with in use, for the plan and the first view of a clip."""
    manifest = replace(tiny_manifest(name, saved, **settings), guidance=1.0)
    model = world_model(manifest)
    asked = replace(request(), view=seen.frames[0], candidate=Candidate(seen.actions), prompt=seen.prompt)
    with first_call(model.pipeline.unet if name == "FTsvd" else model.pipeline.transformer) as found:
        model.imagine(asked)
    return found


@pytest.mark.parametrize("name", GIVEN)
def test_a_transformer_is_called_as_in_use(
    name: str, pipelines: SavedPipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    saved = pipelines.published(name)
    made = trainee(name, saved)
    seen = clip(made.manifest)
    used = in_use(name, saved, seen, part="")
    batch = batch_of(made, seen)
    time = used["timestep"].max()  # that of the frames which are not given
    level = time.view(1).float() if name == "FTcosmos" else time.view(1) / 1000.0
    monkeypatch.setattr(made, "rounds", lambda *_: [level])
    network = made.trained().get("transformer", made.trained().get(""))
    with first_call(network) as trained:
        made.loss(batch, ActionUse.CORRECT, torch.Generator().manual_seed(0))
    said = {key for key, value in used.items() if value is not None} - {"return_dict", "attention_kwargs"}
    assert said == {key for key, value in trained.items() if value is not None} - {"return_dict"}
    for key in sorted(said - {"hidden_states", "condition_mask", "padding_mask"}):
        one, other = used[key], trained[key]
        if isinstance(one, torch.Tensor):
            assert torch.allclose(one.float().expand_as(other), other.float(), atol=1e-5), key
        else:
            assert one == other, key
    one, other = used["hidden_states"], trained["hidden_states"]
    assert one.shape == other.shape
    if name == "FTltx":
        tokens = one.shape[1] // used["num_frames"]
        assert torch.allclose(one[:, :tokens], other[:, :tokens], atol=1e-5)
    elif GIVEN[name]:
        assert torch.allclose(one[:, GIVEN[name] :], other[:, GIVEN[name] :], atol=1e-5)
    else:
        assert torch.allclose(one[:, :, :1], other[:, :, :1], atol=1e-5)
    if name == "FTcosmos":
        assert torch.equal(used["condition_mask"].expand_as(trained["condition_mask"]), trained["condition_mask"])


def test_the_unet_is_called_as_in_use(pipelines: SavedPipelines, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = pipelines.post_trained("FTsvd")
    certain: dict[str, Any] = {
        "sigma_mean": 1.0,
        "sigma_deviation": 0.0,
        "augmentation_mean": -99.0,
        "augmentation_deviation": 0.0,
    }
    made = trainee("FTsvd", pipelines.published("FTsvd"), **certain, mirror=False, dropout=0.0)
    seen = clip(made.manifest, actions=(AHEAD, Primitive(TURN_LEFT, 45.0)) * 6 + (AHEAD,))
    features: list[torch.Tensor] = []
    forward = ActionEmbedding.forward

    def noted(self: Any, rows: torch.Tensor) -> Any:
        features.append(rows)
        return forward(self, rows)

    monkeypatch.setattr(ActionEmbedding, "forward", noted)
    used = in_use("FTsvd", saved, seen, **{"call.noise_aug_strength": 0.0})
    batch = batch_of(made, seen)
    batch["latents"] = torch.zeros_like(batch["latents"])
    with first_call(made.module().unet) as trained:
        made.loss(batch, ActionUse.CORRECT, torch.Generator().manual_seed(0))
    assert torch.allclose(features[0], features[-1], atol=1e-6)
    assert float(trained["time"]) == pytest.approx(0.25)  # of a sigma of e
    for key in ("encoder_hidden_states", "added_time_ids"):
        assert torch.allclose(used[key], trained[key], atol=1e-5), key
    noise, first_view = trained["sample"].chunk(2, dim=2)
    assert torch.allclose(used["sample"].chunk(2, dim=2)[1], first_view, atol=1e-5)
    assert torch.allclose(noise[0, 2], noise[0, 1].roll(turned_columns(seen.actions, noise.shape[-1])[1], dims=-1))
    assert not torch.allclose(noise[0, 3], noise[0, 2])
