"""Devices and dtypes by the names of manifests, a clock that waits for the device, and what is compiled for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import RolloutRequest

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def dtype_of(name: str) -> torch.dtype:
    """Return the torch dtype of ``fp32``, ``fp16`` or ``bf16`` ("" is fp32)."""
    if name and name not in DTYPES:
        raise Refusal(f"dtype {name!r} is unknown.", f"Use one of {', '.join(DTYPES)}.")
    return DTYPES[name or "fp32"]


def dtypes_of(default: str, components: Mapping[str, str]) -> dict[str, torch.dtype]:
    """Return the dtypes of a pipeline by component, with the one of all others under ``default``."""
    return {"default": dtype_of(default), **{name: dtype_of(value) for name, value in components.items()}}


def own_dtype(component: Any, name: str, dtype: torch.dtype) -> torch.dtype:
    """Return the dtype that the weight ``name`` has in a ``component`` of ``dtype``: some stay in single precision."""
    kept = set(getattr(component, "_keep_in_fp32_modules", None) or ())
    return torch.float32 if kept & set(name.split(".")) else dtype


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Make tensors of floating point in ``dtype`` inside."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


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


WARM_UP_STEPS = 2
"""Steps of a rollout that is only there to compile: later steps have the shapes of the first ones."""

UNET_BLOCKS = ("SpatioTemporalResBlock", "TransformerSpatioTemporalModel")
COMPILED_SHAPES = 256
"""Shapes that one kind of block may be compiled for: sizes of batch times widths of a UNet."""

FUSED_LAYERS = ("WanRMS_norm", "WanUpsample")
"""Layers of a VAE that take several passes over whole clips in single precision; compiled, they take one."""

CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}

FIRST, SECOND = "transformer", "transformer_2"
DENOISERS = (FIRST, SECOND, "unet")


def denoisers(pipeline: Any) -> list[Any]:
    """Return the networks that a pipeline calls at every step (Wan 2.2 A14B has two)."""
    found = [getattr(pipeline, name, None) for name in DENOISERS]
    return [module for module in found if module is not None]


def set_attention(pipeline: Any, backend: str) -> None:
    """Let all denoisers use the diffusers attention backend ``backend`` ("" changes nothing)."""
    if not backend:
        return
    for module in denoisers(pipeline):
        if not hasattr(module, "set_attention_backend"):
            raise Refusal(f"{type(module).__name__} has no attention backends.", "Leave the setting attention out.")
        try:
            module.set_attention_backend(backend)
        except (ValueError, RuntimeError, ImportError) as error:
            raise Refusal(
                f"attention backend {backend!r} cannot be used: {error}.", "Leave out the setting attention."
            ) from error


def compile_blocks(pipeline: Any) -> int:
    """Compile the repeated blocks of all denoisers; return how many.

    One block's forward is compiled and used for all, which takes a fraction of the time of compiling the network. What
    is hooked around a block afterwards decides outside the compiled code whether the block runs. Shapes are
    static: every size of batch is compiled once, and none is slowed by being general. SVD's UNet names no repeated
    blocks: its residual and attention blocks are compiled, once a width, and what is hooked to the blocks around them
    stays as it is. A network with none of these is compiled as a whole.
    """
    torch._dynamo.config.cache_size_limit = max(torch._dynamo.config.cache_size_limit, COMPILED_SHAPES)
    compiled = 0
    for module in denoisers(pipeline):
        declared = getattr(module, "_repeated_blocks", None) or getattr(module, "_no_split_modules", None)
        names = set(declared or UNET_BLOCKS)
        blocks = [block for block in module.modules() if type(block).__name__ in names] or [module]
        for block in blocks:
            block.forward = torch.compile(block.forward, dynamic=False)
        compiled += len(blocks)
    return compiled


def compile_decoder(vae: Any, device: torch.device) -> int:
    """Fuse the norms of a Wan VAE and keep its convolutions' channels last; return how many layers were compiled.

    Its convolutions stay the library's: compiling the whole decoder gains a sixth more and takes minutes.
    """
    layers = [module for module in vae.modules() if type(module).__name__ in FUSED_LAYERS]
    for layer in layers:
        layer.compile(dynamic=False)
    if layers and device.type == "cuda":
        keep_channels_last(vae)
    return len(layers)


def keep_channels_last(module: Any) -> None:
    """Store the weights of convolutions with channels last, which makes their results so as well."""
    for weight in module.parameters():
        if weight.ndim in CHANNELS_LAST:
            weight.data = weight.data.to(memory_format=CHANNELS_LAST[weight.ndim])


def empty_requests(manifest: ModelManifest, size: int) -> list[RolloutRequest]:
    """Return ``size`` requests of an empty view in the model's own size."""
    kind, hfov = (EQUIRECT, 360.0) if manifest.view == "panorama" else (PINHOLE, 90.0)
    camera = Camera("empty", kind, manifest.height, manifest.width, hfov, 1.0)
    view = np.zeros((manifest.height, manifest.width, 3), np.uint8)
    candidate = Candidate((Primitive(FORWARD, 0.2),))
    return [RolloutRequest(index, index, view, camera, candidate, (1,)) for index in range(size)]
