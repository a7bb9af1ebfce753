"""Plugins with one planted fault each, on top of an honest model: the kit must find every one of them."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Action, Candidate, Primitive
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import RGB
from harness.contracts.rollouts import Rollout, RolloutRequest
from wm_plugins.template.model import Model

MIRRORED = {TURN_LEFT: TURN_RIGHT, TURN_RIGHT: TURN_LEFT}


def noisy(rollout: Rollout, generator: np.random.Generator) -> Rollout:
    noise = generator.integers(-20, 21, rollout.rgb.shape)
    return replace(rollout, rgb=np.clip(rollout.rgb + noise, 0, 255).astype(np.uint8))


def renamed(actions: Sequence[Action], names: Dict[str, str]) -> Candidate:
    known = [a for a in actions if isinstance(a, Primitive)]
    return Candidate(tuple(Primitive(names.get(a.name, a.name), a.magnitude) for a in known))


class Honest(Model):
    pass


class Swapped(Model):
    """Mixes up the candidates of a batch."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        rollouts = [self.imagine(request) for request in requests]
        same = len({rollout.rgb.shape for rollout in rollouts}) == 1
        ids = [r.id for r in (reversed(requests) if same else requests)]
        for id, rollout in zip(ids, rollouts):
            yield replace(rollout, id=id)


class OwnNoise(Model):
    """Draws noise that nobody seeded."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        return noisy(super().imagine(request), np.random.default_rng())


class FixedNoise(Model):
    """Declares sampling steps and ignores the seed."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        return noisy(super().imagine(request), np.random.default_rng(0))


class NoiseOfId(Model):
    """Takes the request's id for its seed."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        return noisy(super().imagine(request), np.random.default_rng(request.id))


class NoiseOfBatch(Model):
    """One generator for a whole batch: a rollout depends on its neighbours."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        generator = np.random.default_rng(requests[0].seed)
        for request in requests:
            yield noisy(self.imagine(request), generator)


class Cached(Model):
    """Answers by actions, from whatever view it saw first."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.known: Dict[Tuple[object, ...], RGB] = {}

    def imagine(self, request: RolloutRequest) -> Rollout:
        key = (request.candidate.actions, request.frames, request.camera)
        if key not in self.known:
            self.known[key] = super().imagine(request).rgb
        return Rollout(request.id, self.known[key], request.camera)


class Stale(Model):
    """Answers with the rollout of the request before, where it has the same shape."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.before: List[RGB] = []

    def imagine(self, request: RolloutRequest) -> Rollout:
        rollout = super().imagine(request)
        stale = self.before[-1] if self.before else rollout.rgb
        self.before[:] = [rollout.rgb]
        return replace(rollout, rgb=stale) if stale.shape == rollout.rgb.shape else rollout


class Mirrored(Model):
    """Turns to the other side."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        return super().imagine(replace(request, candidate=renamed(request.candidate.actions, MIRRORED)))


class Backwards(Model):
    """Walks backwards."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        actions = [a for a in request.candidate.actions if isinstance(a, Primitive)]
        back = [replace(a, magnitude=-a.magnitude) if a.name == FORWARD else a for a in actions]
        return super().imagine(replace(request, candidate=Candidate(tuple(back))))


class Standing(Model):
    """Follows turns, never moves, yet is not blind to actions."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        actions = [a for a in request.candidate.actions if isinstance(a, Primitive)]
        still = [replace(a, magnitude=0.0) if a.name == FORWARD else a for a in actions]
        return super().imagine(replace(request, candidate=Candidate(tuple(still))))


class ActionBlind(Model):
    """Claims numbers and repeats the view."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        return Rollout(request.id, np.repeat(request.view[None], len(request.frames), axis=0), request.camera)


class Shifted(Model):
    """Takes frame 0 for the view after the first action."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        every = super().imagine(replace(request, frames=tuple(range(1, len(request.candidate) + 1)))).rgb
        with_start = np.concatenate([request.view[None], every])
        return Rollout(request.id, with_start[[index - 1 for index in request.frames]], request.camera)


class FirstFrames(Model):
    """Answers the first frames whatever indices were asked for."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        return super().imagine(replace(request, frames=tuple(range(1, len(request.frames) + 1))))


class Elsewhere(Model):
    """Starts from a picture of its own, tinted by the view."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        own = np.random.default_rng(3).integers(0, 200, request.view.shape)
        view = (own + request.view[:1, :1].astype(np.int64) // 8).astype(np.uint8)
        return super().imagine(replace(request, view=view))


class Leaking(Model):
    """Keeps 1 MB of every request."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.kept: List[RGB] = []

    def imagine(self, request: RolloutRequest) -> Rollout:
        self.kept.append(np.full(1_000_000, 7, np.uint8))
        return super().imagine(request)


class Late(Model):
    """Needs longer than a call may take, for turns."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        if Primitive(TURN_RIGHT, 22.5) in request.candidate.actions:
            time.sleep(6.0)
        return super().imagine(request)


class BatchLiar(Model):
    """Declares a batch that it cannot take."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        if len(requests) > 8:
            raise MemoryError("out of memory")
        for request in requests:
            yield self.imagine(request)


class LengthLiar(Model):
    """Declares rollouts that are longer than its own."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        if len(request.candidate) > 6:
            raise ValueError("too long")
        return super().imagine(request)


class NotANumber(Model):
    def imagine(self, request: RolloutRequest) -> Rollout:
        rollout = super().imagine(request)
        return replace(rollout, confidence=(float("nan"),) * len(rollout.rgb))


class LongPhase(Model):
    def imagine(self, request: RolloutRequest) -> Rollout:
        return replace(super().imagine(request), timings={"denoise": 1e6})


class WrongSize(Model):
    def imagine(self, request: RolloutRequest) -> Rollout:
        rollout = super().imagine(request)
        camera = replace(request.camera, height=request.camera.height // 2, width=request.camera.width // 2)
        return Rollout(request.id, np.ascontiguousarray(rollout.rgb[:, ::2, ::2]), camera)


class Black(Model):
    """Its last frame is black."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        rollout = super().imagine(request)
        rollout.rgb[-1] = 0
        return rollout


class Historic(Model):
    """Becomes brighter with what it has been asked."""

    asked = 0

    def imagine(self, request: RolloutRequest) -> Rollout:
        Historic.asked += 1
        rollout = super().imagine(request)
        return replace(rollout, rgb=np.minimum(rollout.rgb, 254) + np.uint8(Historic.asked > 40))


class Secret(Model):
    """Declares conditioning "none" and reads the actions."""


class Agreeable(Model):
    """Takes unknown actions for forwards."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        return super().imagine(replace(request, candidate=renamed(request.candidate.actions, {"fly": FORWARD})))


class Fragile(Model):
    """Ends its process where it should refuse."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        try:
            return super().imagine(request)
        except Refusal:
            os._exit(9)


class Blaming(Model):
    """Lets a whole batch fail for one bad request."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        rollouts = [self.imagine(request) for request in requests]
        yield from rollouts


class Forgetful(Model):
    """Declares earlier views and cannot take them."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        if request.context:
            raise ValueError("context is not implemented")
        return super().imagine(request)
