"""A world model for tests of batching: it answers like `copy` and says who it is; some seeds make it misbehave.

Copied into a plugin's folder by the test.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Iterator, Sequence

import numpy as np

from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import WorldModel

DIES, FAILS, HANGS = 11, 12, 13


class Copier(WorldModel):
    """Tells the process and the size of the batch in the timings of each rollout."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        """Return the conditioning view for every wanted frame."""
        raise NotImplementedError

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Answer, or do what the seed of a request says."""
        told = {"pid": float(os.getpid()), "batch": float(len(requests))}
        seeds = {request.seed for request in requests}
        if DIES in seeds:
            os.kill(os.getpid(), signal.SIGKILL)
        if HANGS in seeds:
            time.sleep(600)
        for request in requests:
            frames = np.repeat(request.view[None], len(request.frames), axis=0)
            if request.seed == FAILS:
                yield Rollout(request.id, frames[:0], request.camera, error="no such view.")
            else:
                yield Rollout(request.id, frames, request.camera, timings=told)
