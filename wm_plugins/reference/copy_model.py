"""`copy`: repeats the conditioning view for every frame."""

from __future__ import annotations

import numpy as np

from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel


class Copy(WorldModel):
    """A world model that ignores actions.

    What it scores shows how much a loop gains from its proposer and score alone.
    """

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the conditioning view once for each wanted frame."""
        rgb = np.repeat(request.view[None], len(request.frames), axis=0)
        return Rollout(request.id, rgb, request.camera)
