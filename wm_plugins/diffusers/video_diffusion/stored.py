"""The safetensors files of a component or an adapter: which they are, and what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from harness.contracts.errors import Refusal
from harness.contracts.json_limits import read_json
from harness.contracts.tensor_names import shown

_AGAIN = "Fetch or save it again."


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file."""
    try:
        return dict(load_file(file))
    except (OSError, SafetensorError) as error:
        raise Refusal(f"{file} is no safetensors file: {str(error).splitlines()[0]}.", _AGAIN) from error


def read_header(file: Path) -> Mapping[str, str]:
    """Return the texts that a safetensors file keeps beside its tensors."""
    try:
        with safe_open(file, "pt") as opened:
            return dict(opened.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise Refusal(f"{file} is no safetensors file: {str(error).splitlines()[0]}.", _AGAIN) from error


def headers(files: Iterable[Path]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return dtype (as safetensors names it) and shape of each tensor in ``files``, which hold no name twice."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 - it is no mapping
                own = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
        except (OSError, SafetensorError) as error:
            raise Refusal(f"{file} is no safetensors file: {str(error).splitlines()[0]}.", _AGAIN) from error
        twice = sorted(found.keys() & own.keys())
        if twice:
            raise Refusal(f"{file.parent} holds weights in two of its files: {shown(twice)}.", _AGAIN)
        found |= own
    return found


def quantised(stored: Mapping[str, tuple[str, tuple[int, ...]]]) -> list[str]:
    """Return the weights of two dimensions and more that are not in floating point: they are in unknown steps."""
    floating = ("F", "BF")
    weights = {n: dtype for n, (dtype, shape) in stored.items() if len(shape) > 1 and n.endswith("weight")}
    return sorted(name for name, dtype in weights.items() if not dtype.startswith(floating))


def files_of(folder: Path, stem: str, variant: str = "") -> tuple[Path, ...]:
    """Return the files of a component: one, or those of its index; Refusal where it is not clear which they are."""
    dot = f".{variant}" if variant else ""
    one, index = folder / f"{stem}{dot}.safetensors", folder / f"{stem}.safetensors.index{dot}.json"
    if not index.is_file():
        return (one,) if one.is_file() else ()
    if one.is_file():
        raise Refusal(f"{folder} holds {one.name} and the index of a split file, {index.name}.", "Remove the old one.")
    content = read_json(index)
    parts = content.get("weight_map") if isinstance(content, dict) else None
    names = sorted({str(part) for part in parts.values()}) if isinstance(parts, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise Refusal(f"{index} does not say which files hold which weights.", "Save the checkpoint again.")
    lost = [name for name in names if not (folder / name).is_file()]
    if lost:
        raise Refusal(f"{folder} lacks {len(lost)} of the {len(names)} files of its index: {shown(lost)}.", _AGAIN)
    return tuple(folder / name for name in names)
