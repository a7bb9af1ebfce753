"""From what the bank keeps of a state to the state itself: images decoded, candidates made again and checked."""

from __future__ import annotations

from harness.contracts.errors import SpecMismatch
from harness.contracts.observations import View
from harness.planning.bank_states import DecisionState
from harness.planning.parts import Parts
from harness.planning.seeding import EpisodeSeeds
from tasks.bank_files import SEED, Bank, BankedState, digest_of_choices
from tasks.suite import Suite


def frozen_state(bank: Bank, kept: BankedState, parts: Parts, suite: Suite) -> DecisionState:
    """Return a state of the bank, with the candidates and ends that the loop's proposer offers in it.

    SpecMismatch where they are not those whose truth the bank holds: distances of other ends would mean nothing.
    """
    config = parts.config
    history = tuple(action for actions in kept.executed for action in actions)
    proposal = parts.proposer.propose(kept.decision, history, EpisodeSeeds(SEED, kept.episode))
    ends = parts.memory(proposal, kept.executed)
    found = digest_of_choices(proposal, ends)
    if found != kept.choices or len(ends) != len(kept.end_distances_m):
        raise SpecMismatch(
            f"the proposer {config.proposer.name!r} offers {len(ends)} ends ({found[:12]}) in state {kept.id}, the "
            f"bank holds {len(kept.end_distances_m)} ({kept.choices[:12]}).",
            "Use the version of this project that made the bank.",
        )
    return DecisionState(
        episode=kept.episode,
        home=kept.home,
        decision=kept.decision,
        executed=kept.executed,
        view=View(suite.rig.camera(config.agent_camera), bank.image(kept.view)),
        prompt=View(suite.rig.camera(config.goal_camera), bank.image(kept.goal)),
        proposal=proposal,
        ends=ends,
        pose=kept.pose,
        end_distances_m=kept.end_distances_m,
        distance_m=kept.distance_m,
    )
