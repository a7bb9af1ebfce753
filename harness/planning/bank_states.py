"""States of decisions for a decision bank: what an agent would see and could choose, and what is true of each choice.

Closed-loop success is a coarse measure: a better choice shows only where it turns a failure into a success. A state
asks one decision alone, and its regret is a distance, so that small differences between world models take far
fewer states than episodes. The states come from the caller's side of a loop; who is judged sees what an agent sees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterator, List, Optional, Protocol, Sequence, Tuple

from harness.contracts.actions import Action
from harness.contracts.cameras import Pose
from harness.contracts.episodes import Episode
from harness.contracts.observations import Observation, View, ViewRequest
from harness.planning.agent import Agent, Choice
from harness.planning.config import ORACLE
from harness.planning.episode_start import Begin
from harness.planning.evidence import TRUTH, EndScores
from harness.planning.parts import Parts
from harness.planning.proposals import End, Proposal
from harness.planning.revisers import STAY, Stay, Uniform
from harness.planning.seeding import EpisodeSeeds
from harness.wire.sdk import Environment
from harness.worldmodels.imaginer import Imaginer


class KnownDistances(Protocol):
    """The truth of a state: how far from solved the episode is after each end, and here."""

    @property
    def ends(self) -> Sequence[object]:
        """Return the ends that may be chosen."""

    @property
    def end_distances_m(self) -> Tuple[float, ...]:
        """Return the distance after each of them."""

    @property
    def distance_m(self) -> float:
        """Return the distance in the state itself."""


@dataclass(frozen=True, eq=False)
class DecisionState:
    """One decision of an episode before it is made.

    ``executed`` are the actions of each earlier decision. ``ends`` are those that the memory of visited places leaves.
    The truth (`evidence.Truth`): ``end_distances_m`` after each end, ``distance_m`` here.
    ``pose`` puts a simulator back; like the truth, no agent is ever told it.
    """

    episode: str
    home: str
    decision: int
    executed: Tuple[Tuple[Action, ...], ...]
    view: View
    prompt: View
    proposal: Proposal
    ends: Tuple[End, ...]
    pose: Pose
    end_distances_m: Tuple[float, ...]
    distance_m: float


def decision_states(
    begin: Begin, environment: Environment, episode: Episode, parts: Parts, seed: int, decisions: int
) -> Iterator[DecisionState]:
    """Yield the first ``decisions`` states of an episode that ``begin`` begins; the environment then stands in each.

    From one to the next leads an end that is drawn uniformly, so that no world model chose where the others are
    asked. The candidates are those that an agent with the same seed would have.
    """
    config, parts = parts.config, parts.of(episode)
    seeds = EpisodeSeeds(seed, episode.id)
    look = [ViewRequest(config.agent_camera)]
    begun = begin(environment, episode, seed, look, config)
    observation = begun.observation
    executed: List[Tuple[Action, ...]] = []
    for decision in range(decisions):
        view = observation.views[config.agent_camera]
        history = tuple(action for actions in executed for action in actions)
        proposal = parts.proposer.propose(decision, history, seeds)
        ends = parts.memory(proposal, executed)
        scores = begun.truth(view, proposal, ends)
        yield DecisionState(
            episode=episode.id,
            home=episode.home,
            decision=decision,
            executed=tuple(executed),
            view=view,
            prompt=begun.prompt,
            proposal=proposal,
            ends=ends,
            pose=observation.pose,
            end_distances_m=tuple(-score for score in scores.ends),
            distance_m=-scores.stay,
        )
        actions = proposal.actions(ends[Uniform().choose(len(ends), (), Stay(False), decision, seeds)])
        observation = _execute(environment, actions, look)
        executed.append(actions)


def choose(
    state: DecisionState,
    parts: Parts,
    imaginer: Optional[Imaginer],
    seed: int,
    stop: str = ORACLE,
    further: Optional[View] = None,
) -> Choice:
    """Return what an agent with these parts and this world model decides in ``state``, by the code of the loop.

    With the stop rule ``oracle`` it has to move; with ``self`` staying is a choice. The imaginer of a simulator needs
    it to stand in the state. ``further`` is the answer to the imaginer's ``further_view``; views of earlier decisions
    are not known here, so that a world model that would make use of them gets none.
    """
    truth = _KnownTruth(state) if parts.reviser.evidence == TRUTH else None
    agent = Agent(parts, state.prompt, imaginer, stop, EpisodeSeeds(seed, state.episode), truth=truth)
    agent.remember(state.executed)
    return agent.decide(state.decision, state.view, further)


def may_stay(state: DecisionState, parts: Parts, choice: Choice, seed: int) -> Choice:
    """Return what the agent that made ``choice`` decides where staying is a choice too; nothing is imagined again.

    It differs from `choose` with the stop rule ``self`` in the imagined steps alone: those of a choice that moves are
    kept where it is the same end, and left out else.
    """
    seeds = EpisodeSeeds(seed, state.episode)
    stay = Stay(True, choice.stay_score)
    index = parts.reviser.choose(len(state.ends), choice.scores, stay, state.decision, seeds)
    if index == choice.index:
        return choice
    end = None if index == STAY else state.ends[index]
    actions = () if end is None else state.proposal.actions(end)
    return replace(choice, end=end, index=index, actions=actions, imagined={})


def regret_m(state: KnownDistances, choice: Choice) -> float:
    """Return how much nearer to solved the best choice in ``state`` would have come than ``choice``.

    Staying is among the choices that count as best only where it was one that could be made.
    """
    if choice.index == STAY:
        return state.distance_m - min(state.distance_m, *state.end_distances_m)
    return state.end_distances_m[choice.index] - min(state.end_distances_m)


class _KnownTruth:
    """The true distances of a state as scores, for the reference `oracle`."""

    def __init__(self, state: DecisionState) -> None:
        self._scores = EndScores(tuple(-distance for distance in state.end_distances_m), -state.distance_m)

    def __call__(self, view: View, proposal: Proposal, ends: Sequence[End]) -> EndScores:
        """Return the scores of the state's own ends, which an agent in it has."""
        return self._scores


def _execute(environment: Environment, actions: Sequence[Action], look: Sequence[ViewRequest]) -> Observation:
    """Execute ``actions``; only what is seen after the last is drawn."""
    if len(actions) > 1:
        environment.step(actions[:-1], [])
    return environment.step(actions[-1:], look)[-1]
