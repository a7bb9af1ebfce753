"""Clips and batches for trainees on tiny pipelines."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Action, Primitive, navigation_space
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.training import ActionUse, Adapter, Trainee, TrainingClip
from harness.worldmodels.conditioning import conditioning_of
from tests.wm_plugins.diffusers.saving import Saved
from tests.wm_plugins.diffusers.zoo import HEIGHT, WIDTH, tiny_manifest

AHEAD, LEFT, RIGHT = Primitive(FORWARD, 0.2), Primitive(TURN_LEFT, 22.5), Primitive(TURN_RIGHT, 22.5)
TRAINEES = {
    "FTltx": "ltx_training:LtxTrainee",
    "FTcosmos": "cosmos_training:CosmosTrainee",
    "FTwan21": "wan_training:WanTrainee",
    "FTwan22": "wan_training:WanTokenTrainee",
    "FTwan22-14B": "wan_training:WanExpertsTrainee",
    "FTsvd": "svd_training:SvdTrainee",
}
LORA = Adapter(4, 8.0, ("to_q", "to_k", "to_v", "to_out.0"))


def clip(manifest: Any, number: int = 0, actions: tuple[Action, ...] = (AHEAD, LEFT) * 6 + (AHEAD,)) -> TrainingClip:
    """Return a clip of noise with the prompt that the model reads in use."""
    frames = np.random.default_rng(number).integers(0, 256, (len(actions) + 1, HEIGHT, WIDTH, 3)).astype(np.uint8)
    camera = Camera("pano", EQUIRECT, HEIGHT, WIDTH, 360.0, 1.25)
    prompt = conditioning_of(manifest).prompt(actions, navigation_space())
    return TrainingClip(f"clip {number}", frames, camera, actions, prompt=prompt)


def trainee(
    name: str, saved: Saved, adapter: Adapter | None = None, of_model: Mapping[str, Any] | None = None, **settings: Any
) -> Any:
    """Return the trainee of model ``name`` on the tiny pipeline ``saved``, with changed settings ``of_model``."""
    module, _, kind = TRAINEES[name].partition(":")
    cls: type[Trainee] = getattr(importlib.import_module(module), kind)
    made = cls(tiny_manifest(name, saved, **(of_model or {})), settings, Path(saved.weights), "cpu", 3)
    if adapter is not None:
        made.adapt(adapter)
    return made


def batch_of(made: Any, *clips: TrainingClip) -> dict[str, torch.Tensor]:
    """Return prepared clips, stacked."""
    prepared = [made.prepare(each) for each in clips]
    return {name: torch.stack([each[name] for each in prepared]) for name in prepared[0]}


def losses(made: Any, batch: Mapping[str, torch.Tensor], use: ActionUse, seed: int = 0) -> float:
    """Return the loss of a model that is not trained just now, with the draws of ``seed``."""
    made.module().eval()
    with torch.no_grad():
        value = float(made.loss(batch, use, torch.Generator().manual_seed(seed))["loss"])
    made.module().train()
    return value


def other_weights(module: Any) -> None:
    """Move all weights a little, so that what begins at zero takes part."""
    torch.manual_seed(11)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
