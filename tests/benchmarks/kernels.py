"""Where the time of a call on a GPU goes: milliseconds by kind of kernel."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

KINDS = (
    ("attention", ("flash", "fmha", "attention", "sdpa")),
    ("convolution", ("fprop", "conv", "implicit")),
    ("layout", ("nchwtonhwc", "nhwctonchw", "memcpy", "memset")),
    ("product", ("gemm", "nvjet", "cutlass", "xmma", "splitk")),
    ("fused", ("triton",)),
)
"""Kinds by parts of a kernel's name, the first that fits; all others are single elementwise or reduction kernels."""

SLOWEST = 10


def kind_of(name: str) -> str:
    """Return the kind of the kernel ``name``."""
    small = name.lower()
    return next((kind for kind, parts in KINDS if any(part in small for part in parts)), "single")


def milliseconds(call: Callable[[], Any], repeats: int = 10, first: int = 2) -> float:
    """Return the mean duration of ``call``, back to back, after ``first`` calls that are not counted."""
    import torch

    wait = torch.cuda.synchronize if torch.cuda.is_available() else (lambda: None)
    for _ in range(first):
        call()
    wait()
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    wait()
    return round((time.perf_counter() - begin) * 1000 / repeats, 2)


def breakdown(call: Callable[[], Any], repeats: int = 5) -> dict[str, Any]:
    """Return milliseconds a call: as it lasts, by kind of kernel, and of the slowest kernels with how often they run.

    What is left between ``lasts`` and ``kernels`` is the device waiting for the host.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    lasts = milliseconds(call, repeats)
    spent: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    with profile(activities=[ProfilerActivity.CUDA]) as recorded:
        for _ in range(repeats):
            call()
        torch.cuda.synchronize()
    for event in recorded.events():
        if event.device_type == torch.autograd.DeviceType.CUDA and not getattr(event, "is_user_annotation", False):
            spent[event.name] += event.device_time / 1000 / repeats
            runs[event.name] += 1
    kinds: Counter[str] = Counter()
    for name, value in spent.items():
        kinds[kind_of(name)] += value
    slowest = [f"{value:.2f} ms, {runs[name] / repeats:g} x {name[:110]}" for name, value in spent.most_common(SLOWEST)]
    by_kind = {kind: round(value, 2) for kind, value in kinds.most_common()}
    return {"lasts": lasts, "kernels": round(sum(spent.values()), 2), **by_kind, "slowest": slowest}
