"""The decisions that a world model is asked for: real ones, and no two alike.

A measurement asks more decisions than anybody has real views for. So the lowest bits of a view's rows count the
decisions: nobody sees that, it costs the same, and however it is turned it is a view that was not there before, so that
answers that were kept from earlier ones are of no use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Optional, Sequence

import numpy as np

from harness.contracts.actions import EE_POSE8, ActionSpace, Candidate, ee_pose8_space, navigation_space
from harness.contracts.digest import array_digest
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import RGB, View
from harness.contracts.seeds import request_seed
from harness.worldmodels.conditioning import ACTION_SPACE, conditioning_of
from harness.worldmodels.folding import fold
from harness.worldmodels.imaginer import EarlierView
from harness.worldmodels.probe import as_poses


@dataclass(frozen=True, eq=False)
class Situation:
    """Where an agent has to decide: a real panorama, its candidates, the frames wanted of each, and what it saw before.

    ``ends`` are the wanted frames of each candidate (ascending, in 1..len) for models that are paid by the frame.
    """

    view: View
    candidates: tuple[Candidate, ...]
    ends: tuple[tuple[int, ...], ...]
    earlier: tuple[EarlierView, ...] = ()


@dataclass(frozen=True, eq=False)
class Decision:
    """What is asked at once: candidates from one view, with the frames wanted of each and a seed for each."""

    view: View
    candidates: tuple[Candidate, ...]
    frames: tuple[tuple[int, ...], ...]
    seeds: tuple[int, ...]
    earlier: tuple[EarlierView, ...]


MARK_BITS = 24


class Purpose(IntEnum):
    """What a decision is asked for; each purpose has views of its own."""

    WARM_UP = 0
    MEASURE = 1
    CACHE = 2


def space_of(manifest: ModelManifest) -> ActionSpace:
    """Return the actions that a model's candidates are made of."""
    return ee_pose8_space() if manifest.settings.get(ACTION_SPACE) == EE_POSE8 else navigation_space()


class Decisions:
    """Decisions by purpose and number, for one model. The same seed gives the same ones.

    ``candidates`` is how many of a situation's candidates are asked, 0 for all; more than there are raise Refusal.
    """

    def __init__(
        self, manifest: ModelManifest, situations: Sequence[Situation], seed: int, candidates: int = 0
    ) -> None:
        fewest = min(len(situation.candidates) for situation in situations)
        if candidates > fewest:
            raise Refusal(f"--candidates {candidates}: a decision has {fewest}.", f"Give 1 to {fewest}.")
        self._manifest = manifest
        self._seed = seed
        self._most = conditioning_of(manifest).most_actions
        self._situations = [self._fitted(situation, candidates or fewest) for situation in situations]

    @property
    def candidates(self) -> int:
        """How many candidates a decision has."""
        return len(self._situations[0].candidates)

    def __call__(self, purpose: Purpose, number: int) -> Decision:
        """Return a decision whose view no other one of any purpose has, turned or not, for the first 5 million."""
        situation = self._situations[number % len(self._situations)]
        view = View(situation.view.camera, marked(situation.view.rgb, number * len(Purpose) + purpose))
        shown = array_digest(view.rgb)
        seeds = tuple(request_seed(self._seed, shown, number, i) for i in range(len(situation.candidates)))
        return Decision(view, situation.candidates, situation.ends, seeds, situation.earlier)

    def _fitted(self, situation: Situation, count: int) -> Situation:
        """Return a situation with ``count`` candidates, evenly spread, in the form and length that the model takes."""
        chosen = [len(situation.candidates) * number // count for number in range(count)]
        fitted = [self._cut(situation.candidates[index]) for index in chosen]
        wanted = [self._frames(c, situation.ends[i]) for c, i in zip(fitted, chosen, strict=True)]
        if space_of(self._manifest).name == EE_POSE8:
            fitted = [Candidate(as_poses(candidate.actions)) for candidate in fitted]
        most = self._manifest.context_max
        earlier = situation.earlier[-most:] if most else ()
        return replace(situation, candidates=tuple(fitted), ends=tuple(wanted), earlier=earlier)

    def _cut(self, candidate: Candidate) -> Candidate:
        """Return a candidate that the model's length allows, turns before its first move not counted."""
        longer = len(fold(candidate).core) - self._most if self._most else 0
        return Candidate(candidate.actions[: len(candidate) - longer]) if longer > 0 else candidate

    def _frames(self, candidate: Candidate, ends: tuple[int, ...]) -> tuple[int, ...]:
        if self._manifest.every_frame:
            return tuple(range(1, len(candidate) + 1))
        return tuple(sorted({min(frame, len(candidate)) for frame in ends}))


def marked(rgb: RGB, number: int) -> RGB:
    """Return a view whose rows hold the binary digits of ``number`` (below 2**24) in their pixels' lowest bits."""
    digits = number >> np.arange(len(rgb)) % MARK_BITS & 1
    return rgb & np.uint8(254) | digits.astype(np.uint8)[:, None, None]


def alone(decision: Decision, candidate: int, seed: Optional[int] = None) -> Decision:
    """Return the question for one candidate of a decision, with another ``seed`` if one is given."""
    seeds = (decision.seeds[candidate] if seed is None else seed,)
    return replace(
        decision, candidates=(decision.candidates[candidate],), frames=(decision.frames[candidate],), seeds=seeds
    )
