"""Adapters as trainers write them: tiny denoisers of every family, what is trained of them, and forms of files."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.wm_plugins.diffusers import tiny_pipelines

RANK = 2


@dataclass(frozen=True)
class Model:
    """A tiny denoiser: how it is made, what a pipeline calls it, and layers of it by the names of its authors' code.

    Where that code fuses layers, one name stands for several. Without such names the authors' are diffusers' own.
    """

    make: Callable[[], Any]
    part: str
    layers: Mapping[str, tuple[str, ...]]


def _one(**names: str) -> dict[str, tuple[str, ...]]:
    return {theirs: (own,) for theirs, own in names.items()}


_BLOCK, _OF_SVD = "transformer_blocks.0.", "down_blocks.0.attentions.0.transformer_blocks.0."
MODELS = {
    "wan22": Model(
        tiny_pipelines.wan22,
        "transformer",
        {
            "blocks.0.self_attn.q": ("blocks.0.attn1.to_q",),
            "blocks.1.cross_attn.o": ("blocks.1.attn2.to_out.0",),
            "blocks.1.ffn.0": ("blocks.1.ffn.net.0.proj",),
        },
    ),
    "wan21": Model(
        tiny_pipelines.wan21,
        "transformer",
        {
            "blocks.0.cross_attn.k_img": ("blocks.0.attn2.add_k_proj",),
            "time_projection.1": ("condition_embedder.time_proj",),
            "patch_embedding": ("patch_embedding",),  # a convolution in three dimensions
        },
    ),
    "ltx": Model(
        tiny_pipelines.ltx,
        "transformer",
        {
            "patchify_proj": ("proj_in",),
            "adaln_single.linear": ("time_embed.linear",),
            f"{_BLOCK}attn1.to_q": (f"{_BLOCK}attn1.to_q",),
        },
    ),
    "cosmos": Model(
        tiny_pipelines.cosmos20,
        "transformer",
        {
            "blocks.0.self_attn.q_proj": (f"{_BLOCK}attn1.to_q",),
            "blocks.0.mlp.layer2": (f"{_BLOCK}ff.net.2",),
            "blocks.0.adaln_modulation_mlp.1": (f"{_BLOCK}norm3.linear_1",),
        },
    ),
    "svd": Model(
        tiny_pipelines.svd_unet,
        "unet",
        {
            name: (name,)
            for name in (
                f"{_OF_SVD}attn1.to_q",
                f"{_OF_SVD}ff.net.0.proj",
                "down_blocks.0.resnets.0.spatial_res_block.conv1",
                "down_blocks.0.resnets.0.temporal_res_block.conv2",
            )
        },
    ),
    "hunyuan": Model(
        tiny_pipelines.hunyuan,
        "transformer",
        {
            "double_blocks.0.img_attn_qkv": tuple(f"{_BLOCK}attn.to_{x}" for x in "qkv"),
            "double_blocks.0.txt_attn_qkv": tuple(f"{_BLOCK}attn.add_{x}_proj" for x in "qkv"),
            "double_blocks.0.txt_mlp.fc1": (f"{_BLOCK}ff_context.net.0.proj",),
            "single_blocks.0.linear1": (
                *(f"single_transformer_blocks.0.attn.to_{x}" for x in "qkv"),
                "single_transformer_blocks.0.proj_mlp",
            ),
        },
    ),
}


@dataclass(frozen=True)
class Trained:
    """The halves of one layer: ``name`` in training, the ``layers`` it stands for, A, B, and the alpha it asks for."""

    name: str
    layers: tuple[str, ...]
    a: torch.Tensor
    b: torch.Tensor
    alpha: float = RANK

    def changes(self, denoiser: Any, factor: float) -> dict[str, torch.Tensor]:
        """Return what ``factor * B @ A`` adds to the weight of each layer, computed in double precision."""
        product = factor * torch.einsum("or,ri->oi", self.b.double().flatten(1), self.a.double().flatten(1))
        weights = [denoiser.get_submodule(layer).weight for layer in self.layers]
        parts = product.split([weight.shape[0] for weight in weights])
        return {f"{n}.weight": p.reshape(w.shape) for n, w, p in zip(self.layers, weights, parts, strict=True)}


class Pipeline:
    """A pipeline with nothing but its denoisers: one, or two of the same shape, each with the weights of before."""

    def __init__(self, model: str = "wan22", experts: int = 1) -> None:
        self.part = MODELS[model].part
        self.unet = self.transformer = self.transformer_2 = None
        setattr(self, self.part, _as_it_was(model, 0))
        if experts == 2:
            self.transformer_2 = _as_it_was(model, 1)

    def to(self, dtype: torch.dtype) -> Pipeline:
        """Return a pipeline of its own with the weights in ``dtype``."""
        other = copy.copy(self)
        setattr(other, self.part, copy.deepcopy(getattr(self, self.part)).to(dtype))
        return other

    def weights(self, part: str = "") -> dict[str, torch.Tensor]:
        """Return a copy of the weights of a denoiser, the first by default."""
        return {name: value.clone() for name, value in getattr(self, part or self.part).state_dict().items()}


@cache
def _denoiser(model: str, number: int = 0) -> tuple[Any, dict[str, torch.Tensor]]:
    """Return a denoiser, made once, and its weights: a copy would take longer than all else in a test."""
    made = MODELS[model].make()
    denoiser = getattr(made, MODELS[model].part, made)
    return denoiser, {name: value.clone() for name, value in denoiser.state_dict().items()}


def _as_it_was(model: str, number: int) -> Any:
    denoiser, weights = _denoiser(model, number)
    with torch.no_grad():
        for name, value in denoiser.state_dict().items():
            value.copy_(weights[name])
    return denoiser


def _weight(model: str, layer: str) -> torch.Tensor:
    weight: torch.Tensor = _denoiser(model)[0].get_submodule(layer).weight
    return weight


def trained(model: str, own: bool = True, seed: int = 5, alpha: float = RANK, rank: int = RANK) -> list[Trained]:
    """Return random halves for the layers of a model, by the names of diffusers (``own``) or of its authors' code."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for theirs, layers in MODELS[model].layers.items():
        for name, stands_for in [(layer, (layer,)) for layer in layers] if own else [(theirs, layers)]:
            weights = [_weight(model, layer) for layer in stands_for]
            kernel = [1] * (weights[0].dim() - 2)
            a = torch.randn(rank, *weights[0].shape[1:], generator=generator)
            b = torch.randn(sum(len(weight) for weight in weights), rank, *kernel, generator=generator)
            found.append(Trained(name, stands_for, a, b, alpha))
    return found


def state_of(pairs: list[Trained], key: str = "{name}.lora_{half}.weight", halves: str = "AB") -> dict[str, Any]:
    """Return the tensors of ``pairs`` under keys of the form ``key``."""
    names = dict(zip("AB", halves.split(",") if "," in halves else halves, strict=True))
    return {key.format(name=p.name, half=names[h]): t for p in pairs for h, t in (("A", p.a), ("B", p.b))}


def with_alphas(state: dict[str, Any], pairs: list[Trained], key: str, whole: bool = False) -> dict[str, Any]:
    """Return ``state`` with the alpha of each pair, as a whole number where its trainer was handed one."""
    alphas = {key.format(name=p.name): torch.tensor(int(p.alpha) if whole else float(p.alpha)) for p in pairs}
    return {**state, **alphas}


def flat(pairs: list[Trained]) -> list[Trained]:
    """Return ``pairs`` with underscores in their names, as kohya's trainers write them."""
    return [replace(pair, name=pair.name.replace(".", "_")) for pair in pairs]


def saved(file: Path, state: Mapping[str, Any], config: Mapping[str, Any] | None = None, **header: str) -> Path:
    """Save an adapter, with the configuration beside it and the texts in its header that are given."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.clone().contiguous() for name, value in state.items()}, file, metadata=header or None)
    if config is not None:
        (file.parent / "adapter_config.json").write_text(json.dumps(config))
    return file
