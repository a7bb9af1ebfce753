"""Which suites can judge what a world model of one kind of view imagines."""

from __future__ import annotations

from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.planning.registry import judges
from tasks.suite import Suite, Tier, list_suites, load_suite


def check_view(manifest: ModelManifest, suite: Suite, tier: Tier) -> None:
    """Raise Refusal where the tier's score cannot judge what the model imagines; say which tiers can.

    Comparing only the one heading that a perspective model shows would be another score under the same suite hash.
    """
    if judges(tier.loop_for(manifest.name), manifest.view):
        return
    able = [f"--suite {suite.family} --tier {name}" for name in _able(suite, manifest.view)]
    if not able:
        others = [load_suite(name, suite.task) for name in list_suites(suite.task) if name != suite.name]
        able = [f"--suite {other.family}" for other in others if plays_view(other, manifest.view)]
    known = f"Play it with {' or '.join(able)}, or try" if able else "Try"
    raise Refusal(
        f"{manifest.name} imagines {manifest.view} views, but {suite.name}/{tier.name} compares panoramas "
        f"(score {tier.loop.score.name!r}).",
        f"{known} the model alone: python benchmark.py plugin check {manifest.name}",
    )


def plays_view(suite: Suite, view: str) -> bool:
    """Say whether the suite's default tier can be played with models of this kind of view."""
    return judges(suite.tier().loop, view)


def _able(suite: Suite, view: str) -> list[str]:
    return [name for name, tier in suite.tiers.items() if judges(tier.loop, view)]
