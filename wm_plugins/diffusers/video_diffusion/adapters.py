"""Low-rank adapters: each tensor of a file must land in the denoiser that it was trained for, or nothing is loaded.

The libraries' own loaders pass over names that they do not know, so that an adapter can change nothing, or half of
what it should, without a word. Here names are matched first, the adapter's configuration is taken as it is written,
and what was merged is looked at. Merged weights cost nothing at a step and compile like the originals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from harness.contracts.errors import Refusal
from harness.contracts.tensor_names import ANYWHERE, LEADING, shown
from video_diffusion.adapter_files import FIRST, SECOND, AdapterFile, adapter_files

PREFIXES = (FIRST, SECOND, "unet", "diffusion_model")
NAME = "part"
_FORM = re.compile(
    r"(?P<module>.+)\.(?:lora_(?P<half>A|B)(?:\.(?P<name>[^.]+))?\.weight|lora[._](?P<side>down|up)\.weight|(?P<alpha>alpha))"
)
_WAN = (
    ("condition_embedder.image_embedder.ff.net.0.proj", "img_emb.proj.1"),
    ("condition_embedder.image_embedder.ff.net.2", "img_emb.proj.3"),
    ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
    ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
    ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
    ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
    ("condition_embedder.time_proj", "time_projection.1"),
    ("proj_out", "head.head"),
    ("attn1", "self_attn"),
    ("attn2", "cross_attn"),
    ("to_q", "q"),
    ("to_k", "k"),
    ("to_v", "v"),
    ("to_out.0", "o"),
    ("add_k_proj", "k_img"),
    ("add_v_proj", "v_img"),
    ("ffn.net.0.proj", "ffn.0"),
    ("ffn.net.2", "ffn.2"),
)
"""How diffusers calls a part of Wan's transformer, and how its authors' code and DiffSynth do."""
_ALSO_BY_ITS_AUTHORS = ("WanTransformer3DModel", "SkyReelsV2Transformer3DModel")
_NAMES_CODE = ("megatron_config",)
"""With this peft imports the package that ``megatron_core`` names: a file of weights must not choose what runs here."""
_OF_THE_BASE = ("base_model_name_or_path", "auto_mapping", "task_type", "revision", "peft_version", "inference_mode")
"""What a configuration says about where it was trained, which changes nothing here."""


@dataclass
class Adapter:
    """Tensors by the name of the module they belong to and their half (``A``, ``B`` or ``alpha``)."""

    file: AdapterFile
    tensors: dict[tuple[str, str], torch.Tensor]
    settings: Mapping[str, Any]


def merge_adapters(pipeline: Any, place: Path, scale: float, model: str) -> None:
    """Merge the adapter in ``place`` (a file or a folder) into the denoisers of ``pipeline``, ``scale`` times.

    Every denoiser is changed by exactly one adapter. Refusal names the file and the keys where that is not so.
    """
    experts = {name: part for name in (FIRST, SECOND, "unet") if (part := getattr(pipeline, name, None)) is not None}
    chosen: dict[str, Adapter] = {}
    for file in adapter_files(place, several=len(experts) > 1):
        for expert, adapter in _read(file, experts).items():
            if expert in chosen:
                raise Refusal(
                    f"{chosen[expert].file.path} and {file.path} are both for the {expert} of {model!r}.",
                    "Name the one adapter to use, or call files for two experts high_noise and low_noise.",
                )
            chosen[expert] = adapter
    without = [name for name in experts if name not in chosen]
    if without:
        found = ", ".join(f"{adapter.file.path.name} for {name}" for name, adapter in chosen.items()) or "none"
        raise Refusal(
            f"{place} has no adapter for the {without[0]} of {model!r}: {found}.",
            "A model of two experts needs one for each: two files, called high_noise and low_noise.",
        )
    for expert, adapter in chosen.items():
        _merge(experts[expert], adapter, scale)


def _read(file: AdapterFile, experts: Mapping[str, Any]) -> dict[str, Adapter]:
    """Return the adapters of a file by the expert that they are for; a key that is for none raises Refusal."""
    try:
        state = load_file(file.path)
    except (OSError, SafetensorError) as error:
        raise Refusal(f"{file.path} is no safetensors file: {error}.", "Fetch or save it again.") from error
    aliases = {name: _aliases(expert) for name, expert in experts.items()}
    found: dict[str, Adapter] = {}
    lost: list[str] = []
    names: set[str] = set()
    for key, tensor in state.items():
        form = _FORM.fullmatch(key)
        landed = form and _landing(form["module"], file, aliases)
        if not form or not landed:
            lost.append(key)
            continue
        expert, module = landed
        half = form["half"] or {"down": "A", "up": "B"}.get(form["side"] or "", "alpha")
        adapter = found.setdefault(expert, Adapter(file, {}, file.settings(expert)))
        if (module, half) in adapter.tensors:
            lost.append(key)
        adapter.tensors[module, half] = tensor
        names |= {form["name"]} if form["name"] else set()
    lost += [f"{m}.lora_{h}" for adapter in found.values() for m, h in _lone_halves(adapter)]
    if lost or len(names) > 1 or not found:
        lost = lost or sorted(state)
        raise Refusal(
            f"{file.path} does not fit: {len(lost)} of its {len(state)} keys land nowhere in {', '.join(experts)}: "
            f"{shown(lost)}.",
            "Give a low-rank adapter (lora_A and lora_B of known layers, one adapter a file) of this very model.",
        )
    _check_scale(file, state, found)
    return found


def _check_scale(file: AdapterFile, state: Mapping[str, Any], found: Mapping[str, Adapter]) -> None:
    """Raise Refusal where PEFT wrote the keys and nothing says by how much they are scaled."""
    wrapped = [key for key in state if "base_model" in key.split(".")]
    if wrapped and not any(a.settings or any(h == "alpha" for _, h in a.tensors) for a in found.values()):
        raise Refusal(
            f"{file.path} holds keys as PEFT saves them, and no adapter_config.json lies beside it: {shown(wrapped)}. "
            "Their rank and alpha say how strong they are.",
            "Put the adapter_config.json of the training beside the file.",
        )


def _lone_halves(adapter: Adapter) -> list[tuple[str, str]]:
    halves = set(adapter.tensors)
    return [(m, h) for m, h in halves if h == "alpha" and (m, "A") not in halves] + [
        (m, h) for m, h in halves if h != "alpha" and (m, "B" if h == "A" else "A") not in halves
    ]


def _landing(name: str, file: AdapterFile, aliases: Mapping[str, Mapping[str, str]]) -> tuple[str, str] | None:
    """Return the expert and the module in it that a stored name stands for, or None.

    A name says which expert it is for by beginning with ``transformer_2``, a file by what it is called.
    """
    segments = [part for part in name.split(".") if part not in ANYWHERE]
    said = file.expert if file.expert in aliases else ""
    while True:
        for expert in [said] if said else aliases:
            module = aliases[expert].get(".".join(segments))
            if module is not None:
                return expert, module
        if len(segments) < 2 or segments[0] not in (*LEADING, *PREFIXES):
            return None
        if segments[0] == SECOND:
            if said not in ("", SECOND) or file.expert == FIRST or SECOND not in aliases:
                return None
            said = SECOND
        segments = segments[1:]


def _aliases(expert: Any) -> dict[str, str]:
    """Return the modules of an expert by every name that adapters know them by."""
    own = [name for name, _ in expert.named_modules() if name]
    names = {name: name for name in own}
    if type(expert).__name__ in _ALSO_BY_ITS_AUTHORS:
        names |= {_by_its_authors(name): name for name in own}
    return names | {f"lora_unet_{alias.replace('.', '_')}": name for alias, name in list(names.items())}


def _by_its_authors(name: str) -> str:
    for ours, theirs in _WAN:
        name = re.sub(rf"(^|\.){re.escape(ours)}(?=$|\.)", rf"\g<1>{theirs}", name)
    return name


def _merge(expert: Any, adapter: Adapter, scale: float) -> None:
    from peft import inject_adapter_in_model, set_peft_model_state_dict

    state = {f"{m}.lora_{half}.weight": t for (m, half), t in adapter.tensors.items() if half != "alpha"}
    try:
        inject_adapter_in_model(_config(adapter), expert, adapter_name=NAME)
        left = set_peft_model_state_dict(expert, state, adapter_name=NAME)
    except Exception as error:  # a configuration can lead peft anywhere
        raise Refusal(f"{adapter.file.path} does not fit {type(expert).__name__}: {_first(error)}", _NEXT) from error
    missing = [key for key in getattr(left, "missing_keys", ()) if f".{NAME}." in f"{key}." and "lora_" in key]
    unexpected = list(getattr(left, "unexpected_keys", ()))
    if missing or unexpected:
        raise Refusal(
            f"{adapter.file.path} and its configuration do not agree: {len(missing)} of the layers that it names have "
            f"no weights, {len(unexpected)} keys belong to no layer that it names: {shown(unexpected or missing)}.",
            _NEXT,
        )
    changed = _merge_layers(expert, adapter, scale)
    expert.unload_lora()
    if not changed:
        raise Refusal(
            f"{adapter.file.path} changes nothing in {type(expert).__name__}: {shown(sorted(state))} add up to zero.",
            "Give the weights after training, and a lora_scale that is not 0.",
        )


_ALPHAS = ("ss_network_alpha", "network_alpha", "lora_alpha", "alpha")
"""What trainers call the strength of an adapter in the header of its file."""
_NEXT = "Give the adapter_config.json that the adapter was trained with, or an adapter of this very model."


def _first(error: Exception) -> str:
    """Return the first line of what an error says, with its kind where the words alone may not tell."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if isinstance(error, (ValueError, RuntimeError)) else f"{type(error).__name__}: {line}"


def _merge_layers(expert: Any, adapter: Adapter, scale: float) -> bool:
    """Merge every layer; return whether any weight is another than before."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    changed = False
    for module in expert.modules():
        if not isinstance(module, BaseTunerLayer):
            continue
        before = module.get_base_layer().weight.detach().clone()
        module.scale_layer(scale)
        try:
            module.merge(safe_merge=True)
        except ValueError as error:
            raise Refusal(f"{adapter.file.path} holds values that are no numbers: {error}.", _NEXT) from error
        changed = changed or not torch.equal(before, module.get_base_layer().weight)
    return changed


def _config(adapter: Adapter) -> Any:
    """Return PEFT's configuration: what the file's own says, or else what the shapes and alphas of the tensors do."""
    from peft import LoraConfig

    whole = [module for (module, _), tensor in adapter.tensors.items() if not tensor.is_floating_point()]
    if whole:
        raise Refusal(f"{whole[0]} in {adapter.file.path} holds whole numbers, and not what they stand for.", _NEXT)
    if not adapter.settings:
        _check_alphas(adapter)
        return LoraConfig(**_inferred(adapter.tensors))
    said = {name: value for name, value in adapter.settings.items() if name not in _OF_THE_BASE}
    kind = str(said.pop("peft_type", "LORA")).rpartition(".")[2]
    if kind.upper() != "LORA":
        raise Refusal(f"{adapter.file.path} is an adapter of type {kind}.", "Give one of type LORA.")
    known = {field.name for field in fields(LoraConfig)}
    unknown = sorted(name for name, value in said.items() if (name not in known or name in _NAMES_CODE) and value)
    alphas = [module for module, half in adapter.tensors if half == "alpha"]
    if unknown or alphas:
        odd = unknown[0] if unknown else f"alpha of {alphas[0]} in the file itself"
        raise Refusal(f"the configuration of {adapter.file.path} is not understood: {odd}.", _NEXT)
    said = {name: value for name, value in said.items() if name in known}
    try:
        return LoraConfig(**{**said, "inference_mode": True, "init_lora_weights": True})
    except Exception as error:  # of whatever type the values are
        raise Refusal(
            f"the configuration of {adapter.file.path} is not one of peft: {_first(error)}.", _NEXT
        ) from error


def _check_alphas(adapter: Adapter) -> None:
    """Raise Refusal where the strength of an adapter without a configuration would be a guess."""
    modules = {module for module, half in adapter.tensors if half == "A"}
    without = sorted(modules - {module for module, half in adapter.tensors if half == "alpha"})
    if without and len(without) < len(modules):
        raise Refusal(f"{adapter.file.path} has an alpha for some modules and none for {without[0]}.", _NEXT)
    said = {name: text for name, text in adapter.file.header().items() if name in _ALPHAS}
    if without and said:
        name, text = next(iter(said.items()))
        raise Refusal(f"the header of {adapter.file.path} says {name} {text}, and its tensors have no alpha.", _NEXT)


def _inferred(tensors: Mapping[tuple[str, str], torch.Tensor]) -> dict[str, Any]:
    ranks = {module: int(tensor.shape[0]) for (module, half), tensor in tensors.items() if half == "A"}
    alphas = {m: float(tensors[m, "alpha"]) if (m, "alpha") in tensors else float(ranks[m]) for m in ranks}
    r, alpha = next(iter(ranks.values())), next(iter(alphas.values()))
    return {
        "r": r,
        "lora_alpha": alpha,
        "target_modules": "|".join(map(re.escape, ranks)),
        "rank_pattern": _others(ranks, r),
        "alpha_pattern": _others(alphas, alpha),
        "inference_mode": True,
    }


def _others(values: Mapping[str, float], usual: float) -> dict[str, float]:
    return {f"^{re.escape(name)}": value for name, value in values.items() if value != usual}
