"""Plans that stand in a JSON file: digest of the picture that is asked for -> plans, seven whole numbers an action."""

from __future__ import annotations

import json
from pathlib import Path

from harness.contracts.actions import Vector
from harness.contracts.digest import array_digest
from harness.contracts.manifests import ModelManifest
from harness.wire.sdk import Policy, ProposalReply, ProposalRequest, Proposed


class Scripted(Policy):
    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self._table = json.loads(Path(str(manifest.settings["table"])).read_text())

    def propose(self, request: ProposalRequest) -> ProposalReply:
        assert request.prompt is not None and request.body["gripper_open"] in (0.0, 1.0)
        plans = self._table[array_digest(request.prompt.rgb)]
        return ProposalReply(
            tuple(
                Proposed(tuple(Vector(request.space.name, tuple(map(float, goal))) for goal in plan)) for plan in plans
            )
        )
