"""Environments with a planted rendering fault: correct in everything but the pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.contracts.actions import Action, Candidate
from harness.contracts.cameras import Pose
from harness.contracts.episodes import Episode
from harness.contracts.observations import RGB, Observation, View, ViewRequest
from harness.contracts.rollouts import Rollout
from images.embedded.environment import EmbeddedEnvironment
from images.embedded.mesh import Home
from tests.images.embedded.tiny_home import tiny_home

Fault = Callable[[list[RGB]], RGB]
"""Makes the faulty frame from all frames so far of this camera, the true one last."""


def black(shown: list[RGB]) -> RGB:
    """Nothing was drawn."""
    return np.zeros_like(shown[-1])


def nearly_black(shown: list[RGB]) -> RGB:
    """Nothing was drawn but three pixels, and a compressor left its noise."""
    frame = np.arange(shown[-1].size, dtype=np.uint8).reshape(shown[-1].shape) % 4
    frame[5, 7:10] = 200
    return frame.astype(np.uint8)


def constant(shown: list[RGB]) -> RGB:
    """The clear colour."""
    return np.full_like(shown[-1], (127, 130, 9))


def frozen(shown: list[RGB]) -> RGB:
    """The frame before, as a buffer that is not swapped shows it."""
    return shown[-2] if len(shown) > 1 else shown[-1]


def stale(shown: list[RGB]) -> RGB:
    """The oldest frame of all."""
    return shown[0]


class PlantedEnvironment(EmbeddedEnvironment):
    """The embedded environment with ``fault`` in the observation number ``at`` (from 0).

    It knows the tiny home alone unless options name a cache of homes. With ``at`` -1 observations are true;
    ``rendered_fault`` and ``imagined_fault`` hit rendered views and rollouts.
    """

    def __init__(self, **options: object) -> None:
        """Take the faults by name, so that they can travel to a service as options."""
        super().__init__(str(options.get("cache_dir", "")))
        self._tiny = "cache_dir" not in options
        faults: dict[str, Fault] = {f.__name__: f for f in (black, nearly_black, constant, frozen, stale)}
        self._fault = faults.get(str(options.get("fault", "")))
        self._at = int(str(options.get("at", -1)))
        self._rendered_fault = faults.get(str(options.get("rendered_fault", "")))
        self._imagined_fault = faults.get(str(options.get("imagined_fault", "")))
        self._count = 0
        self._shown: dict[str, list[RGB]] = {}
        self._rendered: dict[str, list[RGB]] = {}

    def load_home(self, name: str) -> Home:
        """Return the home of that name where there is a cache of homes; else the tiny one, ``other`` recoloured."""
        if not self._tiny:
            return super().load_home(name)
        home = tiny_home()
        return replace(home, textures=255 - home.textures) if name == "other" else home

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Reset, with a fault where it is planted."""
        return self._shoot(super().reset(episode, seed, views))

    def render(self, poses: Sequence[Pose], views: Sequence[ViewRequest]) -> list[Mapping[str, View]]:
        """Render, with a fault where one is planted in rendered views."""
        return [
            {n: _faulty(v, self._rendered.setdefault(n, []), self._rendered_fault) for n, v in seen.items()}
            for seen in super().render(poses, views)
        ]

    def step(self, actions: Sequence[Action], views: Sequence[ViewRequest]) -> list[Observation]:
        """Step, with a fault where it is planted."""
        return [self._shoot(observation) for observation in super().step(actions, views)]

    def imagine(
        self, candidates: Sequence[Candidate], camera: str, frames: Sequence[Sequence[int]]
    ) -> Iterator[Rollout]:
        """Imagine; a faulty rollout repeats what the camera sees now."""
        for rollout in super().imagine(candidates, camera, frames):
            if self._imagined_fault is None:
                yield rollout
            else:
                now = self._shown[camera][-1]
                wrong = [self._imagined_fault([now, rgb]) for rgb in rollout.rgb]
                yield replace(rollout, rgb=np.stack(wrong) if wrong else rollout.rgb)

    def _shoot(self, observation: Observation) -> Observation:
        fault = self._fault if self._count == self._at else None
        self._count += 1
        views = {n: _faulty(v, self._shown.setdefault(n, []), fault) for n, v in observation.views.items()}
        return replace(observation, views=views)


def _faulty(view: View, shown: list[RGB], fault: Fault | None) -> View:
    shown.append(view.rgb)
    return view if fault is None else replace(view, rgb=fault(shown))
