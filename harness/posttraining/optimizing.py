"""The trained part as it is optimised: adapters, the optimizer, and what torch is set to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch

from harness.contracts.errors import Refusal
from harness.contracts.training import LOSS, ActionUse, Adapter, Trainee
from harness.posttraining.recipe import ADAFACTOR, ADAMW_8BIT, Recipe, TrainingRecipe


class LossModule(torch.nn.Module):  # type: ignore[misc]
    """A trainee's loss as the forward of a module around its trained part.

    Parallel training exchanges gradients of what is called through its wrapper; so the whole loss is.
    """

    def __init__(self, trainee: Trainee) -> None:
        super().__init__()
        self.part = trainee.module()
        self._loss = trainee.loss

    def forward(self, batch: Any, use: ActionUse, draws: Any) -> dict[str, Any]:
        """Return the scalars of `Trainee.loss`."""
        return dict(self._loss(batch, use, draws))


def settle_torch(training: TrainingRecipe) -> None:
    """Fix what changes the last bits of a result: threads, and algorithms of a GPU where the recipe asks for it."""
    torch.set_num_threads(training.threads)
    if training.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False


def adapt(trainee: Trainee, recipe: Recipe) -> None:
    """Have the trainee take the recipe's adapter, before it does anything else."""
    if recipe.adapter is not None:
        trainee.adapt(Adapter(recipe.adapter.rank, recipe.adapter.alpha, recipe.adapter.targets))


def arrange(trainee: Trainee, recipe: Recipe) -> None:
    """Make the trained part ready; after the clips were prepared, so that what encodes them is gone before it comes."""
    if recipe.training.gradient_checkpointing:
        trainee.checkpoint_gradients()
    if not any(parameter.requires_grad for parameter in trainee.module().parameters()):
        raise Refusal(f"{type(trainee).__name__} has no parameter that is trained.", "Fix the trainee.")


def make_optimizer(parameters: Iterable[Any], training: TrainingRecipe, on_gpu: bool) -> Any:
    """Return the recipe's optimizer; Refusal where its package is missing."""
    rate, decay = training.learning_rate, training.weight_decay
    chosen = [parameter for parameter in parameters if parameter.requires_grad]
    if training.optimizer == ADAMW_8BIT:
        try:
            from bitsandbytes.optim import AdamW8bit
        except ImportError as error:
            raise Refusal(
                "the optimizer adamw-8bit needs the package bitsandbytes.",
                "pip install bitsandbytes, or --set training.optimizer=adamw",
            ) from error
        return AdamW8bit(chosen, lr=rate, weight_decay=decay)
    if training.optimizer == ADAFACTOR:
        return torch.optim.Adafactor(chosen, lr=rate, weight_decay=decay)
    return torch.optim.AdamW(chosen, lr=rate, weight_decay=decay, fused=on_gpu)


def check_losses(losses: dict[str, Any], trainee: Trainee) -> None:
    """Raise Refusal where a trainee's loss has not the one key that is minimised."""
    if LOSS not in losses:
        raise Refusal(
            f"{type(trainee).__name__}.loss gave {', '.join(losses) or 'nothing'} and no {LOSS!r}.", "Fix it."
        )
