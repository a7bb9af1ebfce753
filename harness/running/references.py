"""Whether a suite says how a reference that imagines nothing chooses."""

from __future__ import annotations

from harness.contracts.errors import Refusal
from harness.contracts.manifests import NONE, ModelManifest
from harness.contracts.names import nearest
from harness.planning.registry import imagines
from tasks.suite import Tier


def check_reference(manifest: ModelManifest, tier: Tier) -> None:
    """Raise Refusal for a model of kind ``none`` that the tier's suite names no reviser for: nothing would choose."""
    if manifest.kind == NONE and imagines(tier.loop_for(manifest.name)):
        raise Refusal(
            f"suite {tier.suite} has no reference {manifest.name!r}, so nothing says how it chooses.",
            nearest(manifest.name, [reference.wm for reference in tier.references]),
        )
