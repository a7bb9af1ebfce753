"""Navigation World Models: one imagined frame an action, each from the four frames before it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from nwm_parts import PIXELS_PER_LATENT, load_parts
from nwm_sampling import Rolling, next_frames, pixels_of, rgb_of
from official_code import read_settings

from harness.contracts.action_numbers import motions, normalised_deltas
from harness.contracts.cameras import PINHOLE
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest, Setting
from harness.contracts.rollouts import Rollout, RolloutRequest, failed_rollout
from harness.wire.sdk import WorldModel

LOW, HIGH = (-2.5, -4.0), (5.0, 4.0)
"""Range of a step, ahead and to the left, in spacings: ``action_stats`` of the official data configuration."""
TIMESTEPS = 128.0
"""What the official code counts time in: a step of one frame is 1 / 128."""
DTYPES = {"": torch.float32, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
DEFAULTS: dict[str, Setting] = {
    "code": "",
    "architecture": "CDiT-XL/2",
    "checkpoint_file": "0100000.pth.tar",
    "image_size": 224,
    "context_size": 4,
    "spacing_m": 0.25,
    "timesteps_per_action": 1.0,
    "device": "auto",
}


class Nwm(WorldModel):
    """CDiT of the official code behind the plugin's interface.

    The context are the request's earlier views, oldest first, then the conditioning view; where there are fewer than
    the model takes, the oldest is repeated. Every imagined frame pushes the oldest one out. Noise comes from the
    request's own generator, on the CPU, so a rollout depends neither on its batch nor on the kind of GPU.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.settings = read_settings(manifest.settings, DEFAULTS)
        self._check_settings()
        self.device = self._device(str(self.settings["device"]))
        self.parts = load_parts(manifest, self.settings, self.device)

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return one rollout."""
        return next(iter(self.imagine_batch([request])))

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield the rollouts: all take each step together, until their last wanted frame."""
        accepted: list[Rolling] = []
        for request in requests:
            try:
                accepted.append(self._begin(request))
            except Refusal as refusal:
                yield failed_rollout(request.id, request.camera, str(refusal))
        most = self.manifest.max_batch
        for start in range(0, len(accepted), most):
            yield from self._roll(accepted[start : start + most])

    def _begin(self, request: RolloutRequest) -> Rolling:
        """Return the state of a rollout before its first step; what the model does not know raises Refusal."""
        if request.camera.kind != PINHOLE:
            raise Refusal(f"nwm imagines perspective views, not {request.camera.kind} ones.", "Send a pinhole view.")
        deltas = normalised_deltas(motions(request.candidate.actions), float(self.settings["spacing_m"]), LOW, HIGH)
        length = int(self.settings["context_size"])
        views = [*(context.rgb for context in request.context), request.view][-length:]
        size = int(self.settings["image_size"])
        frames = [pixels_of(view, size).to(self.device) for view in views]
        context = [frames[0]] * (length - len(frames)) + frames
        generator = torch.Generator().manual_seed(request.seed % 2**63)
        numbers = torch.tensor(deltas, dtype=torch.float32, device=self.device)
        return Rolling(request, torch.stack(context), numbers, generator)

    def _roll(self, rolling: list[Rolling]) -> Iterator[Rollout]:
        """Yield each rollout as soon as its last wanted frame is there."""
        begin = time.perf_counter()
        due = sorted(rolling, key=lambda one: one.last)
        imagined: dict[int, list[Any]] = {one.request.id: [] for one in due}
        relative = float(self.settings["timesteps_per_action"]) / TIMESTEPS
        step = 0
        while due:
            while due and due[0].last == step:
                one = due.pop(0)
                share = (time.perf_counter() - begin) / len(rolling)
                yield self._rollout(one.request, imagined.pop(one.request.id), share)
            if due:
                frames = self._next(due, step, relative)
                due = [replace(one, context=context) for one, context in zip(due, frames, strict=True)]
                for one in due:
                    if step + 1 in one.request.frames:
                        imagined[one.request.id].append(rgb_of(one.context[-1], one.request.camera))
                step += 1

    def _next(self, due: list[Rolling], step: int, relative: float) -> Any:
        dtype = DTYPES[self.manifest.dtype]
        with torch.no_grad(), torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32):
            return next_frames(self.parts, due, step, relative)

    @staticmethod
    def _rollout(request: RolloutRequest, frames: list[Any], seconds: float) -> Rollout:
        camera = request.camera
        rgb = np.stack(frames) if frames else np.zeros((0, camera.height, camera.width, 3), np.uint8)
        return Rollout(request.id, rgb, camera, timings={"denoise": seconds})

    def _check_settings(self) -> None:
        size = int(self.settings["image_size"])
        if size < PIXELS_PER_LATENT or size % PIXELS_PER_LATENT:
            raise Refusal(f"image_size {size} is no multiple of {PIXELS_PER_LATENT}.", "The weights are for 224.")
        if int(self.settings["context_size"]) < 1:
            raise Refusal(f"context_size is {self.settings['context_size']}.", "The weights are for 4.")
        if self.manifest.dtype not in DTYPES:
            raise Refusal(f"dtype {self.manifest.dtype!r} is unknown.", "Use fp32, bf16 or fp16.")
        if self.manifest.steps < 1:
            raise Refusal(f"{self.manifest.steps} steps imagine nothing.", "The official code takes 250.")

    @staticmethod
    def _device(name: str) -> torch.device:
        if name == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(name)
        except RuntimeError as error:
            raise Refusal(f"device {name!r} is unknown: {error}.", "Use auto, cpu or cuda.") from error
        if device.type == "cuda" and not torch.cuda.is_available():
            raise Refusal("there is no CUDA device here.", "Use --set device=cpu, or a machine with a GPU.")
        return device
