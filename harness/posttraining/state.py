"""The state of a training on the disk: trained part, optimizer, step and curves, complete or not there at all.

Names are those of the parameters without what parallel training puts around them, so that a state does not depend on
how many processes wrote it. It is in the format of safetensors: nothing in it is ever executed.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)

from harness.contracts.errors import WiwError
from harness.posttraining.workplace import STATE
from harness.records.atomic import TEMPORARY, sync_folder

PART = "part.tensors"
_MODEL, _OPTIMIZER, _HEAD = "model/", "optimizer/", "training"


@dataclass(frozen=True)
class Kept:
    """A state as it is read: ``facts`` are its plain values (step, curves)."""

    model: Mapping[str, Any]
    optimizer: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any]


def take(model: Any, optimizer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the trained part and the optimizer's state by parameter, gathered on the CPU.

    In parallel training every process has to call it, and the main one gets it all.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
    part, moments = get_state_dict(model, optimizer, options=options)
    return part, moments.get("state", {})


def put(model: Any, optimizer: Any, kept: Kept) -> None:
    """Give the trained part and the optimizer the state that was kept; every process has to call it."""
    options = StateDictOptions(full_state_dict=True, ignore_frozen_params=True)
    _, moments = get_state_dict(model, optimizer, options=options)
    moments["state"] = kept.optimizer
    set_state_dict(
        model, optimizer, model_state_dict=dict(kept.model), optim_state_dict=moments,
        options=StateDictOptions(full_state_dict=True, ignore_frozen_params=True, strict=False),
    )  # fmt: skip


def write_state(folder: Path, part: Mapping[str, Any], moments: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write a state in place of the one before it."""
    tensors: dict[str, Any] = {f"{_MODEL}{name}": _own(tensor) for name, tensor in part.items()}
    numbers: dict[str, dict[str, Any]] = {}
    for name, values in moments.items():
        for key, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{_OPTIMIZER}{key}/{name}"] = _own(value)
            else:
                numbers.setdefault(name, {})[key] = value
    head = json.dumps({"facts": dict(facts), "numbers": numbers})
    _save(folder / STATE, tensors, {_HEAD: head})


def read_state(folder: Path) -> Kept | None:
    """Return the state in ``folder``, None where there is none; WiwError where it cannot be read."""
    file = folder / STATE
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as opened:
            head = json.loads(opened.metadata()[_HEAD])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except Exception as error:  # the library has errors of its own for files that are cut
        raise WiwError(f"{file} cannot be read ({error}).", "Remove its folder to begin anew.") from error
    model = {name.removeprefix(_MODEL): value for name, value in tensors.items() if name.startswith(_MODEL)}
    optimizer: dict[str, dict[str, Any]] = {name: dict(values) for name, values in head["numbers"].items()}
    for name, value in tensors.items():
        if name.startswith(_OPTIMIZER):
            key, _, parameter = name.removeprefix(_OPTIMIZER).partition("/")
            optimizer.setdefault(parameter, {})[key] = value
    return Kept(model, optimizer, head["facts"])


def write_part(folder: Path, part: Mapping[str, Any]) -> None:
    """Write the trained part alone."""
    _save(folder / PART, {name: _own(tensor) for name, tensor in part.items()}, {})


def read_part(folder: Path) -> dict[str, Any]:
    """Return the trained part that `write_part` wrote."""
    return dict(load_file(folder / PART))


def put_part(model: Any, part: Mapping[str, Any]) -> None:
    """Give the trained part other values; every process has to call it."""
    options = StateDictOptions(full_state_dict=True, strict=False)
    set_model_state_dict(model, dict(part), options=options)


def _save(target: Path, tensors: dict[str, Any], metadata: dict[str, str]) -> None:
    """Write tensors in place of those before them, forced to the disk."""
    aside = target.with_name(f"{TEMPORARY}{target.name}-{os.getpid()}-{secrets.token_hex(4)}")
    with writing_tensors(target):
        try:
            save_file(tensors, aside, metadata=metadata)
            with aside.open("rb") as written:
                os.fsync(written.fileno())
            aside.replace(target)
            sync_folder(target.parent)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def writing_tensors(target: Path) -> Iterator[None]:
    """Raise OSError where the disk refuses what is written; the library has an error of its own for it."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(target)) from error


def _own(tensor: Any) -> Any:
    """Return a tensor that shares its memory with no other, as the format asks."""
    return tensor.detach().to("cpu", copy=True).contiguous()
