"""Tiny pipelines and post-trained parts on disk, each saved once a test process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "diffusion_pytorch_model.safetensors"
"""What diffusers calls the file of a component's weights."""
ACTION_NUMBERS = {"FTsvd": 14, "FTsvd-manip": 10}
"""How many numbers tell a frame of these models its actions."""


@dataclass(frozen=True)
class Saved:
    """A saved tiny pipeline and the weights folder of a model (for post-trained ones, the part)."""

    base: Path
    weights: Path


class SavedPipelines:
    """Saves what is asked for below ``folder``; models of one architecture share a pipeline."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def published(self, name: str) -> Saved:
        """Return the tiny pipeline of model ``name``, complete as a published one is."""
        base = self._base(name)
        return Saved(base, base)

    def post_trained(self, name: str) -> Saved:
        """Return the tiny pipeline of model ``name`` and its post-trained part, in the form that its card names."""
        base, part = self._base(name), self._folder / f"{name} part"
        if not part.is_dir():
            save_part(name, base, part)
        return Saved(base, part)

    def _base(self, name: str) -> Path:
        from tests.wm_plugins.diffusers.tiny_pipelines import BY_MODEL

        make = BY_MODEL[name]
        folder = self._folder / make.__name__
        if not folder.is_dir():
            pipeline = make()
            if hasattr(pipeline, "safety_checker"):
                pipeline.register_modules(safety_checker=None)
            pipeline.save_pretrained(folder)
        return folder


def save_part(name: str, base: Path, folder: Path) -> None:
    """Save what a post-training of ``name`` would leave: a UNet with actions, adapters, or a transformer."""
    from harness.worldmodels.catalog import load_catalog

    settings = load_catalog().find(name).manifest.settings
    if settings["part"] == "unet":
        save_unet(name, folder)
    elif settings["part"] == "lora":
        save_adapters(name, base, folder)
    else:
        save_transformer(base, folder)


def save_transformer(base: Path, folder: Path) -> None:
    """Save the transformer of ``base`` with other weights."""
    import torch

    transformer = _denoiser(base, "transformer")
    torch.manual_seed(21)
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    transformer.save_pretrained(folder)


def save_adapters(name: str, base: Path, folder: Path) -> None:
    """Save a random low-rank adapter, or one for each of two experts."""
    import diffusers

    cls = getattr(diffusers, diffusers.DiffusionPipeline.load_config(base)["_class_name"])
    experts = ("high_noise", "low_noise") if name == "FTwan22-14B" else ("",)
    for seed, expert in enumerate(experts, start=5):
        cls.save_lora_weights(folder / expert, transformer_lora_layers=_adapter(base, seed))


def save_unet(name: str, folder: Path) -> None:
    """Save a UNet that embeds the noise augmentation alone, with random weights for the actions beside it."""
    import torch
    from action_embedding import ActionEmbedding
    from safetensors.torch import save_file

    from tests.wm_plugins.diffusers.tiny_pipelines import svd_unet

    unet = svd_unet(added=32)
    unet.save_pretrained(folder / "unet")
    torch.manual_seed(8)
    actions = ActionEmbedding(unet.time_embedding.linear_2.out_features, ACTION_NUMBERS[name])
    save_file(actions.state_dict(), folder / "unet" / "action_embedding.safetensors")


def _adapter(base: Path, seed: int) -> dict[str, Any]:
    """Return random low-rank weights for the attention of a transformer."""
    import peft
    import torch

    model = _denoiser(base, "transformer")
    model.add_adapter(peft.LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    torch.manual_seed(seed)
    return {name: torch.randn_like(value) for name, value in peft.get_peft_model_state_dict(model).items()}


def _denoiser(base: Path, name: str) -> Any:
    import diffusers

    index = diffusers.DiffusionPipeline.load_config(base)
    return getattr(diffusers, index[name][1]).from_pretrained(base, subfolder=name)


def rewritten(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the tensors in the file of a component."""
    from safetensors.torch import load_file, save_file

    save_file(change(load_file(folder / FILE)), folder / FILE)


def prefixed(prefix: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a change that puts ``prefix`` before every name."""
    return lambda state: {prefix + name: value for name, value in state.items()}


def without_one(state: dict[str, Any]) -> dict[str, Any]:
    """Return all tensors but the first."""
    return {name: value for name, value in state.items() if name != sorted(state)[0]}


def one_too_many(state: dict[str, Any]) -> dict[str, Any]:
    """Return the tensors and one more."""
    import torch

    return state | {"of_another_model.weight": torch.zeros(2)}
