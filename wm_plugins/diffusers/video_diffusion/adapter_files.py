"""The files of an adapter: which one applies, to which expert, and what its configuration says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal
from harness.contracts.json_limits import parse_json, read_json
from video_diffusion.devices import FIRST, SECOND
from video_diffusion.stored import read_header

CONFIG = "adapter_config.json"
METADATA = "lora_adapter_metadata"
"""Under this name diffusers keeps the configuration inside the safetensors file, each entry after its component."""
_STRENGTH = ("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern")
_PICKLED = ("adapter_model.bin", "pytorch_lora_weights.bin")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NOT_NOISE = ("rank", "res", "resolution", "quality", "mem", "memory", "vram")
"""Words after which ``low`` and ``high`` do not speak of noise."""


@dataclass(frozen=True)
class AdapterFile:
    """A file of adapters; ``expert`` is ``transformer`` or ``transformer_2`` where its path says so, else ""."""

    path: Path
    expert: str

    def settings(self, expert: str) -> Mapping[str, Any]:
        """Return the configuration of the adapter for ``expert``: of the file beside it or inside it; {} without one.

        Where both say how strong it is, they have to say the same.
        """
        beside, inside = self._beside(), self._inside(expert)
        if beside and inside:
            other = next((name for name in _STRENGTH if (beside.get(name) or 0) != (inside.get(name) or 0)), "")
            if other:
                raise Refusal(
                    f"{self.path} says {other} {inside.get(other)}, and {CONFIG} beside it {beside.get(other)}.",
                    "Leave the one that the adapter was trained with.",
                )
        return beside or inside

    def _beside(self) -> Mapping[str, Any]:
        file = self.path.parent / CONFIG
        found = read_json(file) if file.is_file() else {}
        if not isinstance(found, dict):
            raise Refusal(f"{file} is no configuration of an adapter.", "Restore the one that peft saved.")
        return found

    def _inside(self, expert: str) -> Mapping[str, Any]:
        text = self.header().get(METADATA, "")
        try:
            inside = parse_json(text) if text else {}
            if not isinstance(inside, dict):
                raise ValueError(f"it is {type(inside).__name__}")
        except ValueError as error:
            raise Refusal(
                f"the configuration inside {self.path} is not understood: {error}.", "Save it again."
            ) from error
        return _part_for(expert, inside, self.path)

    def header(self) -> Mapping[str, str]:
        """Return the texts that the safetensors file keeps beside its tensors."""
        return read_header(self.path)


def _part_for(expert: str, inside: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Return the entries of ``expert``; a file of one component alone may call it by any name, or by none.

    Each expert of a pair is saved as ``transformer`` in a file of its own.
    """
    parts: dict[str, dict[str, Any]] = {}
    for name, value in inside.items():
        component, _, entry = name.rpartition(".")
        parts.setdefault(component, {})[entry] = value
    for component in (expert, FIRST):
        if component in parts:
            return parts[component]
    if len(parts) > 1:
        known = ", ".join(sorted(parts))
        raise Refusal(
            f"the configuration inside {path} is for {known}, not for {expert}.",
            "Save the adapter of the transformer alone.",
        )
    return next(iter(parts.values()), {})


def adapter_files(place: Path, several: bool) -> tuple[AdapterFile, ...]:
    """Return the adapter's files in ``place``; ``several`` says that a file for each of two experts may be there.

    Refusal where there is none, or more than can apply: merging two would give a model that nobody trained.
    """
    found = sorted(place.rglob("*.safetensors")) if place.is_dir() else [place]
    if not found:
        raise Refusal(f"{place} holds no safetensors file.", "Name the adapter's file or folder.")
    pickled = [file for name in _PICKLED for file in sorted(place.rglob(name))] if place.is_dir() else []
    if pickled:
        raise Refusal(f"{place} holds {pickled[0].name} too, which is never read.", "Name the safetensors file.")
    if len(found) > (2 if several else 1):
        names = ", ".join(str(file.relative_to(place)) for file in found)
        raise Refusal(f"{place} holds {len(found)} adapters, and one has to apply: {names}.", "Name one file.")
    root = place if place.is_dir() else place.parent
    return tuple(AdapterFile(file, expert_of(str(file.relative_to(root)))) for file in found)


def expert_of(path: str) -> str:
    """Return the expert that a path names: HIGH noise is the first, LOW noise the second; "" where it names none."""
    parts = Path(path).parts
    low, high = _speaks_of("low", path) or SECOND in parts, _speaks_of("high", path) or FIRST in parts
    if low and high:
        raise Refusal(f"{path} names both experts, high and low noise.", "Call it after the one that it is for.")
    return SECOND if low else FIRST if high else ""


def _speaks_of(level: str, path: str) -> bool:
    words = [word.lower() for word in _WORD.findall(path)]
    alone = any(w == level and after not in _NOT_NOISE for w, after in zip(words, [*words[1:], ""], strict=True))
    return alone or f"{level}noise" in words
