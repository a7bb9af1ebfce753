"""Proposer `heuristic`: the random walk that the published benchmark proposes without a language model.

One primitive at a time, uniform over forward, left and right, with two rules: no immediate reversal of a turn, and at
most four identical turns in a row, the executed history included. Duplicates are drawn again.
"""

from __future__ import annotations

from typing import List, Sequence

import numpy as np

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Action, ActionSpace, Candidate
from harness.contracts.errors import EpisodeError, Refusal
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds

MAX_SAME_TURNS = 4
MAX_QUERIES = 10_000
_REVERSE = {TURN_LEFT: TURN_RIGHT, TURN_RIGHT: TURN_LEFT}


class Heuristic:
    """``candidates`` distinct sequences of ``length`` primitives; the first max(length - 2, 1) are executed.

    The whole strip of a candidate is scored. With ``published_rng`` the generator is seeded anew for every primitive
    with query * length + position, as published: a given history then always yields the same candidates, and no run
    seed enters (the published generator itself is not known, so the drawn sequences are ours). Without it, each query
    has its own stream keyed by run seed, episode and decision.
    """

    def __init__(self, space: ActionSpace, candidates: int, length: int, published_rng: bool = True) -> None:
        if candidates < 1 or length < 1:
            raise Refusal(
                f"heuristic cannot propose {candidates} candidates of length {length}.", "Both must be at least 1."
            )
        self._primitives = {p.name: p for p in space.primitives if p.name in (FORWARD, TURN_LEFT, TURN_RIGHT)}
        self._candidates = candidates
        self._length = length
        self._published_rng = published_rng

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Return distinct candidates; raise EpisodeError when so many do not turn up."""
        found: List[Candidate] = []
        for query in range(MAX_QUERIES):
            candidate = self._sample(query, decision, history, seeds)
            if candidate not in found:
                found.append(candidate)
            if len(found) == self._candidates:
                break
        else:
            raise EpisodeError(
                f"heuristic found {len(found)} distinct candidates of length {self._length}, not {self._candidates}, "
                f"in {MAX_QUERIES} queries.",
                "Ask for fewer or longer candidates.",
            )
        strip, execute = tuple(range(1, self._length + 1)), max(self._length - 2, 1)
        return Proposal(tuple(found), tuple(End(number, strip, execute) for number in range(len(found))))

    def _sample(self, query: int, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Candidate:
        walked = list(history)
        stream = seeds.generator(decision, "proposer", query)
        for position in range(self._length):
            if self._published_rng:
                stream = np.random.Generator(np.random.PCG64(query * self._length + position))
            allowed = allowed_names(walked)
            walked.append(self._primitives[allowed[int(stream.integers(len(allowed)))]])
        return Candidate(tuple(walked[len(history) :]))


def allowed_names(walked: Sequence[Action]) -> List[str]:
    """Return which primitives may follow ``walked``: no reversal of the last turn, no fifth identical turn."""
    last = getattr(walked[-1], "name", "") if walked else ""
    allowed = [name for name in (FORWARD, TURN_LEFT, TURN_RIGHT) if name != _REVERSE.get(last)]
    tail = [getattr(action, "name", "") for action in walked[-MAX_SAME_TURNS:]]
    if last in _REVERSE and tail == [last] * MAX_SAME_TURNS:
        allowed.remove(last)
    return allowed
