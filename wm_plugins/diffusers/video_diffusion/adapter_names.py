"""The layers of a denoiser, by every name under which a trainer can have stored what belongs to them.

Three kinds of names: those of diffusers; those of the code that the model's authors published, which DiffSynth-Studio
and musubi-tuner train; and either of them flattened with underscores, as kohya's trainers write them. Around each there
may be the names of wrappers (`harness.contracts.tensor_names`) and of the part of a pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from harness.contracts.tensor_names import ANYWHERE, LEADING, candidates, shown
from video_diffusion.devices import FIRST, SECOND

_OF_SECOND = (SECOND, "dit2")
PARTS = (FIRST, "unet", "diffusion_model", "pipe", "dit", "net", *_OF_SECOND)
"""What stands before a layer's name for the part of a pipeline: diffusers, ComfyUI, DiffSynth, Cosmos."""
_FLAT = ("lora_unet_", "lora_transformer_", "lycoris_")
_LAYERS = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)

_WAN = {
    "condition_embedder.image_embedder.ff.net.0.proj": "img_emb.proj.1",
    "condition_embedder.image_embedder.ff.net.2": "img_emb.proj.3",
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.text_embedder.linear_2": "text_embedding.2",
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "proj_out": "head.head",
    "attn1": "self_attn",
    "attn2": "cross_attn",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "o",
    "add_k_proj": "k_img",
    "add_v_proj": "v_img",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
}
_COSMOS = {
    "transformer_blocks": "blocks",
    "time_embed.t_embedder": "t_embedder.1",
    "norm1.linear_1": "adaln_modulation_self_attn.1",
    "norm1.linear_2": "adaln_modulation_self_attn.2",
    "norm2.linear_1": "adaln_modulation_cross_attn.1",
    "norm2.linear_2": "adaln_modulation_cross_attn.2",
    "norm3.linear_1": "adaln_modulation_mlp.1",
    "norm3.linear_2": "adaln_modulation_mlp.2",
    "attn1": "self_attn",
    "attn2": "cross_attn",
    "to_q": "q_proj",
    "to_k": "k_proj",
    "to_v": "v_proj",
    "to_out.0": "output_proj",
    "ff.net.0.proj": "mlp.layer1",
    "ff.net.2": "mlp.layer2",
    "patch_embed.proj": "x_embedder.proj.1",
    "norm_out.linear_1": "final_layer.adaln_modulation.1",
    "norm_out.linear_2": "final_layer.adaln_modulation.2",
    "proj_out": "final_layer.linear",
}
_LTX = {"proj_in": "patchify_proj", "time_embed": "adaln_single"}
_REFINER, _REFINED = "context_embedder.token_refiner.refiner_blocks.*", "txt_in.individual_token_refiner.blocks.*"
_HUNYUAN = {
    "x_embedder.proj": "img_in.proj",
    "context_embedder.time_text_embed.timestep_embedder.linear_1": "txt_in.t_embedder.mlp.0",
    "context_embedder.time_text_embed.timestep_embedder.linear_2": "txt_in.t_embedder.mlp.2",
    "context_embedder.time_text_embed.text_embedder": "txt_in.c_embedder",
    "context_embedder.proj_in": "txt_in.input_embedder",
    f"{_REFINER}.attn.to_q": f"{_REFINED}.self_attn_qkv[0]",
    f"{_REFINER}.attn.to_k": f"{_REFINED}.self_attn_qkv[1]",
    f"{_REFINER}.attn.to_v": f"{_REFINED}.self_attn_qkv[2]",
    f"{_REFINER}.attn.to_out.0": f"{_REFINED}.self_attn_proj",
    f"{_REFINER}.ff.net.0.proj": f"{_REFINED}.mlp.fc1",
    f"{_REFINER}.ff.net.2": f"{_REFINED}.mlp.fc2",
    f"{_REFINER}.norm_out.linear": f"{_REFINED}.adaLN_modulation.1",
    "time_text_embed.timestep_embedder.linear_1": "time_in.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "time_in.mlp.2",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.mlp.0",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.mlp.2",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "single_transformer_blocks.*.attn.to_q": "single_blocks.*.linear1[0]",
    "single_transformer_blocks.*.attn.to_k": "single_blocks.*.linear1[1]",
    "single_transformer_blocks.*.attn.to_v": "single_blocks.*.linear1[2]",
    "single_transformer_blocks.*.proj_mlp": "single_blocks.*.linear1[3]",
    "single_transformer_blocks.*.proj_out": "single_blocks.*.linear2",
    "single_transformer_blocks.*.norm.linear": "single_blocks.*.modulation.linear",
    "transformer_blocks": "double_blocks",
    "attn.to_q": "img_attn_qkv[0]",
    "attn.to_k": "img_attn_qkv[1]",
    "attn.to_v": "img_attn_qkv[2]",
    "attn.add_q_proj": "txt_attn_qkv[0]",
    "attn.add_k_proj": "txt_attn_qkv[1]",
    "attn.add_v_proj": "txt_attn_qkv[2]",
    "attn.to_out.0": "img_attn_proj",
    "attn.to_add_out": "txt_attn_proj",
    "ff.net.0.proj": "img_mlp.fc1",
    "ff.net.2": "img_mlp.fc2",
    "ff_context.net.0.proj": "txt_mlp.fc1",
    "ff_context.net.2": "txt_mlp.fc2",
    "norm1.linear": "img_mod.linear",
    "norm1_context.linear": "txt_mod.linear",
    "proj_out": "final_layer.linear",
}
"""Its last norm (``norm_out``) has no name here: diffusers swaps the halves of its outputs."""
_AUTHORS: Mapping[str, Mapping[str, str]] = {
    "WanTransformer3DModel": _WAN,
    "SkyReelsV2Transformer3DModel": _WAN,
    "CosmosTransformer3DModel": _COSMOS,
    "LTXVideoTransformer3DModel": _LTX,
    "HunyuanVideoTransformer3DModel": _HUNYUAN,
}
"""How diffusers calls parts of a name, in this order, and how its authors do; ``*`` is a number, ``[i]`` says that the
layer is the i-th of those that the authors' code computes as one."""


@dataclass(frozen=True)
class Place:
    """Where a stored name lands: the name that its layer had in training, and the layer, or several fused ones."""

    name: str
    layers: tuple[str, ...]


class LayerNames:
    """The layers of one denoiser that an adapter can change, by their names."""

    def __init__(self, denoiser: Any) -> None:
        self.layers = {name: module for name, module in denoiser.named_modules() if isinstance(module, _LAYERS)}
        self.own = {name: (name,) for name in self.layers}
        self.authors = _fused(self.layers, _AUTHORS.get(type(denoiser).__name__, {}))
        dotted = {**self.authors, **self.own}
        self._flat: dict[str, str] = {}
        doubled = set()
        for name in dotted:
            flat = name.replace(".", "_")
            doubled |= {flat} if flat in self._flat else set()
            self._flat[flat] = name
        self._flat = {flat: name for flat, name in self._flat.items() if flat not in doubled}
        self._dotted = dotted

    def find(self, stored: str) -> Place | None:
        """Return where the stored name of a layer lands, whatever stands around it, or None."""
        for candidate in candidates(stored, PARTS):
            name = candidate if candidate in self._dotted else self._flat.get(_unflattened(candidate), "")
            if name:
                return Place(name, self._dotted[name])
        return None

    def trained_under(self, names: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        """Return the names of all layers in the naming that ``names`` are of."""
        return self.own if all(name in self.own for name in names) else self.authors

    def near(self, lost: list[str]) -> str:
        """Return lost names for a message, each with the nearest that there is."""
        flat = bool(lost) and lost[0].startswith(_FLAT)
        return shown(lost, [f"{_FLAT[0]}{name}" for name in self._flat] if flat else self._dotted)


def of_second(stored: str) -> bool:
    """Say whether a stored name says itself that it is for the second of two experts."""
    return any(name.split(".")[0] in _OF_SECOND for name in candidates(stored, PARTS))


def _unflattened(name: str) -> str:
    """Return a name with underscores without what kohya's trainers and wrappers put before and into it."""
    before = next((prefix for prefix in _FLAT if name.startswith(prefix)), None)
    if before is None:
        return ""
    name = name[len(before) :]
    for wrapper in ANYWHERE:
        name = name.replace(f"{wrapper}_", "")
    while name.startswith(tuple(f"{wrapper}_" for wrapper in LEADING)):
        name = name[len(next(wrapper for wrapper in LEADING if name.startswith(f"{wrapper}_"))) + 1 :]
    return name


def _fused(layers: Mapping[str, Any], rules: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the layers by the names that a model's authors have for them; several where their code fuses them."""
    found: dict[str, dict[str, str]] = {}
    for own in layers if rules else ():
        name, _, number = _renamed(own, rules).partition("[")
        found.setdefault(name, {})[number] = own
    return {name: tuple(own for _, own in sorted(parts.items())) for name, parts in found.items()}


def _renamed(name: str, rules: Mapping[str, str]) -> str:
    for ours, theirs in rules.items():
        pattern = re.escape(ours).replace(r"\*", r"(?P<number>\d+)")
        name = re.sub(rf"(?P<before>^|\.){pattern}(?=$|\.)", rf"\g<before>{theirs}".replace("*", r"\g<number>"), name)
    return name
