"""What a policy is asked, and what it answers: the proposer of a loop as a service of its own.

A request carries what an agent may know: what it sees, what it is asked with, what its body feels, what it did, and a
seed. No episode id, no distance and no candidate of anybody else ever appears here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Mapping, Optional, Tuple

from harness.contracts.actions import DISCRETE7, Action, ActionSpace, Primitive, Vector
from harness.contracts.arm_poses import discrete_pose
from harness.contracts.digest import array_digest, digest
from harness.contracts.errors import Refusal
from harness.contracts.field_limits import (
    MAX_ACTIONS,
    MAX_NUMBERS,
    MAX_TAGS,
    Count,
    Few,
    Name,
    Note,
    NotNan,
    NotNegative,
    Whole,
)
from harness.contracts.observations import View, ViewRequest
from harness.contracts.rollouts import Id

MAX_PLANS = 64

CAMERAS = "cameras"
"""The setting of a policy that names what it wants to see: cameras with blanks between, ``front+depth wrist``."""
NOT_EXECUTABLE = "not_executable"
"""The kind of failure of a plan with an action that its space does not have."""

_FELT = re.compile(r"ee\.\w+|gripper_open")


@dataclass(frozen=True, eq=False)
class ProposalRequest:
    """One decision: ``plans`` action sequences are wanted, of at most ``longest`` actions of ``space`` each.

    ``views`` are what is seen now by camera name, the agent's camera first, then those that the policy's manifest
    names; ``prompt`` is the picture that the agent is asked with (None: there is none) and ``words`` the same in words
    ("" : none). ``body`` are the numbers that the body feels (``ee.*`` in metres and as a quaternion, and
    ``gripper_open`` of an arm; none of a body that walks). ``history`` holds the latest actions that were commanded in
    this episode, the oldest first. All randomness comes from ``seed``.
    """

    seed: Id
    plans: Annotated[int, Whole(1, MAX_PLANS)]
    longest: Annotated[int, Whole(1, MAX_ACTIONS)]
    space: ActionSpace
    views: Mapping[str, View]
    prompt: Optional[View] = None
    words: Note = ""
    body: Annotated[Mapping[Name, NotNan], Few(MAX_NUMBERS)] = field(default_factory=dict)
    history: Annotated[Tuple[Action, ...], Few(MAX_ACTIONS)] = ()

    def digest(self) -> str:
        """Return the hash of all that is asked but the seed: two requests of equal digest see and know the same."""
        seen = {name: array_digest(view.rgb) for name, view in self.views.items()}
        shown = "" if self.prompt is None else array_digest(self.prompt.rgb)
        asked = (self.plans, self.longest, self.space, self.words, self.body, self.history)
        return digest([seen, shown, *asked])


@dataclass(frozen=True)
class Proposed:
    """One plan: its actions, and what the policy says of it (for people and the record; nothing goes by it)."""

    actions: Annotated[Tuple[Action, ...], Few(MAX_ACTIONS, least=1)]
    words: Note = ""


@dataclass(frozen=True)
class ProposalReply:
    """The plans, at most as many as were wanted, and what came of the tries that gave none.

    ``failures`` counts tries by kind, such as ``not_json``: a policy that needed three tries for a plan says so. A
    decision without a plan has none of them, never a random one. ``timings`` are seconds by phase.
    """

    plans: Annotated[Tuple[Proposed, ...], Few(MAX_PLANS)]
    failures: Annotated[Mapping[Name, Count], Few(MAX_TAGS)] = field(default_factory=dict)
    timings: Annotated[Mapping[Name, NotNegative], Few(MAX_NUMBERS)] = field(default_factory=dict)


def wrong_in(action: Action, space: ActionSpace) -> str:
    """Return why ``action`` is none of ``space``, "" where it is one.

    Of ``discrete7`` that are whole numbers in 0..100, in 0..120, and 0 or 1.
    """
    if not space.allows(action):
        what = f"{action.name} {action.magnitude:g}" if isinstance(action, Primitive) else f"a {_width(action)}"
        return f"{what} is no action of {space.name}"
    if isinstance(action, Vector) and space.name == DISCRETE7:
        try:
            discrete_pose(action.values)
        except Refusal as refusal:
            return refusal.what.rstrip(".")
    return ""


def _width(action: Vector) -> str:
    return f"vector of {len(action.values)} numbers of {action.space!r}"


@dataclass(frozen=True)
class ProposalRecord:
    """What a policy was asked and answered in one decision, for the record: nothing goes by it.

    ``asked`` is the request's digest. ``plans`` are those that were imagined; what was not executable is counted among
    the ``failures``.
    """

    decision: int
    asked: str
    seed: int
    plans: Tuple[Proposed, ...]
    failures: Mapping[str, int]
    seconds: float


def felt(info: Mapping[str, float]) -> Mapping[str, float]:
    """Return of an observation's numbers those that a body feels itself; the others tell what is true of the scene."""
    return {name: info[name] for name in sorted(info) if _FELT.fullmatch(name)}


def wanted_views(settings: Mapping[str, object], agent_camera: str) -> Tuple[ViewRequest, ...]:
    """Return what a policy of these settings wants to see, the agent's camera first; Refusal for a word that is no
    camera."""
    wanted = {agent_camera: ViewRequest(agent_camera)}
    for word in str(settings.get(CAMERAS, "")).split():
        name, plus, channel = word.partition("+")
        if not name or (plus and channel != "depth"):
            raise Refusal(f"settings.{CAMERAS} has {word!r}.", "Name cameras, with depth as front+depth.")
        wanted[name] = ViewRequest(name, depth=bool(plus))
    return tuple(wanted.values())
