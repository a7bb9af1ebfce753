"""Pipelines of the real size with random weights: for timing and for playing without a download.

A family's file of shapes (TOML) lists components by class and configuration. Text encoders are left out: a prompt
gets a random embedding of the right shape, drawn from its own text, so that equal prompts are equal. Nothing that
such a pipeline imagines means anything; its cost is that of the real one, without the text encoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers
import tomllib
import torch
import transformers

from harness.contracts.errors import Refusal
from video_diffusion.batching import Embedding
from video_diffusion.devices import default_dtype, dtypes_of, own_dtype
from video_diffusion.loading import pipeline_class
from video_diffusion.settings import PipelineSettings

RANDOM_SEED = 0
PADDED = "padded"
"""A mask that hides what is longer than the text, as those of real prompts do; attention with a mask costs more."""


def read_shapes(folder: Path, settings: PipelineSettings) -> Mapping[str, Any]:
    """Return a family's file of shapes; raise Refusal where the model has none."""
    file = folder / settings.shapes
    if not settings.shapes or not file.is_file():
        raise Refusal("this world model has no architecture for random weights.", f"Write {folder}/shapes/NAME.toml.")
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{file} is no TOML: {error}.", "Fix the file.") from error


def random_pipeline(
    shapes: Mapping[str, Any], settings: PipelineSettings, dtype: str, device: torch.device, **components: Any
) -> Any:
    """Return a pipeline with the components of ``shapes``, initialised on ``device``; ``components`` are added."""
    dtypes = dtypes_of(dtype, settings.component_dtypes)
    torch.manual_seed(RANDOM_SEED)
    for name, table in shapes.get("components", {}).items():
        if name not in components:
            components[name] = build(table, dtypes.get(name, dtypes["default"]), device)
    for name in shapes.get("absent", []):
        components.setdefault(name, None)
    return pipeline_class(settings.pipeline)(**components, **shapes.get("pipeline", {}))


def build(table: Mapping[str, Any], dtype: torch.dtype, device: torch.device) -> Any:
    """Return one component of a file of shapes."""
    name, config = table["class"], table.get("config", {})
    cls = getattr(diffusers, name, None) or getattr(transformers, name, None)
    if cls is None:
        raise Refusal(f"neither diffusers nor transformers has a class {name!r}.", "Fix the file of shapes.")
    if not issubclass(cls, torch.nn.Module):
        return cls(**config)
    with device, default_dtype(dtype):
        if hasattr(cls, "config_class") and cls.config_class is not None:
            component = cls(cls.config_class(**config))
        else:
            component = cls.from_config(config)
    return _placed(component, dtype, device)


def _placed(component: Any, dtype: torch.dtype, device: torch.device) -> Any:
    """Return ``component`` on ``device`` in the dtypes that loading it would give.

    Some modules stay in single precision (Wan's norms and time embedding), and some tensors are made on the CPU
    whatever the default device (the factors by which SVD mixes frames).
    """
    for name, parameter in list(component.named_parameters()):
        own = own_dtype(component, name, dtype)
        module, _, leaf = name.rpartition(".")
        placed = torch.nn.Parameter(parameter.detach().to(device=device, dtype=own), requires_grad=False)
        setattr(component.get_submodule(module), leaf, placed)
    return component.to(device=device).eval()


def random_embedding(shapes: Mapping[str, Any], text: str, names: Sequence[str], dtype: torch.dtype) -> Embedding:
    """Return a random embedding of ``text``: one tensor for each of ``names`` that the file of shapes describes."""
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
    generator = torch.Generator().manual_seed(key)
    embedding: dict[str, torch.Tensor] = {}
    for name in names:
        table = shapes.get("embeddings", {}).get(name.removeprefix("negative_"))
        if table is None:
            continue
        if table.get("mask", False):
            embedding[name] = random_mask(text, table["shape"], table["mask"] == PADDED)
        else:
            embedding[name] = torch.randn((1, *table["shape"]), generator=generator).to(dtype)
    return embedding


def random_mask(text: str, shape: Sequence[int], padded: bool) -> torch.Tensor:
    """Return a mask of ones; where it is ``padded``, of three tokens for two words of ``text`` and one for its end."""
    mask = torch.ones((1, *shape), dtype=torch.long)
    if padded:
        mask[..., 1 + 3 * len(text.split()) // 2 :] = 0
    return mask
