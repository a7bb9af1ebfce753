"""The client of a policy: as one of a world model, it ends every call before its deadline, with a right answer or an
error of the contract."""

from __future__ import annotations

from typing import Optional

from harness.contracts.errors import Refusal
from harness.contracts.field_limits import FIX_SENDER
from harness.contracts.manifests import ModelManifest
from harness.contracts.policies import ProposalReply, ProposalRequest
from harness.wire.channel import Connection, Deadlines, reading_reply
from harness.wire.client import Socket, described_model
from harness.wire.codec.policies import read_reply, write_request


class PolicyClient:
    """The policy behind ``socket``.

    ``expected`` is the manifest that the run was planned with: another one raises SpecMismatch at the first call.
    ``deadlines.imagine_s`` is how long a proposal may take: it is the plugin's work, as a rollout is.
    """

    def __init__(
        self, socket: Socket, deadlines: Optional[Deadlines] = None, expected: Optional[ModelManifest] = None
    ) -> None:
        self._connection = Connection(socket, "Policy")
        self._deadlines = deadlines or Deadlines()
        self._expected = expected
        if expected is not None:
            self._connection.name = f"policy {expected.name!r}"

    def describe(self) -> ModelManifest:
        """Shake hands and return the policy's manifest."""
        return described_model(self._connection, self._deadlines.describe_s, self._expected)

    def propose(self, request: ProposalRequest) -> ProposalReply:
        """Return the plans of one decision: at most as many as were wanted, none longer than was wanted."""
        deadline_s, option = self._deadlines.imagine_s, self._deadlines.imagine_option
        data = self._connection.unary("Propose", write_request(request).serialized(), deadline_s, option)
        with reading_reply(self._connection.name, "Propose"):
            reply = read_reply(data)
            check_proposal(reply, request)
        return reply

    def close(self) -> None:
        """Close the channel; the policy lives on until its runtime stops it."""
        self._connection.close()


def check_proposal(reply: ProposalReply, request: ProposalRequest) -> None:
    """Raise Refusal for more plans, or longer ones, than were wanted. What their actions are is the caller's to say."""
    if len(reply.plans) > request.plans:
        raise Refusal(f"it has {len(reply.plans)} plans; {request.plans} were wanted.", FIX_SENDER)
    for number, plan in enumerate(reply.plans):
        if len(plan.actions) > request.longest:
            what = f"plan {number} has {len(plan.actions)} actions; at most {request.longest} were wanted."
            raise Refusal(what, FIX_SENDER)
