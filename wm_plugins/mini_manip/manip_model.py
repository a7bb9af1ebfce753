"""`FTmini-manip` and `mini-manip` in use: the front view after each sub-goal of a plan, on a CPU with torch.

Each wanted view is made of the present view itself and of all that the plan did until then, so that errors do not add
up, and by itself, so that it does not depend on what else is asked for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from manip_hand import HFOV_DEG, POSE_NUMBERS, SIZE, Front, told_of
from manip_network import Manip, read_checkpoint

from harness.contracts.cameras import PINHOLE
from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, RANDOM, ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel


class ManipModel(WorldModel):
    """Both models; the setting ``actions`` says whether the plan is known."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(0)
        self._actions = bool(manifest.settings.get("actions", True))
        self._model = Manip()
        if manifest.weights != RANDOM:
            read_checkpoint(self._model, _weights_of(manifest))
        self._model.eval().to(memory_format=torch.channels_last)
        self._fronts = {HFOV_DEG: Front(torch.device("cpu"))}

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the wanted views; Refusal for other cameras, and for actions that are no sub-goals of a hand."""
        camera = request.camera
        if request.view.shape[:2] != (SIZE, SIZE) or camera.kind != PINHOLE:
            raise Refusal(
                f"{self.manifest.name} imagines front views of {SIZE} x {SIZE} through a pinhole, not "
                f"{camera.kind} views of {camera.height} x {camera.width}.",
                "Play the task manip.",
            )
        if camera.hfov_deg not in self._fronts:
            self._fronts[camera.hfov_deg] = Front(torch.device("cpu"), camera.hfov_deg)
        front = self._fronts[camera.hfov_deg]
        count = len(request.candidate.actions)
        told = told_of(request.candidate.actions) if self._actions else [[0.0] * POSE_NUMBERS] * count
        plan = torch.tensor(told, dtype=torch.float32)[None]
        view = torch.from_numpy(request.view.transpose(2, 0, 1).astype(np.float32) / np.float32(255.0))[None]
        frames = np.empty((len(request.frames), SIZE, SIZE, 3), np.uint8)
        with torch.inference_mode():
            for number, frame in enumerate(request.frames):
                known = torch.tensor([self._actions])
                seen = self._model(view, front.told(view, plan, torch.tensor([frame]), known))
                frames[number] = (seen[0] * 255.0 + 0.5).clamp(0.0, 255.0).byte().permute(1, 2, 0).numpy()
        return Rollout(request.id, frames, camera)


def _weights_of(manifest: ModelManifest) -> Path:
    """Return the file or folder of the weights."""
    if manifest.weights not in ("", FROM_HUB):
        return Path(manifest.weights)
    return Path(__file__).parent / manifest.checkpoint.source
