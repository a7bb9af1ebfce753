"""How much of a tier's search a run may leave out: checked while it is planned."""

from __future__ import annotations

from harness.contracts.errors import Refusal
from harness.contracts.search import Search
from harness.running.run_options import RunOptions
from tasks.suite import Tier


def choose_search(options: RunOptions, tier: Tier, wm: str) -> Search:
    """Return the search that was asked for; Refusal where the tier, or the world model ``wm``, has none such."""
    share = options.wm_share
    if options.candidates is not None and not 1 <= options.candidates <= tier.candidates:
        raise Refusal(
            f"--candidates {options.candidates} is not in 1..{tier.candidates}: so many has a decision of "
            f"{tier.suite}/{tier.name}.",
            "Leave it out to search all of them.",
        )
    if share is not None and not 0.0 <= share <= 1.0:
        raise Refusal(
            f"--wm-share {share:g} is not in 0..1.", "Give the share of decisions in which the model is asked, as 0.5."
        )
    if share is not None and not tier.asks_model(wm):
        raise Refusal(f"{wm} asks no world model in any decision.", "Leave out --wm-share.")
    return Search(options.candidates, share)
