"""World models that cheat a leaderboard: each answers by something else than the request."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np

from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import RGB
from harness.contracts.rollouts import Rollout, RolloutRequest
from tests.conformance.cheats.cheats import Honest, noisy


def tinted(rollout: Rollout, by: int) -> Rollout:
    return replace(rollout, rgb=np.minimum(rollout.rgb, 255 - by) + np.uint8(by))


class Clocked(Honest):
    """Answers by the second of the day."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        return tinted(super().imagine(request), int(time.time()) % 2)


class DrawnAtStart(Honest):
    """Draws once when its process starts, so that it agrees with itself and with no other process."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.own = int.from_bytes(os.urandom(4), "big")

    def imagine(self, request: RolloutRequest) -> Rollout:
        return noisy(super().imagine(request), np.random.default_rng(self.own))


class Waking(Honest):
    """Is honest in the first calls of a process, as in a check, and saves its work later."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.calls = 0

    def imagine(self, request: RolloutRequest) -> Rollout:
        self.calls += 1
        return tinted(super().imagine(request), int(self.calls > 5))


class Remembering(Honest):
    """Mixes in what it saw before, of whatever episode."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.seen: list[RGB] = []

    def imagine(self, request: RolloutRequest) -> Rollout:
        rollout = super().imagine(request)
        self.seen = [view for view in self.seen if view.shape == request.view.shape][-8:]
        other = [view for view in self.seen if not np.array_equal(view, request.view)]
        self.seen.append(request.view)
        if other:
            mixed = (rollout.rgb.astype(np.uint16) * 7 + other[-1]) // 8
            rollout = replace(rollout, rgb=mixed.astype(np.uint8))
        return rollout


class Improving(Honest):
    """Answers a question better each time that it comes."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.asked: dict[bytes, int] = {}

    def imagine(self, request: RolloutRequest) -> Rollout:
        key = request.view.tobytes()
        self.asked[key] = self.asked.get(key, 0) + 1
        return tinted(super().imagine(request), min(self.asked[key], 200))


class Chained(Honest):
    """Takes part of its noise from the seed of the call before."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.before = 0

    def imagine(self, request: RolloutRequest) -> Rollout:
        before, self.before = self.before, request.seed
        return noisy(super().imagine(request), np.random.default_rng([before, request.seed]))
