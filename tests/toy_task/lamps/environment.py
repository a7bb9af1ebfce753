"""A corridor of lamps: one step a metre, half a turn at a time, a picture of the lamp ahead. It knows no distances."""

from __future__ import annotations

import os
import time
from typing import Iterator, List, Sequence, Tuple

import numpy as np

from harness.contracts.actions import FORWARD, Action, Candidate, Primitive, navigation_space, signed_turn
from harness.contracts.cameras import Camera, Pose, Rig, yaw_to_quaternion
from harness.contracts.episodes import Episode
from harness.contracts.observations import EnvironmentSpec, Observation, View, ViewRequest
from harness.contracts.rollouts import Rollout
from harness.wire.sdk import Environment, Imagining

EYE = Camera("eye", "pinhole", 32, 32, 90.0, 1.0)
LAMPS = 12
State = Tuple[int, int]
"""The lamp that the body stands at, and whether it faces the next (1) or the one before (-1)."""


def picture(lamp: int, facing: int) -> View:
    """Return what the eye sees of a lamp: its own shade, over a gradient that says which way the body faces."""
    rows, columns = np.mgrid[0:32, 0:32]
    ramp = columns if facing > 0 else columns[:, ::-1]
    return View(EYE, np.stack([ramp * 4, rows * 4, np.full_like(rows, 20 * lamp)], axis=2).astype(np.uint8))


class LampsEnvironment(Environment, Imagining):
    """The corridor."""

    def describe(self) -> EnvironmentSpec:
        """Return one camera and the actions of walking."""
        return EnvironmentSpec("lamps", "lamps 1", Rig((EYE,)), (navigation_space(1.0, 180.0),))

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Stand at the start, facing the next lamp."""
        time.sleep(float(os.environ.get("LAMPS_WAIT_S", "0")))  # for tests that interrupt a run
        self._state: State = (round(episode.start.position[2]), 1)
        return self._seen(self._state)

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> List[Observation]:
        """Walk; past either end of the corridor nothing moves."""
        states = self._walk(actions)
        self._state = states[-1]
        return [self._seen(state) for state in states[1:]]

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Yield what the eye would see along each candidate."""
        for number, (candidate, wanted) in enumerate(zip(candidates, frames)):
            states = self._walk(candidate.actions)
            yield Rollout(number, np.stack([picture(*states[frame]).rgb for frame in wanted]), EYE)

    def close(self) -> None:
        """Free nothing."""

    def _walk(self, actions: Sequence[Action]) -> List[State]:
        states = [self._state]
        for action in actions:
            lamp, facing = states[-1]
            if signed_turn(action):
                facing = -facing
            elif isinstance(action, Primitive) and action.name == FORWARD:
                lamp = min(max(lamp + facing, 0), LAMPS - 1)
            states.append((lamp, facing))
        return states

    def _seen(self, state: State) -> Observation:
        pose = Pose((0.0, 0.0, float(state[0])), yaw_to_quaternion(0.0 if state[1] > 0 else 180.0))
        return Observation({EYE.name: picture(*state)}, pose)
