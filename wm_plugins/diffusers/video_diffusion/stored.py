"""Tensors in safetensors files: read whole, of floating point, all of them numbers, or refused with their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from harness.contracts.errors import Refusal
from harness.contracts.json_limits import read_json
from harness.contracts.tensor_names import match_names, shown

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
    """Return the tensors of two dimensions and more that are not in floating point: weights in unknown steps."""
    floating = ("F", "BF")
    return sorted(n for n, (dtype, shape) in stored.items() if len(shape) > 1 and not dtype.startswith(floating))


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


def no_numbers(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the names of the tensors that hold NaN or infinity."""
    return sorted(name for name, tensor in tensors.items() if not all_finite(tensor))


def all_finite(tensor: torch.Tensor) -> bool:
    """Say whether a tensor holds numbers alone. One pass without a copy: real checkpoints have tens of gigabytes."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    low, high = torch.aminmax(tensor.float() if tensor.element_size() == 1 else tensor)
    return bool(torch.isfinite(low) and torch.isfinite(high))


def fitted(
    state: Mapping[str, torch.Tensor],
    own: Mapping[str, torch.Tensor],
    where: Path,
    advice: str,
    prefixes: Sequence[str] = (),
) -> dict[str, torch.Tensor]:
    """Return ``state`` under the names of ``own``; Refusal names what is missing, unknown, or of another kind."""
    match = match_names(state, own.keys(), prefixes)
    named = {match.names[name]: tensor for name, tensor in state.items() if name in match.names}
    shapes = [name for name, tensor in named.items() if tensor.shape != own[name].shape]
    kinds = [n for n, tensor in named.items() if own[n].is_floating_point() and not tensor.is_floating_point()]
    refuse_faults(
        where,
        advice,
        {
            "are missing": match.missing,
            "are unknown": match.unexpected,
            "have another shape": shapes,
            "are not in floating point": kinds,
            "hold NaN or infinity": no_numbers(named),
        },
        match.missing or own.keys(),
    )
    return named


def refuse_faults(where: Path, advice: str, faults: Mapping[str, Collection[str]], known: Collection[str] = ()) -> None:
    """Raise Refusal with the names of all ``faults``, if any; beside unknown ones stand the nearest of ``known``."""
    counts = [
        f"{len(names)} {what} ({shown(sorted(names), known if what == 'are unknown' else ())}). "
        for what, names in faults.items()
        if names
    ]
    if counts:
        raise Refusal(f"the weights in {where} do not fit: {''.join(counts).rstrip()}", advice)
