"""The plugin under test: its service, started and started again where a check has broken it, and all answers timed."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Sequence

import numpy as np

from harness.conformance.results import Fault
from harness.conformance.service_under_test import ServiceUnderTest
from harness.conformance.target import Target
from harness.contracts.errors import WiwError
from harness.contracts.manifests import RANDOM
from harness.contracts.observations import RGB
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.runtimes.usage import memory_bytes
from harness.wire.client import WorldModelClient
from harness.worldmodels.probe import Probe

REPEAT_NOISE = 2.0
"""How far (mean absolute difference of 255 grey levels) repeats of a model may lie apart that declares itself not
deterministic: rounding of a GPU stays below, another sample of a generative model does not."""

TOLERANCE_SETTING = "batch_tolerance"
UNTRAINED_SETTING = "untrained"
"""The setting of a checkpoint that nobody has trained: it is not held to what only training can give."""

MOST_TOLERANCE = 8.0


class Subject(ServiceUnderTest[WorldModelClient]):
    """One model behind its service, asked what ``probe`` makes."""

    def __init__(self, target: Target, probe: Probe, deadline_s: float, start_s: float, log: Path) -> None:
        super().__init__(target, WorldModelClient, deadline_s, start_s, log)
        self.probe = probe
        self.first: list[RGB] = []
        """The answers to the first questions after the first start."""

    @property
    def learnt(self) -> bool:
        """Say whether the weights come from a training, by what the manifest says."""
        return self.manifest.weights != RANDOM and self.manifest.settings.get(UNTRAINED_SETTING, False) is not True

    def send(self, requests: Sequence[RolloutRequest]) -> dict[int, Rollout]:
        """Send one batch as it is; return the rollouts by id, failed ones included."""
        client = self.client
        with self._timed():
            return {rollout.id: rollout for rollout in client.imagine_batch(requests)}

    def ask(self, requests: Sequence[RolloutRequest]) -> list[RGB]:
        """Return the frames of each request, asked in batches of at most ``max_batch``; one that fails is a Fault."""
        frames: list[RGB] = []
        for batch in _batches(requests, self.manifest.max_batch):
            answers = self.send(batch)
            frames.extend(_answer(request, answers).rgb for request in batch)
        return frames

    def ask_one(self, request: RolloutRequest) -> RGB:
        """Return the frames of one request, sent alone."""
        return self.ask_rollout(request).rgb

    def ask_rollout(self, request: RolloutRequest) -> Rollout:
        """Return the rollout of one request, sent alone; one that fails is a Fault."""
        return _answer(request, self.send([request]))

    def memory_bytes(self) -> int:
        """Return what the service holds now."""
        return memory_bytes(self.service)

    @property
    def repeat_tolerance(self) -> float:
        """How far two answers to one question may lie apart."""
        return 0.0 if self.manifest.deterministic else REPEAT_NOISE

    @property
    def batch_tolerance(self) -> float:
        """How far an answer in a batch may lie from the answer alone: the manifest says it, 0 where it does not."""
        declared = self.manifest.settings.get(TOLERANCE_SETTING, 0.0)
        if isinstance(declared, (bool, str)) or not 0.0 <= declared <= MOST_TOLERANCE:
            raise Fault(
                f"settings.{TOLERANCE_SETTING} is {declared!r}; 0 to {MOST_TOLERANCE:g} grey levels mean something.",
                "Declare the mean absolute difference that you measured.",
            )
        return max(float(declared), self.repeat_tolerance)

    @property
    def mixed_tolerance(self) -> float:
        """How far an answer may move with what else is in its batch: not at all where the plugin promises that."""
        return 0.0 if self.target.entry.batch_invariant else self.batch_tolerance


def difference(one: RGB, other: RGB) -> float:
    """Return the mean absolute difference of two stacks of frames in grey levels; infinity for other shapes."""
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())


def _batches(requests: Sequence[RolloutRequest], size: int) -> Iterator[Sequence[RolloutRequest]]:
    for start_at in range(0, len(requests), size):
        yield requests[start_at : start_at + size]


def _answer(request: RolloutRequest, answers: dict[int, Rollout]) -> Rollout:
    rollout = answers[request.id]
    if rollout.error:
        raise Fault(f"a valid request failed: {rollout.error}", "Fix what the error names; the log has the traceback.")
    return rollout


def explain(error: WiwError) -> tuple[str, str]:
    """Return what an error says and what to do, in one line each."""
    return " ".join(error.what.split())[:400], " ".join(error.next_step.split())[:200]
