"""A policy as the proposer of a loop: what it is told, and how its answer becomes the candidates of a decision.

The policy is a service and may be a stranger's. It is asked with what the agent sees, and each of its plans is looked
at before it is imagined or executed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Protocol, Sequence, Tuple, runtime_checkable

from harness.contracts.actions import STOP, Action, ActionSpace, Candidate
from harness.contracts.digest import array_digest
from harness.contracts.episodes import Episode
from harness.contracts.errors import ProposalError
from harness.contracts.field_limits import MAX_ACTIONS
from harness.contracts.observations import View, ViewRequest
from harness.contracts.policies import (
    NOT_EXECUTABLE,
    ProposalRecord,
    ProposalReply,
    ProposalRequest,
    Proposed,
    felt,
    wrong_in,
)
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds

_NO_CANDIDATE = -1


@dataclass(frozen=True, eq=False)
class Seen:
    """What an agent knows where it decides: what it sees by camera name, the picture that it is asked with, and the
    numbers of its observation, of which only those that a body feels go any further."""

    views: Mapping[str, View]
    prompt: View
    info: Mapping[str, float]


@runtime_checkable
class SeeingProposer(Protocol):
    """A proposer that looks: it names what it wants to see, and is given that with every decision."""

    @property
    def views(self) -> Sequence[ViewRequest]: ...

    def propose_seeing(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds, seen: Seen) -> Proposal:
        """Return the proposal of decision number ``decision``."""


@dataclass(frozen=True)
class Asked:
    """What a policy is asked in one episode in ``words``, and which actions follow ``after`` every plan of it."""

    words: str = ""
    after: Tuple[Action, ...] = ()


@dataclass(frozen=True)
class PolicyUse:
    """How a task asks a policy.

    Its plans have at most ``longest`` actions. With ``looks_at_each`` the views after each action of a plan are
    imagined, else the last alone.
    """

    asked: Callable[[Episode], Asked]
    longest: int
    looks_at_each: bool = True


class Policy(Protocol):
    """The part of a policy's client that is needed here."""

    def propose(self, request: ProposalRequest) -> ProposalReply: ...


@dataclass(frozen=True)
class ChosenPolicy:
    """The policy of a run: its name, its client, how many plans it is asked for, and what it wants to see."""

    name: str
    client: Policy
    plans: int
    views: Tuple[ViewRequest, ...]

    def of(self, episode: Episode, use: PolicyUse, space: ActionSpace) -> PolicyProposer:
        """Return the proposer of one episode, which knows of it what the agent is told and no more."""
        return PolicyProposer(self, use.asked(episode), use, space)


class PolicyProposer:
    """Asks the policy once a decision. ``records`` are what came of it, for the episode's files."""

    def __init__(self, policy: ChosenPolicy, asked: Asked, use: PolicyUse, space: ActionSpace) -> None:
        self._policy, self._asked, self._use = policy, asked, use
        moving = tuple(primitive for primitive in space.primitives if primitive.name != STOP)
        self._space = ActionSpace(space.name, moving, space.vector_width)  # whether to stay is the reviser's to say
        self.records: List[ProposalRecord] = []

    @property
    def views(self) -> Sequence[ViewRequest]:
        """Return what the policy wants to see."""
        return self._policy.views

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Raise ProposalError: a policy proposes nothing unseen."""
        raise ProposalError(f"policy {self._policy.name!r} was asked without a view.", "Ask with `propose_seeing`.")

    def propose_seeing(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds, seen: Seen) -> Proposal:
        """Return the policy's plans, each with its end after its last action.

        ProposalError where it has none that can be executed.
        """
        request = self._request(decision, history, seeds, seen)
        began = time.perf_counter()
        reply = self._policy.client.propose(request)
        seconds = time.perf_counter() - began
        plans, failures = executable(reply, request.space)
        self.records.append(
            ProposalRecord(decision, request.digest(), request.seed, plans, failures, round(seconds, 3))
        )
        if not plans:
            counted = ", ".join(f"{kind} {count}" for kind, count in sorted(failures.items())) or "it gave no reason"
            raise ProposalError(
                f"policy {self._policy.name!r} had no plan in decision {decision}: {counted}.",
                "Look at its log; nothing is executed in the place of a plan.",
            )
        candidates = tuple(Candidate((*plan.actions, *self._asked.after)) for plan in plans)
        return Proposal(candidates, tuple(map(self._end, range(len(candidates)), candidates)))

    def _end(self, number: int, candidate: Candidate) -> End:
        last = len(candidate)
        return End(number, tuple(range(1 if self._use.looks_at_each else last, last + 1)), last)

    def _request(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds, seen: Seen) -> ProposalRequest:
        views = {wanted.camera: seen.views[wanted.camera] for wanted in self.views}
        shown = array_digest(next(iter(views.values())).rgb)
        return ProposalRequest(
            seed=seeds.request(shown, decision, _NO_CANDIDATE),
            plans=self._policy.plans,
            longest=self._use.longest,
            space=self._space,
            views=views,
            prompt=seen.prompt,
            words=self._asked.words,
            body=felt(seen.info),
            history=tuple(history[-MAX_ACTIONS:]),
        )


def executable(reply: ProposalReply, space: ActionSpace) -> Tuple[Tuple[Proposed, ...], Dict[str, int]]:
    """Return the plans whose actions are all of ``space``, and the failures with the others counted in."""
    fit = tuple(plan for plan in reply.plans if not any(wrong_in(action, space) for action in plan.actions))
    failures = dict(reply.failures)
    if len(fit) < len(reply.plans):
        failures[NOT_EXECUTABLE] = failures.get(NOT_EXECUTABLE, 0) + len(reply.plans) - len(fit)
    return fit, failures
