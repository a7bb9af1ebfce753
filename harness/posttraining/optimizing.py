"""The trained part as it is optimised: adapters, the optimizer, and what torch is set to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch

from harness.contracts.errors import Refusal
from harness.contracts.names import nearest
from harness.contracts.training import LOSS, ActionUse, Trainee
from harness.posttraining.recipe import ADAFACTOR, ADAMW_8BIT, AdapterRecipe, Recipe, TrainingRecipe


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


def arrange(trainee: Trainee, recipe: Recipe) -> None:
    """Give the trained part its adapter and gradient checkpointing where the recipe has them."""
    part = trainee.module()
    if recipe.training.gradient_checkpointing:
        enable = getattr(part, "enable_gradient_checkpointing", None) or getattr(
            part, "gradient_checkpointing_enable", None
        )
        if enable is None:
            raise Refusal(
                f"{type(part).__name__} has no gradient checkpointing.", "--set training.gradient_checkpointing=false"
            )
        enable()
    if recipe.adapter is not None:
        add_adapter(part, recipe.adapter)
    if not any(parameter.requires_grad for parameter in part.parameters()):
        raise Refusal(f"{type(part).__name__} has no parameter that is trained.", "Fix the trainee.")


def add_adapter(part: Any, adapter: AdapterRecipe) -> None:
    """Put low-rank adapters into the part's layers, in place; all else of it is frozen.

    The trainee saves them as PEFT does (`peft.get_peft_model_state_dict` of the part).
    """
    from peft import LoraConfig, inject_adapter_in_model

    names = [name for name, layer in part.named_modules() if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)]
    for target in adapter.targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            known = sorted({_ending(name) for name in names})
            raise Refusal(f"{type(part).__name__} has no layer called {target!r}.", nearest(target, known))
    config = LoraConfig(r=adapter.rank, lora_alpha=adapter.alpha, target_modules=list(adapter.targets))
    inject_adapter_in_model(config, part)
    for parameter in part.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # adapters learn in full precision on a part of any other


def _ending(name: str) -> str:
    """Return a layer's name within its block: ``to_out.0`` of ``blocks.3.attn.to_out.0``."""
    parts = name.split(".")
    return ".".join(parts[-2:]) if parts[-1].isdigit() else parts[-1]


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
