"""`posttrain --dry-run`: what a training would take, by doing a few of its steps."""

from __future__ import annotations

import resource
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from harness.posttraining.optimizing import adapt, arrange, settle_torch
from harness.posttraining.pipeline import make_accelerator, make_trainee, prepared
from harness.posttraining.plan import TrainingPlan
from harness.posttraining.training import Trainer, memory_gb

STEPS = 3
MOST_CLIPS = 16
"""Clips that are prepared for the trial at most."""


@dataclass(frozen=True)
class Estimate:
    """Memory in GB (2^30 bytes) and times in seconds. ``prepared_gb`` is that of all clips, where the recipe keeps them
    (``keep``); ``peak_gb`` is what a step had in use at most: of a GPU, or of the process on a CPU."""

    device: str
    clips: int
    held_out: int
    parameters: int
    trained: int
    parameters_gb: float
    gradients_gb: float
    optimizer_gb: float
    peak_gb: float
    keep: str
    prepared_gb: float
    prepare_s: float
    step_s: float
    steps: int

    @property
    def total_s(self) -> float:
        """How long preparing and all steps take; without judging and validation."""
        return self.prepare_s + self.steps * self.step_s

    def to_plain(self) -> dict[str, Any]:
        """Return all fields and the total."""
        return {**asdict(self), "total_s": self.total_s}


def estimate(plan: TrainingPlan) -> Estimate:
    """Return what the training would take, measured on this machine; nothing is written."""
    settle_torch(plan.recipe.training)
    accelerator = make_accelerator(plan)
    trainee = make_trainee(plan, accelerator.device)
    adapt(trainee, plan.recipe)
    tried = plan.items[: min(MOST_CLIPS, len(plan.items))]
    with tempfile.TemporaryDirectory() as folder:
        prepared(plan, trainee, tried[:1], Path(folder) / "first", accelerator.device)  # loads what encodes clips
        began = time.monotonic()
        clips = prepared(plan, trainee, tried, Path(folder) / "tried", accelerator.device)
        prepare_s = (time.monotonic() - began) / len(tried)
        arrange(trainee, plan.recipe)
        trainer = Trainer(trainee, plan.recipe, clips, plan.question.seed, accelerator, Path(folder))
        step_s = trainer.trial(STEPS)
        optimizer_gb = trainer.optimizer_bytes() / 2**30
    parameters = list(trainee.module().parameters())
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    on_gpu = accelerator.device.type == "cuda"
    return Estimate(
        device=torch.cuda.get_device_name() if on_gpu else "CPU",
        clips=len(plan.items),
        held_out=len(plan.held_out),
        parameters=sum(parameter.numel() for parameter in parameters),
        trained=sum(parameter.numel() for parameter in trained),
        parameters_gb=_gb(parameters),
        gradients_gb=_gb(trained),
        optimizer_gb=optimizer_gb,
        peak_gb=memory_gb(accelerator.device) if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        keep=plan.recipe.training.keep,
        prepared_gb=clips.bytes_a_clip() * len(plan.items) / 2**30,
        prepare_s=prepare_s * (len(plan.items) + len(plan.held_out)),
        step_s=step_s,
        steps=plan.recipe.training.steps,
    )


def _gb(parameters: list[Any]) -> float:
    return float(sum(parameter.numel() * parameter.element_size() for parameter in parameters)) / 2**30
