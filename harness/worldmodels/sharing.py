"""Sharing: which rollouts a decision really needs.

Candidates often begin alike (2, 5 and 8 forwards in one direction). Once folded, those whose core is a prefix of
another's and starts from the same conditioning view need one rollout, not three.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Sequence

from harness.contracts.actions import Action
from harness.worldmodels.folding import FoldedCandidate, starts_with

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
