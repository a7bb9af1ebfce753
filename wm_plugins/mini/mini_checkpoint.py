"""Reads and writes the weights of `mini` and `FTmini`: one safetensors file, half precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import Refusal

WEIGHTS_FILE = "model.safetensors"


def read_tensors(place: Path) -> Dict[str, npt.NDArray[Any]]:
    """Return the tensors of a file or folder; Refusal where there are none or one is not finite."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = place / WEIGHTS_FILE if place.is_dir() else place
    try:
        tensors: Dict[str, npt.NDArray[Any]] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise Refusal(f"cannot read weights from {file}: {error}.", f"Give a folder with {WEIGHTS_FILE}.") from error
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise Refusal(f"{file} has values in {name!r} that are not finite.", "Train again.")
    return tensors


def read_checkpoint(model: Any, place: Path) -> None:
    """Load a file or folder into the module; every tensor has to fit and none may be missing (Refusal)."""
    import torch

    tensors = {name: torch.from_numpy(value).float() for name, value in read_tensors(place).items()}
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise Refusal(f"{place} holds no weights of mini: {error}", "Train again, or give another file.") from error


def write_checkpoint(model: Any, folder: Path) -> None:
    """Write the module's parameters into ``folder``."""
    import torch
    from safetensors.torch import save_file

    tensors = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS_FILE)
