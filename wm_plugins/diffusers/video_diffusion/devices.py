"""Devices and dtypes by the names that manifests use, and a clock that waits for the device."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from harness.contracts.errors import Refusal

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def dtype_of(name: str) -> torch.dtype:
    """Return the torch dtype of ``fp32``, ``fp16`` or ``bf16`` ("" is fp32)."""
    if name and name not in DTYPES:
        raise Refusal(f"dtype {name!r} is unknown.", f"Use one of {', '.join(DTYPES)}.")
    return DTYPES[name or "fp32"]


def dtypes_of(default: str, components: Mapping[str, str]) -> dict[str, torch.dtype]:
    """Return the dtypes of a pipeline by component, with the one of all others under ``default``."""
    return {"default": dtype_of(default), **{name: dtype_of(value) for name, value in components.items()}}


def device_of(name: str) -> torch.device:
    """Return the device called ``name``; ``auto`` is the first CUDA device, or the CPU where there is none."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise Refusal(f"device {name!r} is unknown: {error}.", "Use auto, cpu or cuda.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise Refusal("there is no CUDA device here.", "Use --set device=cpu, or a machine with a GPU.")
    return device


class PhaseClock:
    """Seconds by phase. A phase inside another is not counted twice: the outer one pauses."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._open: list[str] = []
        self._since = 0.0
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens inside as ``name``, including what the device still has to do for it."""
        self._switch()
        self._open.append(name)
        try:
            yield
        finally:
            self._switch()
            self._open.pop()

    def _switch(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now


def tensors_to(values: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Return ``values`` with their tensors on ``device``."""
    return {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in values.items()}
