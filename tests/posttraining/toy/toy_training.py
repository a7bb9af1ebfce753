"""Trains the kernels on every step of a walk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import interpolate
from toy_model import SIZE, WEIGHTS, Kernels

from harness.contracts.action_numbers import action_ids
from harness.contracts.errors import Refusal
from harness.contracts.training import ActionUse, Trainee, TrainingClip


class ToyTrainee(Trainee):
    """Mean absolute error of the next view. Settings: `noise`, `break_at` for a loss that becomes no number, and `deaf`
    for a model that is told nothing of its actions."""

    def __init__(
        self, manifest: Any, settings: Mapping[str, Any], weights: Path | None, device: Any, seed: int
    ) -> None:
        unknown = set(settings) - {"noise", "break_at", "deaf"}
        if unknown:
            raise Refusal(f"the toy has no setting {unknown.pop()!r}.", "Known: noise, break_at, deaf.")
        self.noise, self.break_at = float(settings["noise"]), int(settings.get("break_at", -1))
        self.deaf = bool(settings.get("deaf", False))
        self.kernels = Kernels().to(device)
        self.calls = 0
        if weights is not None:
            self.kernels.load_state_dict(load_file(weights / WEIGHTS))

    def prepare(self, clip: TrainingClip) -> Mapping[str, torch.Tensor]:
        views = torch.from_numpy(clip.frames).permute(0, 3, 1, 2) / 255.0
        return {"views": interpolate(views, SIZE, mode="area"), "actions": torch.tensor(action_ids(clip.actions)[1:])}

    def module(self) -> torch.nn.Module:
        return self.kernels

    def loss(
        self, batch: Mapping[str, torch.Tensor], use: ActionUse, draws: torch.Generator
    ) -> Mapping[str, torch.Tensor]:
        views, actions = batch["views"], batch["actions"]
        if use is ActionUse.SHUFFLED:
            actions = actions.roll(1, 0)
        if use is ActionUse.NONE or self.deaf:
            actions = torch.zeros_like(actions)
        noise = self.noise * torch.randn(views.shape, generator=draws, device=views.device)
        now = (views + noise)[:, :-1].flatten(0, 1)
        error = (self.kernels(now, actions.flatten()) - views[:, 1:].flatten(0, 1)).abs().mean()
        self.calls += 1
        broken = torch.full_like(error, torch.nan) if self.calls == self.break_at else 0.0
        return {"loss": error + broken, "bias": self.kernels.bias.abs().mean()}

    def save(self, folder: Path) -> None:
        save_file({name: value.cpu() for name, value in self.kernels.state_dict().items()}, folder / WEIGHTS)
