"""Asks for one decision as a run does, and takes the time of its parts.

The clock is monotonic and the caller's. A rollout that has come back over the wire is finished by definition: its
pixels are in this process, so nothing is left to be waited for on a device.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Iterator, Mapping, Sequence

from harness.contracts.digest import array_digest
from harness.contracts.errors import DeadlineExceeded, EpisodeError, ServiceError, WiwError
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.throughput.decisions import Decision, space_of
from harness.worldmodels.imaginer import ImaginingModel, PluginImaginer

FAILED, LATE, DIED = "failed", "late", "died"
"""Why a decision has no answer: a rollout failed, a call passed its deadline, the service ended or talked nonsense."""

WARM_UP = "warm_up"
"""The phase by which a plugin reports, once, how long it took to compile and warm up before it was ready."""


@dataclass(frozen=True)
class Answer:
    """What became of one decision: seconds in all and within calls, seconds by the plugin's phases, and counts.

    ``failure`` is "" or one of `FAILED`, `LATE`, `DIED`; ``error`` its words. ``digests`` are those of the frames of
    its rollouts, in the order of their ids, where they were wanted.
    """

    seconds: float
    called_s: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    rollouts: int = 0
    frames: int = 0
    digests: tuple[str, ...] = ()
    failure: str = ""
    error: str = ""

    @property
    def lost(self) -> bool:
        """Say whether the service cannot be asked any more."""
        return self.failure in (LATE, DIED)


class Asker:
    """Asks one model through the imaginer that runs use: folding, crops, batches and sizes are part of a decision."""

    def __init__(self, model: ImaginingModel, manifest: ModelManifest) -> None:
        self._watched = _Watched(model)
        self._imaginer = PluginImaginer(self._watched, manifest, space_of(manifest))
        self.warm_up_s = 0.0

    def __call__(self, decision: Decision, digests: bool = False) -> Answer:
        """Return what became of a decision; a failure is part of the answer."""
        seen = self._watched
        seen.reset(digests)
        failure = error = ""
        began = time.perf_counter()
        try:
            self._imaginer.imagine(
                decision.view, decision.candidates, decision.frames, decision.seeds, earlier=decision.earlier
            )
        except (EpisodeError, ServiceError) as raised:
            failure, error = kind_of_failure(raised), str(raised)
        seconds = time.perf_counter() - began
        phases = dict(seen.phases)
        self.warm_up_s += phases.pop(WARM_UP, 0.0)
        found = tuple(seen.digests[id] for id in sorted(seen.digests))
        return Answer(seconds, seen.called_s, phases, seen.rollouts, seen.frames, found, failure, error)


def kind_of_failure(error: WiwError) -> str:
    """Return the kind of a failure."""
    if isinstance(error, DeadlineExceeded):
        return LATE
    return DIED if isinstance(error, ServiceError) else FAILED


class _Watched:
    """A model that is asked through this object, which notes what passes."""

    def __init__(self, model: ImaginingModel) -> None:
        self._model = model
        self.reset(False)

    def reset(self, digesting: bool) -> None:
        self._digesting = digesting
        self.called_s = 0.0
        self.phases: dict[str, float] = defaultdict(float)
        self.rollouts = self.frames = 0
        self.digests: dict[tuple[int, int], str] = {}
        self._calls = 0

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        self._calls += 1
        began = time.perf_counter()
        try:
            rollouts = list(self._model.imagine_batch(requests))
        finally:
            self.called_s += time.perf_counter() - began
        for rollout in rollouts:
            self._note(rollout)
        return iter(rollouts)

    def _note(self, rollout: Rollout) -> None:
        if rollout.error:
            return
        self.rollouts += 1
        self.frames += len(rollout.rgb)
        for phase, seconds in rollout.timings.items():
            self.phases[phase] += seconds
        if self._digesting:
            self.digests[self._calls, rollout.id] = array_digest(rollout.rgb)
