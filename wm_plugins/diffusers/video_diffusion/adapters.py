"""Low-rank adapters: each tensor of a file must land in the denoiser that it was trained for, or nothing is loaded.

The libraries' own loaders pass over names that they do not know, so that an adapter can change nothing, or half of
what it should, without a word. Here names are matched first, the adapter's configuration is taken as it is written,
and then ``W + lora_scale * alpha / rank * B @ A`` is computed in single precision and rounded once to the dtype of
``W``. Merged weights cost nothing at a step and compile like the originals.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from harness.contracts.errors import Refusal
from harness.contracts.tensor_names import all_finite, no_numbers, shown
from video_diffusion.adapter_files import AdapterFile, adapter_files
from video_diffusion.adapter_names import LayerNames, Place, of_second
from video_diffusion.adapter_settings import LoraSettings, read_lora_settings
from video_diffusion.devices import DENOISERS, FIRST, SECOND
from video_diffusion.stored import read_tensors

_FORM = re.compile(
    r"(?P<module>.+)\.(?:lora_(?P<half>A|B)(?:\.[^.]+)?\.weight|lora[._](?P<side>down|up)(?:\.[^.]+)?\.weight|alpha)"
)
_NOT_APPLIED = (
    (re.compile(r"\.(lora_magnitude_vector|dora_scale)\b"), "DoRA is not applied"),
    (re.compile(r"\.(hada_w|lokr_w|oft_|glora)"), "LoHa, LoKr and their like are not applied"),
    (re.compile(r"\.lora_mid\b"), "convolutions in three factors (lora_mid) are not applied"),
    (re.compile(r"\.lora_embedding_[AB]\b"), "adapters of embeddings are not applied"),
    (re.compile(r"\.(diff|diff_b|bias|set_weight)$|\.modules_to_save\."), "whole weights and biases are not applied"),
    (re.compile(r"^lora_te|text_encoder|text_model"), "adapters of a text encoder are not applied"),
)
_ALPHAS = ("ss_network_alpha", "network_alpha", "lora_alpha", "alpha")
"""What trainers call the strength of an adapter in the header of its file."""
_NEXT = "Give the adapter_config.json that the adapter was trained with, or an adapter of this very model."


@dataclass
class Pair:
    """The two halves that belong to a layer, or to several fused ones; ``alpha`` where the file itself says it."""

    layers: tuple[str, ...]
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def down(self) -> torch.Tensor:
        """``A``, [rank, inputs ...]."""
        return self.tensors["A"]

    @property
    def up(self) -> torch.Tensor:
        """``B``, [outputs, rank ...]."""
        return self.tensors["B"]


@dataclass
class Adapter:
    """The pairs of a file for one expert, by the name that their layer had in training."""

    file: AdapterFile
    names: LayerNames
    pairs: dict[str, Pair] = field(default_factory=dict)
    by_peft: list[str] = field(default_factory=list)
    """Keys as PEFT saves them, which mean nothing without the configuration that it saves beside them."""

    def take(self, place: Place, half: str, tensor: torch.Tensor) -> bool:
        """Take a tensor in; False where its place is taken already."""
        tensors = self.pairs.setdefault(place.name, Pair(place.layers)).tensors
        return tensors.setdefault(half, tensor) is tensor


def merge_adapters(pipeline: Any, place: Path, scale: float, model: str) -> None:
    """Merge the adapter in ``place`` (a file or a folder) into the denoisers of ``pipeline``, ``scale`` times.

    Every denoiser is changed by exactly one adapter. Refusal names the file and the keys where that is not so. A layer
    whose own pair adds up to zero stays as it was, and is named on the standard error.
    """
    experts = {name: part for name in DENOISERS if (part := getattr(pipeline, name, None)) is not None}
    names = {name: LayerNames(part) for name, part in experts.items()}
    chosen: dict[str, Adapter] = {}
    for file in adapter_files(place, several=len(experts) > 1):
        for expert, adapter in _read(file, names).items():
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
    factors = {expert: _factors(adapter, adapter.file.settings(expert)) for expert, adapter in chosen.items()}
    with torch.no_grad():
        for expert, adapter in chosen.items():
            _merge(experts[expert], adapter, {name: scale * factor for name, factor in factors[expert].items()})


def _read(file: AdapterFile, experts: Mapping[str, LayerNames]) -> dict[str, Adapter]:
    """Return the adapters of a file by the expert that they are for; a key that is for none raises Refusal."""
    if file.expert == SECOND and SECOND not in experts:
        raise Refusal(
            f"{file.path} is called after the second of two experts (low noise), and this model has one denoiser.",
            "Give an adapter of this very model, or call the file otherwise.",
        )
    state = read_tensors(file.path)
    found: dict[str, Adapter] = {}
    lost: list[str] = []
    for key, tensor in state.items():
        form = _FORM.fullmatch(key)
        landed = _landing(form["module"], file, experts) if form else None
        if form is None or landed is None:
            lost.append(key)
            continue
        expert, place = landed
        half = form["half"] or {"down": "A", "up": "B"}.get(form["side"] or "", "alpha")
        adapter = found.setdefault(expert, Adapter(file, experts[expert]))
        if not adapter.take(place, half, tensor):
            lost.append(key)
        if "base_model" in key.split("."):
            adapter.by_peft.append(key)
    if lost or not found:
        _refuse_lost(file, lost, len(state), experts, whole=not found)
    faulty = no_numbers(state)
    if faulty:
        raise Refusal(f"{file.path} holds NaN or infinity: {shown(faulty)}.", "Give the weights of a sound training.")
    whole = [key for key, tensor in state.items() if not (tensor.is_floating_point() or key.endswith(".alpha"))]
    if whole:
        raise Refusal(f"{file.path} is not in floating point: {shown(whole)}.", "Give it as it was trained.")
    for adapter in found.values():
        _check_pairs(adapter)
    return found


def _refuse_lost(
    file: AdapterFile, lost: list[str], count: int, experts: Mapping[str, LayerNames], whole: bool
) -> None:
    """Raise Refusal for keys that land nowhere; ``whole`` says that none of the file does."""
    why = next((reason for form, reason in _NOT_APPLIED for key in lost if form.search(key)), "")
    near = next(iter(experts.values())).near(sorted(lost))
    raise Refusal(
        f"{file.path} does not fit: {len(lost)} of its {count} keys land nowhere in {', '.join(experts)}: "
        f"{near}{'; ' if why else ''}{why}.",
        "Give a low-rank adapter (lora_A and lora_B of known layers, one adapter a file) of this very model"
        f"{'; a checkpoint of all weights is loaded with --set part=transformer' if whole else ''}.",
    )


def _landing(stored: str, file: AdapterFile, experts: Mapping[str, LayerNames]) -> tuple[str, Place] | None:
    """Return the expert that the stored name of a layer is for, and where in it, or None.

    A name says which expert it is for by beginning with ``transformer_2``, a file by what it is called.
    """
    said = file.expert if file.expert in experts else ""
    if of_second(stored):
        if said not in ("", SECOND) or file.expert == FIRST or SECOND not in experts:
            return None
        said = SECOND
    for expert in [said] if said else experts:
        place = experts[expert].find(stored)
        if place is not None:
            return expert, place
    return None


def _check_pairs(adapter: Adapter) -> None:
    """Raise Refusal unless each pair is whole, fits the layers that it is for, and is the only one for them."""
    file = adapter.file.path
    taken: set[str] = set()
    for name, pair in adapter.pairs.items():
        lacking = [f"lora_{half}" for half in "AB" if half not in pair.tensors]
        if lacking:
            raise Refusal(f"{file} holds {name} without its {' and '.join(lacking)}.", "Give the whole adapter.")
        twice = taken & set(pair.layers)
        if twice:
            raise Refusal(f"{file} holds {min(twice)} twice, under two names.", "Give one adapter a file.")
        taken |= set(pair.layers)
        weights = [adapter.names.layers[layer].weight for layer in pair.layers]
        outputs, inputs = sum(len(weight) for weight in weights), weights[0].shape[1:]
        rank = pair.down.shape[0] if pair.down.dim() else 0
        fits = (
            _without_ones(pair.down) == (rank, *_without_ones(weights[0])[1:])
            and _without_ones(pair.up) == (outputs, rank)
            and all(getattr(adapter.names.layers[layer], "groups", 1) == 1 for layer in pair.layers)
            and rank > 0
        )
        if not fits:
            raise Refusal(
                f"{file} does not fit {name}, a layer of {tuple(inputs)} inputs and {outputs} outputs: its halves are "
                f"{tuple(pair.down.shape)} and {tuple(pair.up.shape)}.",
                "Give an adapter of this very model.",
            )
        if "alpha" in pair.tensors and pair.tensors["alpha"].numel() != 1:
            raise Refusal(f"{file} holds {pair.tensors['alpha'].numel()} numbers as alpha of {name}.", _NEXT)


def _without_ones(tensor: torch.Tensor) -> tuple[int, ...]:
    """Return a shape of two dimensions and more without the kernel of one pixel, which some trainers write out."""
    kernel = tuple(tensor.shape[2:])
    return tuple(tensor.shape[:2]) + (kernel if any(size != 1 for size in kernel) else ())


def _factors(adapter: Adapter, said: Mapping[str, Any]) -> dict[str, float]:
    """Return by how much each product counts: by the configuration, by the alphas in the file, or as it is."""
    file, pairs = adapter.file, adapter.pairs
    alphas = {name: float(pair.tensors["alpha"]) for name, pair in pairs.items() if "alpha" in pair.tensors}
    if said:
        if alphas:
            raise Refusal(f"{file.path} says alpha itself, of {min(alphas)}, and has a configuration.", _NEXT)
        return _by_settings(adapter, read_lora_settings(said, file.path))
    without = sorted(set(pairs) - set(alphas))
    if alphas and without:
        raise Refusal(f"{file.path} has an alpha for some modules and none for {without[0]}.", _NEXT)
    if without:
        _check_unscaled(adapter)
    return {name: alphas[name] / len(pair.down) if name in alphas else 1.0 for name, pair in pairs.items()}


def _check_unscaled(adapter: Adapter) -> None:
    """Raise Refusal where tensors without alpha do not mean that their product counts as it is."""
    file = adapter.file
    for name, text in file.header().items():
        if name in _ALPHAS:
            raise Refusal(
                f"the header of {file.path} says {name} {text}, and its tensors have no alpha.",
                "Give the file that the trainer wrote, before any conversion.",
            )
    if adapter.by_peft:
        raise Refusal(
            f"{file.path} holds keys as PEFT saves them, and no adapter_config.json lies beside it: "
            f"{shown(adapter.by_peft)}. Their rank and alpha say how strong they are.",
            "Put the adapter_config.json of the training beside the file.",
        )


def _by_settings(adapter: Adapter, settings: LoraSettings) -> dict[str, float]:
    file, layers = adapter.file.path, adapter.names.layers
    known = adapter.names.trained_under(adapter.pairs)
    aimed = {
        name
        for name, own in known.items()
        if settings.aims_at(name, all(isinstance(layers[layer], torch.nn.Linear) for layer in own))
    }
    lacking, beyond = sorted(aimed - set(adapter.pairs)), sorted(set(adapter.pairs) - aimed)
    if settings.targets and (lacking or beyond):
        raise Refusal(
            f"{file} and its configuration do not agree: {len(lacking)} of the layers that it names have no weights, "
            f"{len(beyond)} have weights and are not named: {shown(lacking or beyond)}.",
            _NEXT,
        )
    lost = settings.lost_patterns(adapter.pairs)
    if lost:
        raise Refusal(f"the configuration of {file} has a pattern that is of no layer: {shown(lost)}.", _NEXT)
    try:
        return {name: settings.factor(name, len(pair.down)) for name, pair in adapter.pairs.items()}
    except ValueError as error:
        raise Refusal(f"{file} and its configuration do not agree: it says {error}.", _NEXT) from error


def _merge(expert: Any, adapter: Adapter, factors: Mapping[str, float]) -> None:
    """Add every product to its layers; Refusal where no weight is another than before."""
    file, zero, changed = adapter.file.path, [], False
    for name, pair in adapter.pairs.items():
        product = pair.up.flatten(1).float() @ (factors[name] * pair.down.flatten(1).float())
        if product.aminmax() == (0, 0):  # several times as fast as any()
            zero.append(name)
        for weight, merged in _merged(product, [adapter.names.layers[layer].weight for layer in pair.layers]):
            if not all_finite(merged):
                raise Refusal(f"{file} makes {name} infinite in {weight.dtype}.", "Lower lora_scale.")
            changed = changed or not torch.equal(weight, merged)
            weight.copy_(merged)
    if not changed:
        why = "add up to zero" if len(zero) == len(adapter.pairs) else "are too small to change a weight"
        raise Refusal(
            f"{file} changes nothing in {type(expert).__name__}: {shown(sorted(adapter.pairs))} {why}.",
            "Give the weights after training, and a lora_scale that is not 0.",
        )
    if zero:
        print(
            f"note: {file} leaves {len(zero)} of {len(adapter.pairs)} layers as they were, their pairs add up to "
            f"zero: {shown(sorted(zero))}.",
            file=sys.stderr,
            flush=True,
        )


def _merged(product: torch.Tensor, weights: list[torch.Tensor]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield each weight and what it becomes: fused layers get the rows of the product, which is used up, in order."""
    parts = product.split([len(weight) for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        yield weight, part.reshape(weight.shape).add_(weight).to(weight.dtype)
