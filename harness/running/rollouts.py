"""How many rollouts a run may ask for, before anything is played."""

from __future__ import annotations

from harness.planning.seeding import EpisodeSeeds
from harness.records.identity import RunIdentity
from tasks.registry import load_task
from tasks.suite import load_suite


def rollouts_at_most(identity: RunIdentity) -> int:
    """Return how many candidates an episode of a run has in all its decisions."""
    tier = load_suite(identity.suite, identity.task).tier(identity.tier)
    first = (
        load_task(identity.task)
        .parts.make_proposer(tier.loop.proposer, tier.action_space)
        .propose(0, (), EpisodeSeeds(0, ""))
    )
    return len(first.candidates) * tier.loop.decisions
