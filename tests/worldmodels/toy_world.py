"""A toy world and a toy world model for tests: exact, pure integers, every view different."""

from __future__ import annotations

from typing import Iterator, Sequence

import numpy as np

from harness.contracts.actions import FORWARD, Action, Candidate, Primitive, signed_turn
from harness.contracts.cameras import EQUIRECT, Camera, Rig
from harness.contracts.episodes import Episode
from harness.contracts.observations import RGB, EnvironmentSpec, Observation, View, ViewRequest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire.sdk import Environment, Imagining

TURN_DEG = 22.5
HEIGHT, WIDTH = 4, 32
PANO = Camera("pano", EQUIRECT, HEIGHT, WIDTH, 360.0, 1.25)
LEFT = Primitive("turn_left", TURN_DEG)
RIGHT = Primitive("turn_right", TURN_DEG)
AHEAD = Primitive(FORWARD, 0.2)


def advance(pano: RGB) -> RGB:
    """Return a toy forward: reversible integer mixing that does not commute with rolls (it depends on the column)."""
    columns = np.arange(pano.shape[1], dtype=np.int64)[None, :, None]
    return ((pano.astype(np.int64) * 3 + columns * 7 + 11) % 256).astype(np.uint8)


def play(pano: RGB, actions: Sequence[Action]) -> list[RGB]:
    """Return the views of the toy world before and after each action."""
    views = [pano]
    for action in actions:
        turn = signed_turn(action)
        if turn:
            views.append(np.roll(views[-1], round(turn * pano.shape[1] / 360.0), axis=1))
        else:
            views.append(advance(views[-1]))
    return views


def toy_view(seed: int = 0) -> View:
    """Return a random panorama of the toy world."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return View(PANO, rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8))


class ToyModel:
    """A perfect model of the toy world; it records what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[RolloutRequest]] = []

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Answer in reverse order, since order is not promised."""
        self.batches.append(list(requests))
        for request in reversed(requests):
            views = play(request.view, request.candidate.actions)
            yield Rollout(request.id, np.stack([views[i] for i in request.frames]), request.camera)


class ToyEnvironment(Environment, Imagining):
    """The toy world as an environment that imagines; nobody walks in it."""

    def __init__(self, pano: RGB) -> None:
        self.pano = pano
        self.calls = 0

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Yield the real rollouts."""
        assert camera == PANO.name
        self.calls += 1
        for index, (candidate, wanted) in enumerate(zip(candidates, frames)):
            views = play(self.pano, candidate.actions)
            yield Rollout(index, np.stack([views[i] for i in wanted]), PANO)

    def describe(self) -> EnvironmentSpec:
        return EnvironmentSpec("toy", "toy 1", Rig((PANO,)), ())

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        raise NotImplementedError

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> list[Observation]:
        raise NotImplementedError

    def close(self) -> None:
        return None
