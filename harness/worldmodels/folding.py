"""Turn folding: the turns at both ends of a candidate are done by the harness, exactly, on the panorama.

A turn of a panorama is a roll of its columns, so no world model should be asked for one. The leading rule is the
published one (World-in-World, arXiv 2510.18135): the initial run of turns of one direction is applied to the
real view, and the model starts from the first forward or the first reversal. Turns after the last move are
folded too, since they roll the model's last frame.

Candidates often begin alike (2, 5 and 8 forwards in one direction). Once folded, those whose core is a prefix of
another's and starts from the same conditioning view need one rollout, not three (`share`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Sequence

from harness.contracts.actions import Action, Candidate, signed_turn


@dataclass(frozen=True)
class FrameSource:
    """Where one frame of the original candidate comes from.

    ``core_frame`` 0 is the real view before the candidate; j > 0 is the model's frame after action j of the core.
    That image is then turned by ``yaw_deg`` (left positive, degrees).
    """

    core_frame: int
    yaw_deg: float


@dataclass(frozen=True)
class FoldedCandidate:
    """A candidate split into leading turns, the core that a model imagines, and trailing turns.

    ``lead_deg`` is the yaw from the real view to the conditioning view of the core (left positive). ``core`` is
    empty for pure turns. ``sources[i]`` says how to make frame i, for i in 0..len(candidate).
    """

    lead_deg: float
    core: Candidate
    sources: tuple[FrameSource, ...]


def fold(candidate: Candidate, fold_trailing: bool = True) -> FoldedCandidate:
    """Split ``candidate`` into leading turns, core and trailing turns.

    ``fold_trailing=False`` keeps trailing turns in the core, for perspective models: what a turn uncovers is not
    in their last frame. A candidate without any move folds to an empty core either way: all its frames are real.
    """
    turns = [signed_turn(action) for action in candidate.actions]
    moves = [index for index, turn in enumerate(turns) if turn == 0.0]
    if not moves:
        return FoldedCandidate(0.0, Candidate(()), _real_sources([0.0, *turns]))
    first = _leading_run(turns)
    last = moves[-1] + 1 if fold_trailing else len(turns)
    lead_deg = sum(turns[:first])
    leading = _real_sources([0.0, *turns[:first]])
    core = Candidate(candidate.actions[first:last])
    imagined = tuple(FrameSource(frame, 0.0) for frame in range(1, len(core) + 1))
    trailing = tuple(FrameSource(len(core), yaw) for yaw in accumulate(turns[last:]))
    return FoldedCandidate(lead_deg, core, leading + imagined + trailing)


def starts_with(actions: Sequence[Action], prefix: Sequence[Action]) -> bool:
    """Say whether ``prefix`` is how ``actions`` begins."""
    return len(prefix) <= len(actions) and tuple(actions[: len(prefix)]) == tuple(prefix)


def _leading_run(turns: Sequence[float]) -> int:
    """Return how many turns of one direction come first."""
    count = 0
    while count < len(turns) and turns[count] * turns[0] > 0.0:
        count += 1
    return count


def _real_sources(turns: Sequence[float]) -> tuple[FrameSource, ...]:
    return tuple(FrameSource(0, yaw) for yaw in accumulate(turns))


NO_ROLLOUT = -1


@dataclass
class PlannedRollout:
    """One rollout to ask: conditioning yaw in [0, 360) degrees, the core's actions, a seed, wanted core frames."""

    lead_deg: float
    actions: tuple[Action, ...]
    seed: int
    frames: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class SharedRollouts:
    """The rollouts of a decision; ``rollout_of[k]`` serves candidate k (NO_ROLLOUT: all its frames are real)."""

    rollouts: tuple[PlannedRollout, ...]
    rollout_of: tuple[int, ...]


def share(folded: Sequence[FoldedCandidate], frames: Sequence[Sequence[int]], seeds: Sequence[int]) -> SharedRollouts:
    """Plan the fewest rollouts that show the wanted ``frames`` of all candidates.

    The longest core of a family of prefixes is asked, with its own candidate's seed; among equals the first. The
    order of the rollouts depends on the candidates alone. Candidates that want no imagined frame ask for nothing.
    """
    rollouts: list[PlannedRollout] = []
    rollout_of = [NO_ROLLOUT] * len(folded)
    longest_first = sorted(range(len(folded)), key=lambda index: -len(folded[index].core))
    for index in longest_first:
        candidate = folded[index]
        wanted = {candidate.sources[frame].core_frame for frame in frames[index]} - {0}
        if not wanted:
            continue
        lead_deg = candidate.lead_deg % 360.0
        number = _find(rollouts, lead_deg, candidate.core.actions)
        if number == NO_ROLLOUT:
            number = len(rollouts)
            rollouts.append(PlannedRollout(lead_deg, candidate.core.actions, seeds[index]))
        rollouts[number].frames |= wanted
        rollout_of[index] = number
    return SharedRollouts(tuple(rollouts), tuple(rollout_of))


def _find(rollouts: Sequence[PlannedRollout], lead_deg: float, actions: tuple[Action, ...]) -> int:
    for number, planned in enumerate(rollouts):
        if planned.lead_deg == lead_deg and starts_with(planned.actions, actions):
            return number
    return NO_ROLLOUT
