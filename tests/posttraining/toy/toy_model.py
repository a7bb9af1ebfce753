"""A kernel of 3 by 3 for each action, on panorama of 8 by 16: a turn of 22.5 degrees is a roll by one column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn.functional import conv2d, interpolate, pad

from harness.contracts.action_numbers import action_ids
from harness.contracts.manifests import RANDOM
from harness.wire.sdk import Rollout, RolloutRequest, WorldModel

SIZE = (8, 16)
WEIGHTS = "toy.safetensors"


class Kernels(torch.nn.Module):  # type: ignore[misc]
    """float [B, 3, 8, 16] and ids [B] -> what is seen after the action, of the same shape."""

    def __init__(self) -> None:
        super().__init__()
        start = torch.zeros(5, 3, 3, 3, 3)
        for channel in range(3):
            start[:, channel, channel, 1, 1] = 1.0
        self.kernels = torch.nn.Parameter(start)
        self.bias = torch.nn.Parameter(torch.zeros(3))

    def forward(self, view: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        around = pad(pad(view, (1, 1, 0, 0), "circular"), (0, 0, 1, 1), "replicate")
        batch = len(view)
        kernels = self.kernels[action].reshape(batch * 3, 3, 3, 3)
        moved = conv2d(around.reshape(1, batch * 3, *around.shape[2:]), kernels, groups=batch)
        return moved.reshape(view.shape) + self.bias[:, None, None]


class Toy(WorldModel):
    """Plays the kernels, one action after another."""

    def __init__(self, manifest) -> None:  # type: ignore[no-untyped-def]
        super().__init__(manifest)
        self.kernels = Kernels()
        if manifest.weights not in ("", RANDOM):
            self.kernels.load_state_dict(load_file(Path(manifest.weights) / WEIGHTS))

    def imagine(self, request: RolloutRequest) -> Rollout:
        height, width = request.view.shape[:2]
        view = torch.from_numpy(request.view.copy()).permute(2, 0, 1)[None] / 255.0
        seen = [interpolate(view, SIZE, mode="area")]
        for number in action_ids(request.candidate.actions)[1:]:
            with torch.no_grad():
                seen.append(self.kernels(seen[-1], torch.tensor([number])))
        large = [interpolate(seen[index], (height, width)) for index in request.frames]
        frames = [(255.0 * view[0].clamp(0, 1)).round().byte().permute(1, 2, 0).numpy() for view in large]
        return Rollout(request.id, np.stack(frames), request.camera)
