"""How `FTmini-manip` and its twin are trained: from the view before a plan to the views after its sub-goals.

Every clip is one plan. The view after the last sub-goal, when the hand has gone home, shows what the plan did to the
things; it is always among those that are imagined, beside others that are drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict, FrozenSet, Mapping, Optional

import numpy as np
import torch
from manip_hand import HFOV_DEG, SIZE, Front, told_of
from manip_network import Manip, read_checkpoint, write_checkpoint
from torch import Tensor
from torch.nn import functional

from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest, Setting
from harness.contracts.training import ACTIONS, ActionUse, Trainee, TrainingClip

DEFAULTS: Mapping[str, Setting] = {"actions": True, "untold": 0.05, "targets": 2, "changed": 6.0}
"""`actions`: whether the model is told the plan (the twin is not). `untold`: share of the clips in which it is not told
either, so that it knows what to say then. `targets`: views that are imagined of a clip. `changed`: how much more a
pixel weighs that is not as it was."""

CHANGED = 0.06
"""A pixel has changed where a channel differs by so much of its range, there or beside it."""


class ManipTrainee(Trainee):
    """The trainee of both models; the recipe's ``[settings]`` say which."""

    needs: ClassVar[FrozenSet[str]] = frozenset({ACTIONS})

    def __init__(
        self, manifest: ModelManifest, settings: Mapping[str, Setting], weights: Optional[Path], device: Any, seed: int
    ) -> None:
        unknown = sorted(set(settings) - set(DEFAULTS))
        if unknown:
            raise Refusal(f"mini-manip knows no setting {unknown[0]!r}.", f"Known: {', '.join(sorted(DEFAULTS))}.")
        self._set = {**DEFAULTS, **settings}
        torch.manual_seed(seed)
        torch.backends.cudnn.deterministic = True
        self._model = Manip()
        if weights is not None:
            read_checkpoint(self._model, weights)
        self._model.to(device, memory_format=torch.channels_last)
        self._front = Front(torch.device(device))

    def prepare(self, clip: TrainingClip) -> Mapping[str, Any]:
        """Return uint8 views [T, 3, H, W] and the numbers of each sub-goal [T - 1, 6] (`manip_hand.told_of`)."""
        camera = clip.camera
        if (camera.height, camera.width, camera.hfov_deg) != (SIZE, SIZE, HFOV_DEG):
            raise Refusal(
                f"clip {clip.name} was seen by {camera.height} x {camera.width}, {camera.hfov_deg:g} degrees.",
                "Collect with --suite tabletop --camera front.",
            )
        return {
            "views": torch.from_numpy(np.ascontiguousarray(clip.frames.transpose(0, 3, 1, 2))),
            "plan": torch.tensor(told_of(clip.actions), dtype=torch.float32),
        }

    def module(self) -> Manip:
        """Return the network."""
        return self._model

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`, half precision."""
        write_checkpoint(self._model, folder)

    def loss(self, batch: Mapping[str, Any], use: ActionUse, draws: Any) -> Mapping[str, Any]:
        """Return how unlike the imagined views are to those that were seen, changed pixels counted more."""
        views, plan = batch["views"], batch["plan"]
        count, steps = plan.shape[:2]
        device = views.device
        plan = plan.roll(1, 0) if use is ActionUse.SHUFFLED else plan
        several = int(self._set["targets"])
        drawn = 1 + (torch.rand((several, count), generator=draws, device=device) * steps).long().clamp(max=steps - 1)
        drawn[0] = steps
        rows, upto = torch.arange(count, device=device).repeat(several), drawn.flatten()
        known = torch.rand(count * several, generator=draws, device=device) >= float(self._set["untold"])
        known = known | torch.tensor(not self._model.training, device=device)
        known = known & torch.tensor(bool(self._set["actions"]) and use is not ActionUse.NONE, device=device)
        now, then = (views[rows, at].float() / 255.0 for at in (torch.zeros_like(upto), upto))
        with torch.no_grad():
            told = self._front.told(now, plan[rows], upto, known)
        imagined = self._model(now, told)
        return self._losses(imagined.float(), now, then, count)

    def _losses(self, imagined: Tensor, now: Tensor, then: Tensor, count: int) -> Dict[str, Tensor]:
        changed = ((then - now).abs().amax(1, keepdim=True) > CHANGED).float()
        weight = 1.0 + float(self._set["changed"]) * functional.max_pool2d(changed, 5, stride=1, padding=2)
        apart = (imagined - then).abs()
        coarse = (functional.avg_pool2d(imagined, 4) - functional.avg_pool2d(then, 4)).abs()
        loss = (weight * apart).mean() + (functional.avg_pool2d(weight, 4) * coarse).mean()
        way = {"way": apart[count:].mean().detach()} if len(apart) > count else {}
        return {"loss": loss, "end": apart[:count].mean().detach(), **way}
