"""What a proposer answers: candidates, and the ends at which each may be scored and left.

An *end* ties what is scored to what is executed. Scoring one frame and executing another rewards models that
under- or overshoot, so a proposer has to say both together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Sequence, Tuple, runtime_checkable

from harness.contracts.actions import Action, Candidate
from harness.contracts.episodes import Episode
from harness.planning.seeding import EpisodeSeeds


@dataclass(frozen=True)
class End:
    """One choice: imagine ``frames`` of candidate number ``candidate``; if chosen, run its first ``execute`` actions.

    Frame i is the view after action i, so frames lie in 1..len(candidate), ascending.
    """

    candidate: int
    frames: Tuple[int, ...]
    execute: int


@dataclass(frozen=True)
class Proposal:
    """The candidates of one decision and all their ends, in a fixed order."""

    candidates: Tuple[Candidate, ...]
    ends: Tuple[End, ...]

    def actions(self, end: End) -> Tuple[Action, ...]:
        """Return the actions that choosing ``end`` executes."""
        return self.candidates[end.candidate].actions[: end.execute]


class Proposer(Protocol):
    """Names the candidates of a decision from the executed history alone."""

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Return the proposal of decision number ``decision``; ``history`` are all actions executed so far."""


@runtime_checkable
class EpisodesOwn(Protocol):
    """A proposer whose candidates stand in each episode's data: the caller of a loop has it made for one of them.

    What it is made for never reaches the rest of the agent.
    """

    def of(self, episode: Episode) -> Proposer:
        """Return what proposes in ``episode``."""
