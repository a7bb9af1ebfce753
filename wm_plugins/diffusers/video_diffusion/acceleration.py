"""Faster, and not the same: modes that compute less than the pipeline does, by name (``accelerate``).

``taylorseer:N`` runs the denoiser's blocks in every Nth step and extrapolates its output in the steps between
(TaylorSeer, arXiv 2503.06923, as diffusers implements it). Which steps those are depends on their number alone, so that
a rollout does not depend on what shares its batch. ``fp8`` computes the linear layers of the blocks in eight bits
(torchao). Several are joined by ``+``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from harness.contracts.errors import Refusal

TAYLORSEER, FP8 = "taylorseer", "fp8"
LEAST_INTERVAL, MOST_INTERVAL = 2, 10
FIRST_STEPS = 3
"""Steps that are always computed: the extrapolation needs two outputs, and the first steps decide what is seen."""
LAST_LAYER = "proj_out"
"""The layer of a denoiser whose outputs are extrapolated."""
FP8_CAPABILITY = (8, 9)
"""CUDA capability from which cards multiply in eight bits."""
FP8_MULTIPLE = 16
"""Both sides of a weight have to be multiples of it."""

_CONTEXT = "one call a step"
_KNOWN = f"Use {TAYLORSEER}:N with N in {LEAST_INTERVAL}..{MOST_INTERVAL}, {FP8}, or both joined by +."


def parse_modes(text: str) -> tuple[int, bool]:
    """Return the interval of TaylorSeer (0: without) and whether to compute in eight bits; Refusal for other words."""
    interval, eight_bits = 0, False
    for mode in text.split("+") if text else ():
        name, _, number = mode.strip().partition(":")
        if name == FP8 and not number and not eight_bits:
            eight_bits = True
        elif name == TAYLORSEER and number.isdigit() and not interval:
            interval = int(number)
            if not LEAST_INTERVAL <= interval <= MOST_INTERVAL:
                raise Refusal(f"accelerate {text!r} computes every {interval}th step.", _KNOWN)
        else:
            raise Refusal(f"accelerate {text!r} has no meaning: {mode.strip()!r}.", _KNOWN)
    return interval, eight_bits


class StepCache:
    """TaylorSeer on the denoisers of one pipeline, whose memory lasts for one call of it."""

    def __init__(self, modules: Sequence[Any], interval: int) -> None:
        from diffusers.hooks import TaylorSeerCacheConfig, apply_taylorseer_cache

        self._hooks: list[Any] = []
        self._steps = 0
        for module in modules:
            config = TaylorSeerCacheConfig(
                cache_interval=interval, disable_cache_before_step=FIRST_STEPS, max_order=1, use_lite_mode=True
            )
            apply_taylorseer_cache(module, config)
            hooks = [
                hook
                for part in module.modules()
                for hook in getattr(getattr(part, "_diffusers_hook", None), "hooks", {}).values()
                if type(hook).__name__ == "TaylorSeerCacheHook"
            ]
            last = getattr(module, LAST_LAYER, None)
            if len(hooks) < 2 or last is None:
                raise Refusal(
                    f"{type(module).__name__} has no blocks and {LAST_LAYER} that TaylorSeer knows.",
                    f"Leave {TAYLORSEER} out of the setting accelerate.",
                )
            last.register_forward_pre_hook(self._count)
            self._hooks += hooks

    @contextmanager
    def one_call(self) -> Iterator[None]:
        """Begin without memory and end without it, whatever happens inside; Refusal where no step was seen.

        Pipelines that call a denoiser more than once a step name what each call is for. The others call it once, or
        one-pass guidance answers their second call.
        """
        self._reset()
        self._steps = 0
        for hook in self._hooks:
            hook.state_manager.set_context(_context())
        try:
            yield
            if not self._steps:
                raise Refusal("TaylorSeer saw no step: this denoiser computes otherwise.", "Leave out compile, or it.")
        finally:
            self._reset()

    def _count(self, *_: Any) -> None:
        self._steps += 1

    def _reset(self) -> None:
        for hook in self._hooks:
            hook.state_manager.reset()


def names_its_calls(pipeline: Any) -> bool:
    """Say whether a pipeline's call tells its denoiser what each of its calls is for (diffusers' ``cache_context``)."""
    return "cache_context" in inspect.getsource(type(pipeline).__call__)


def _context() -> Any:
    from diffusers.hooks.hooks import CacheContext

    return CacheContext(_CONTEXT)


def compute_in_eight_bits(modules: Sequence[Any], device: torch.device) -> int:
    """Let the linear layers of ``modules``' blocks multiply in float8, scaled by row; return how many.

    Refusal where torchao is missing, or the device cannot.
    """
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < FP8_CAPABILITY:
        raise Refusal(
            f"{device} does not multiply in eight bits.",
            "It takes a GPU of capability 8.9 or later.",
        )
    try:
        from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow, quantize_
    except ImportError as error:
        raise Refusal(f"the mode {FP8} needs torchao: {error}.", "pip install torchao") from error

    chosen: list[str] = []

    def wanted(layer: Any, name: str) -> bool:
        sides = getattr(layer, "weight", torch.empty(0)).shape if isinstance(layer, torch.nn.Linear) else ()
        fits = len(sides) == 2 and "block" in name and not any(side % FP8_MULTIPLE for side in sides)
        chosen.extend([name] * fits)
        return fits

    for module in modules:
        quantize_(module, Float8DynamicActivationFloat8WeightConfig(granularity=PerRow()), filter_fn=wanted)
    if not chosen:
        raise Refusal(f"no linear layer can be computed in eight bits ({FP8}).", "Leave it out of accelerate.")
    return len(chosen)
