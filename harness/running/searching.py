"""How much of a tier's search a run may leave out: checked while it is planned."""

from __future__ import annotations

from harness.contracts.errors import Refusal
from harness.contracts.search import Search
from harness.planning.seeding import EpisodeSeeds
from harness.running.run_options import RunOptions
from tasks.registry import load_task
from tasks.suite import Tier


def choose_search(options: RunOptions, tier: Tier, wm: str) -> Search:
    """Return the search that was asked for; Refusal where the tier, or the world model ``wm``, has none such."""
    share = options.wm_share
    if options.candidates is not None and not 1 <= options.candidates <= candidates_of(tier):
        raise Refusal(
            f"--candidates {options.candidates} is not in 1..{candidates_of(tier)}: so many has a decision of "
            f"{tier.suite}/{tier.name}.",
            "Leave it out to search all of them.",
        )
    if share is not None and not 0.0 <= share <= 1.0:
        raise Refusal(
            f"--wm-share {share:g} is not in 0..1.", "Give the share of decisions in which the model is asked, as 0.5."
        )
    if share is not None and not asks_model(tier, wm):
        raise Refusal(f"{wm} asks no world model in any decision.", "Leave out --wm-share.")
    return Search(options.candidates, share)


def candidates_of(tier: Tier) -> int:
    """Return how many candidates a decision of a tier has."""
    proposer = load_task(tier.task).parts.make_proposer(tier.loop.proposer, tier.action_space)
    return len(proposer.propose(0, (), EpisodeSeeds(0, "")).candidates)


def asks_model(tier: Tier, wm: str) -> bool:
    """Say whether decisions with ``wm``, which may be a reference, go by what a world model imagines."""
    return load_task(tier.task).parts.imagines(tier.loop_for(wm))
