"""Whether a suite, and the environment that plays it, can play a reference or a simulator with planted errors."""

from __future__ import annotations

from harness.contracts.errors import Refusal
from harness.contracts.manifests import NONE, ModelManifest
from harness.contracts.motion_errors import NO_ERROR
from harness.contracts.names import nearest
from harness.runtimes.environments import LOOKAHEAD, declared_environments
from harness.worldmodels.planted_errors import planted_errors
from tasks.registry import load_task
from tasks.suite import Suite, Tier

ORACLE = "oracle"
"""The reviser that has to be told where candidates lead."""


def check_reference(manifest: ModelManifest, suite: Suite, tier: Tier) -> None:
    """Raise Refusal now for what the first decision would refuse.

    That is a model of kind ``none`` that the suite names no reviser for, so that nothing would choose; a score
    without its weights; and errors of motion or the oracle in an environment that cannot walk without moving.
    """
    loop, parts = tier.loop_for(manifest.name), load_task(suite.task).parts
    if manifest.kind == NONE and parts.imagines(loop):
        raise Refusal(
            f"suite {tier.suite} has no reference {manifest.name!r}, so nothing says how it chooses.",
            nearest(manifest.name, [reference.wm for reference in tier.references]),
        )
    parts.check_score(loop.score)
    if LOOKAHEAD in suite.played_by.capabilities:
        return
    if planted_errors(manifest).motion != NO_ERROR or loop.reviser.name == ORACLE:
        able = [environment for environment in declared_environments() if LOOKAHEAD in environment.capabilities]
        raise Refusal(
            f"{manifest.name} cannot be played in {suite.environment}: it does not tell where a body would be without "
            "moving it.",
            "\n".join(f"Play it in {environment.title}: --suite {environment.name}." for environment in able),
        )
