"""How strong an adapter is: what PEFT's configuration says of its training, as far as it is followed here.

Followed are rank, alpha, their patterns, rank-stabilised scaling, and which layers were trained. Whatever else of a
configuration would make another model than ``W + alpha / rank * B @ A`` is refused by its name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite, sqrt
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal

_ADVICE = "Give the adapter_config.json that the adapter was trained with, or merge it into its model where it was."
_ONLY_IN_TRAINING = (
    "auto_mapping",
    "base_model_name_or_path",
    "ensure_weight_tying",
    "eva_config",
    "inference_mode",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
)
"""Entries that change nothing of the weights."""
_KEEP_THE_BASE = (True, False, "gaussian", "orthogonal", "eva")
"""Beginnings of a training that leave the base model as it is; others (PiSSA, OLoRA, CorDA, LoftQ) subtract from it."""


@dataclass(frozen=True)
class LoraSettings:
    """What a configuration says; ``targets`` is a pattern, the last parts of names, or () where it says nothing."""

    rank: int
    alpha: float
    rank_pattern: Mapping[str, float]
    alpha_pattern: Mapping[str, float]
    rank_stabilised: bool
    targets: str | tuple[str, ...]
    excluded: str | tuple[str, ...]
    blocks: tuple[int, ...]
    blocks_in: tuple[str, ...]

    def factor(self, name: str, rank: int) -> float:
        """Return by how much ``B @ A`` of layer ``name`` counts; ValueError where its rank is another one."""
        said = _of(self.rank_pattern, name, self.rank)
        if said != rank:
            raise ValueError(f"rank {said:g} for {name}, whose tensors have rank {rank}")
        return _of(self.alpha_pattern, name, self.alpha) / (sqrt(rank) if self.rank_stabilised else rank)

    def aims_at(self, name: str, is_linear: bool) -> bool:
        """Say whether the layer was to be trained."""
        if self.excluded and _named(self.excluded, name):
            return False
        if self.targets == "all-linear":
            return is_linear
        return _named(self.targets, name) and (not self.blocks or self._block(name) in self.blocks)

    def lost_patterns(self, names: Collection[str]) -> list[str]:
        """Return the patterns of rank and alpha that meant a layer by a name that is lost.

        Such are of none of the layers, and begin where a whole name did. Others of no layer mean nothing, as in PEFT.
        """
        idle = [p for p in (*self.rank_pattern, *self.alpha_pattern) if not any(_fits(p, name) for name in names)]
        return [p for p in idle if p.startswith("^") or p.replace("\\", "").endswith(tuple(names))]

    def _block(self, name: str) -> int:
        within = "|".join(self.blocks_in) or r"[^.]+"
        found = re.search(rf"(?:^|\.)(?:{within})\.(\d+)\.", name)
        return int(found[1]) if found else -1


def read_lora_settings(said: Mapping[str, Any], file: Path) -> LoraSettings:
    """Return what the configuration of an adapter says; Refusal names what is not understood or not followed."""
    kind = str(said.get("peft_type", "LORA")).rpartition(".")[2]
    if kind.upper() != "LORA":
        raise Refusal(f"{file} is an adapter of type {kind}.", "Give one of type LORA.")
    start = said.get("init_lora_weights", True)
    if start not in _KEEP_THE_BASE:
        raise Refusal(
            f"{file} was trained with init_lora_weights {start!r}, which takes its beginning out of the base model.",
            "Convert it to a plain LoRA of the unchanged base (PEFT: path_initial_model_for_weight_conversion).",
        )
    if said.get("bias", "none") != "none":
        raise Refusal(f"the configuration of {file} trains biases ({said['bias']!r}), which are not applied.", _ADVICE)
    followed = {*LORA_ENTRIES, *_ONLY_IN_TRAINING, "peft_type", "init_lora_weights", "bias"}
    other = sorted(name for name, value in said.items() if name not in followed and value)
    if other:
        raise Refusal(f"the configuration of {file} says {other[0]}, which is not applied here.", _ADVICE)
    try:
        settings = _parsed(said)
        for pattern in (*settings.rank_pattern, *settings.alpha_pattern, *_patterns(settings)):
            re.compile(pattern)
    except (TypeError, ValueError, re.error) as error:
        raise Refusal(f"the configuration of {file} is not understood: {error}.", _ADVICE) from error
    return settings


LORA_ENTRIES = (
    "r",
    "lora_alpha",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
)


def _parsed(said: Mapping[str, Any]) -> LoraSettings:
    rank = _number(said, "r")
    if rank != int(rank) or rank < 1:
        raise ValueError(f"r {rank:g}")
    stabilised = said.get("use_rslora") or False
    if not isinstance(stabilised, bool):
        raise ValueError(f"use_rslora {stabilised!r}")
    blocks = said.get("layers_to_transform")
    blocks = [] if blocks is None else blocks if isinstance(blocks, list) else [blocks]
    if not all(type(block) is int for block in blocks):
        raise ValueError(f"layers_to_transform {blocks!r}")
    blocks_in = _words(said, "layers_pattern")
    return LoraSettings(
        int(rank),
        _number(said, "lora_alpha"),
        _numbers(said, "rank_pattern"),
        _numbers(said, "alpha_pattern"),
        stabilised,
        _words(said, "target_modules"),
        _words(said, "exclude_modules"),
        tuple(blocks),
        (blocks_in,) if isinstance(blocks_in, str) else blocks_in,
    )


def _number(said: Mapping[str, Any], name: str) -> float:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError(f"{name} {value!r} is no number")
    return float(value)


def _numbers(said: Mapping[str, Any], name: str) -> Mapping[str, float]:
    value = said.get(name) or {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} {value!r}")
    return {pattern: _number(value, pattern) for pattern in value}


def _words(said: Mapping[str, Any], name: str) -> str | tuple[str, ...]:
    value = said.get(name) or ()
    if isinstance(value, str):
        return value
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{name} {value!r}")
    return tuple(value)


def _patterns(settings: LoraSettings) -> tuple[str, ...]:
    return (*(p for p in (settings.targets, settings.excluded) if isinstance(p, str)), *settings.blocks_in)


def _of(patterns: Mapping[str, float], name: str, usual: float) -> float:
    return next((value for pattern, value in patterns.items() if _fits(pattern, name)), usual)


def _fits(pattern: str, name: str) -> bool:
    return re.match(rf"(?:.*\.)?(?:{pattern})$", name) is not None


def _named(wanted: str | tuple[str, ...], name: str) -> bool:
    if isinstance(wanted, str):
        return re.fullmatch(wanted, name) is not None
    return any(name == word or name.endswith(f".{word}") for word in wanted)
