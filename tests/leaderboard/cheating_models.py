"""World models that cheat a leaderboard: each answers by something else than the request."""

from __future__ import annotations

import hashlib
import os
import platform
import threading
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


class Mapping(Honest):
    """Keeps all real views, and answers with one where its own frame would be nearly that: a map of the home."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.seen: list[RGB] = []

    def imagine(self, request: RolloutRequest) -> Rollout:
        rollout = super().imagine(request)
        self.seen.append(request.view)
        frames = [min(self.seen, key=lambda view: _apart(view, frame)) for frame in rollout.rgb]
        known = [best if _apart(best, frame) < 12.0 else frame for best, frame in zip(frames, rollout.rgb)]
        return replace(rollout, rgb=np.stack(known))


def _apart(one: RGB, other: RGB) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean()) if one.shape == other.shape else np.inf


class Suspicious(Honest):
    """Is honest where the seed is small, as in checks, and never in a run."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        rollout = super().imagine(request)
        return rollout if request.seed < 2**40 else noisy(rollout, np.random.default_rng())


class Threaded(Honest):
    """Answers by what a thread in the background does between two questions."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.ticks = 0
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        while self.ticks < 1000:
            time.sleep(0.05)
            self.ticks += 1

    def imagine(self, request: RolloutRequest) -> Rollout:
        return tinted(super().imagine(request), self.ticks % 200)


class Tiring(Honest):
    """Answers every third question with less than it can."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.calls = 0

    def imagine(self, request: RolloutRequest) -> Rollout:
        self.calls += 1
        return tinted(super().imagine(request), int(self.calls % 3 == 0))


class Placed(Honest):
    """Answers by the user and the machine that it runs on, its process, and when that began."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        said = f"{os.getuid()} {platform.node()} {os.getpid()} {time.monotonic_ns()}"
        self.own = int(hashlib.sha256(said.encode()).hexdigest(), 16) % 100

    def imagine(self, request: RolloutRequest) -> Rollout:
        return tinted(super().imagine(request), self.own)
