"""Reads and writes the weights of `mini` and `FTmini`: one safetensors file, half precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import numpy as np
import numpy.typing as npt
from mini_shapes import MOTION_SCALE, tensor_shapes

from harness.contracts.errors import Refusal
from harness.contracts.tensor_names import match_names, refuse_faults

WEIGHTS_FILE = "model.safetensors"


def read_tensors(place: Path) -> Dict[str, npt.NDArray[Any]]:
    """Return the tensors of a file or folder; Refusal names those that are missing, unknown, misshapen or no number."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = place / WEIGHTS_FILE if place.is_dir() else place
    try:
        stored: Dict[str, npt.NDArray[Any]] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise Refusal(f"cannot read weights from {file}: {error}.", f"Give a folder with {WEIGHTS_FILE}.") from error
    wanted = tensor_shapes()
    match = match_names(stored, wanted)
    named = {match.names[name]: tensor for name, tensor in stored.items() if name in match.names}
    faults = {
        "are missing": match.missing,
        "are unknown": match.unexpected,
        "have another shape": [name for name, tensor in named.items() if tensor.shape != wanted[name]],
        "hold NaN or infinity": [name for name, tensor in named.items() if not np.isfinite(tensor).all()],
    }
    refuse_faults(file, "Give weights that `posttrain` made for this model.", faults, match.missing or wanted)
    return named


def random_tensors() -> Dict[str, npt.NDArray[Any]]:
    """Return random weights of the real size, for dry trials: always the same."""
    draws = np.random.default_rng(0)
    whole = np.array(1.0 / MOTION_SCALE, np.float32)
    found = {}
    for name, shape in tensor_shapes().items():
        inputs = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        scale = 1.0 / np.sqrt(inputs) if name.endswith("weight") else 0.0
        found[name] = (scale * draws.standard_normal(shape)).astype(np.float32)
    return {**found, "stride": whole, "turn": whole}


def read_checkpoint(model: Any, place: Path) -> None:
    """Load a file or folder into the module; what `read_tensors` refuses raises Refusal."""
    import torch

    model.load_state_dict({name: torch.from_numpy(value).float() for name, value in read_tensors(place).items()})


def write_checkpoint(model: Any, folder: Path) -> None:
    """Write the module's parameters into ``folder``."""
    import torch
    from safetensors.torch import save_file

    tensors = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS_FILE)
