"""Plans of a script, of which one is right and the others have one mistake each: the episode's own."""

from __future__ import annotations

from typing import Sequence, Tuple

from harness.contracts.actions import Action, ActionSpace, Candidate, Vector
from harness.contracts.episodes import Episode
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds
from tasks.manip.episodes import TableScene
from tasks.task import payload_of


class Scripted:
    """Proposes an episode's plans, each to be carried out whole.

    Views after every sub-goal are imagined; which of them count is the score's to say.
    """

    def __init__(self, space: ActionSpace, plans: int) -> None:
        self._space, self._plans = space, plans

    def of(self, episode: Episode) -> OfEpisode:
        """Return the proposer of one episode, which knows the actions of its plans and no more."""
        scene = payload_of(TableScene, episode)
        return OfEpisode(tuple(Candidate(scene.actions(plan.goals)) for plan in scene.plans))

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Return as many plans as an episode has, none of which moves anything: there is no episode."""
        nothing = Candidate((Vector(self._space.name, (0.0,) * self._space.vector_width),))
        return OfEpisode((nothing,) * self._plans).propose(decision, history, seeds)


class OfEpisode:
    """The same plans in every decision."""

    def __init__(self, plans: Tuple[Candidate, ...]) -> None:
        ends = tuple(End(number, tuple(range(1, len(plan) + 1)), len(plan)) for number, plan in enumerate(plans))
        self._proposal = Proposal(plans, ends)

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Return the plans, each with its end after the last sub-goal."""
        return self._proposal
