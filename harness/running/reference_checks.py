"""Whether a suite, and the environment that plays it, can play a reference or a simulator with planted errors."""

from __future__ import annotations

from typing import Tuple

from harness.contracts.errors import Refusal
from harness.contracts.manifests import ENVIRONMENT, NONE, ModelManifest
from harness.contracts.motion_errors import NO_ERROR
from harness.contracts.names import nearest
from harness.planning.registry import check_score, imagines
from harness.runtimes.environments import declared_environments
from harness.wire.sdk import CAPABILITIES
from harness.worldmodels.planted_errors import planted_errors
from tasks.registry import load_task
from tasks.suite import Suite, Tier

ORACLE = "oracle"
"""The reviser that has to be told where candidates lead."""


def check_reference(manifest: ModelManifest, suite: Suite, tier: Tier) -> None:
    """Raise Refusal now for what the first decision would refuse.

    That is a model of kind ``none`` that the suite names no reviser for, so that nothing would choose; a score
    without its weights; and a task, the oracle or the simulator's own imagining in an environment without the
    capabilities for it.
    """
    loop = tier.loop_for(manifest.name)
    if manifest.kind == NONE and imagines(loop):
        raise Refusal(
            f"suite {tier.suite} has no reference {manifest.name!r}, so nothing says how it chooses.",
            nearest(manifest.name, [reference.wm for reference in tier.references]),
        )
    check_score(loop.score)
    declared = suite.played_by.capabilities
    for who, names in (
        (f"task {suite.task}", load_task(suite.task).needs),
        (manifest.name, capabilities_of_model(manifest, tier)),
    ):
        lacking = [name for name in names if name not in declared]
        if lacking:
            able = [found for found in declared_environments() if set(names) <= set(found.capabilities)]
            raise Refusal(
                f"{who} cannot be played in {suite.environment}: it {CAPABILITIES[lacking[0]].missing}",
                "\n".join(f"Play it in {environment.title}: --suite {environment.name}." for environment in able),
            )


def capabilities_of_model(manifest: ModelManifest, tier: Tier) -> Tuple[str, ...]:
    """Return what an environment must be capable of for a world model or reference: the simulator itself imagines."""
    names = []
    if manifest.kind == ENVIRONMENT:
        names.append("imagining" if planted_errors(manifest).motion == NO_ERROR else "motion_errors")
    if tier.loop_for(manifest.name).reviser.name == ORACLE:
        names.append("lookahead")
    return tuple(names)
