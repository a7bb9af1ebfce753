"""The proposer of the toy task as a policy: a step ahead, and a step back. ``settings.does`` says what else it does."""

from __future__ import annotations

import os
import time

from harness.contracts.actions import FORWARD, TURN_LEFT, Primitive
from harness.contracts.errors import EpisodeError
from harness.wire.sdk import Policy, ProposalReply, ProposalRequest, Proposed


class BothWays(Policy):
    def propose(self, request: ProposalRequest) -> ProposalReply:
        does = str(self.manifest.settings["does"])
        known = {primitive.name: primitive for primitive in request.space.primitives}
        ahead, turn = known[FORWARD], known[TURN_LEFT]
        plans = (Proposed((ahead,), "one on"), Proposed((turn, ahead), "one back"))
        if does == "gives nothing":
            return ProposalReply((), {"not_json": 3, "no_answer": 1})
        if does == "cannot":
            raise EpisodeError("there is no lamp to be seen.", "Show one.")
        if does == "breaks":
            raise RuntimeError("a bug of the policy")
        if does == "dies":
            os._exit(3)
        if does == "hangs":
            time.sleep(600.0)
        if does == "gives too many":
            return ProposalReply(plans * request.plans)
        if does == "jumps":
            return ProposalReply((Proposed((Primitive("jump", 9.0),)),))
        if does == "remembers":
            self.asked = getattr(self, "asked", 0) + 1
            return ProposalReply((plans[self.asked % 2],)[: request.plans])
        return ProposalReply(tuple(plan for plan in plans if len(plan.actions) <= request.longest)[: request.plans])
