"""The checks of a policy: what it promises as a service, tried on the service.

Whether its plans are any good is a run's to say. A policy that costs money is asked as seldom as one that does not:
some twenty times.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Callable, Mapping, Sequence

from harness.conformance.results import FAILED, PASSED, REPORTED, SKIPPED, Fault, Outcome, verdict
from harness.conformance.service_under_test import ServiceUnderTest
from harness.conformance.target import Target
from harness.contracts.actions import NAVIGATION, ActionSpace, discrete7_space, ee_pose8_space, navigation_space
from harness.contracts.errors import LimitExceeded, Refusal, WiwError
from harness.contracts.observations import View
from harness.contracts.policies import ProposalReply, ProposalRequest, Proposed, wanted_views, wrong_in
from harness.wire.channel import Connection
from harness.wire.codec.messages import PROTOCOL_VERSION
from harness.wire.policy_client import PolicyClient
from harness.worldmodels.conditioning import ACTION_SPACE
from harness.worldmodels.panorama import front_crop
from harness.worldmodels.probe import Place

PLANS, LONGEST = 3, 5
ARM_HFOV_DEG, ARM_SIZE = 40.0, (128, 128)
ARM_BODY: Mapping[str, float] = {
    "ee.x": 0.3, "ee.y": 0.0, "ee.z": 1.2, "ee.qw": 0.0, "ee.qx": 0.0, "ee.qy": 1.0, "ee.qz": 0.0, "gripper_open": 1.0,
}  # fmt: skip
"""A hand that looks down, over the middle of the table."""

SPACES: Mapping[str, ActionSpace] = {
    space.name: space for space in (discrete7_space(), ee_pose8_space(), navigation_space())
}
BROKEN_MESSAGES = (b"\xff" * 7, b"\x0a\x05ab", b"\x12")

STATELESS = "Make every plan from its own request and seed; keep nothing between calls."


class PolicySubject(ServiceUnderTest[PolicyClient]):
    """One policy behind its service, asked from real ``places``."""

    def __init__(self, target: Target, places: Sequence[Place], deadline_s: float, start_s: float, log: Path) -> None:
        super().__init__(target, PolicyClient, deadline_s, start_s, log)
        self.places = places

    @property
    def space(self) -> ActionSpace:
        """The space that it is asked for: its own, or ``discrete7`` where it takes any; Fault for an unknown one."""
        named = str(self.manifest.settings.get(ACTION_SPACE) or discrete7_space().name)
        if named not in SPACES:
            raise Fault(f"settings.{ACTION_SPACE} is {named!r}.", f"Known: {', '.join(SPACES)}.")
        return SPACES[named]

    def request(self, place: int = 0, seed: int = 7) -> ProposalRequest:
        """Return what is asked at a place: to go to, or to bring things to, what the next place shows."""
        walks = self.space.name == NAVIGATION
        here, there = (self._view(number) for number in (place, place + 1))
        cameras = wanted_views(self.manifest.settings, here.camera.name)
        return ProposalRequest(
            seed=seed,
            plans=PLANS,
            longest=LONGEST,
            space=self.space,
            views={wanted.camera: here for wanted in cameras},
            prompt=there,
            words="Go to the place in the picture." if walks else "Make it look as in the picture.",
            body={} if walks else ARM_BODY,
        )

    def ask(self, request: ProposalRequest) -> ProposalReply:
        """Return the reply of one request."""
        client = self.client
        with self._timed():
            return client.propose(request)

    def plans(self, request: ProposalRequest) -> tuple[Proposed, ...]:
        """Return the plans of one request; Fault where there is none."""
        reply = self.ask(request)
        if not reply.plans:
            counted = ", ".join(f"{kind} {count}" for kind, count in sorted(reply.failures.items()))
            raise Fault(f"it proposed nothing: {counted or 'and gave no reason'}.", "Look at its log.")
        return reply.plans

    def _view(self, place: int) -> View:
        view = self.places[place % len(self.places)].view
        return view if self.space.name == NAVIGATION else front_crop(view, ARM_SIZE, ARM_HFOV_DEG)


def handshake(subject: PolicySubject) -> Outcome:
    """The service starts, speaks this protocol, and declares the manifest that its folder or image holds."""
    subject.client.describe()
    return Outcome(PASSED, f"protocol {PROTOCOL_VERSION}, ready in {subject.started_s:.1f} s", f"{subject.start_s:g} s")


def plans(subject: PolicySubject) -> Outcome:
    """Each plan has actions of the space that was asked for, and no more of them than was asked for."""
    found = [plan for place in range(2) for plan in subject.plans(subject.request(place))]
    wrong = [said for plan in found for action in plan.actions if (said := wrong_in(action, subject.space))]
    lengths = sorted(len(plan.actions) for plan in found)
    return verdict(
        not wrong,
        f"{len(found)} plans of {lengths[0]} to {lengths[-1]} actions, {len(wrong)} actions wrong",
        f"at most {PLANS} of at most {LONGEST}",
        wrong[0] if wrong else "",
        "Propose actions of request.space alone; what cannot be executed is left out and counted.",
    )


def determinism(subject: PolicySubject) -> Outcome:
    """The same request twice more: the same plans, where the manifest says so."""
    first, *again = (subject.plans(subject.request()) for _ in range(3))
    same = all(plans == first for plans in again)
    if not subject.manifest.deterministic:
        return Outcome(REPORTED, "the same plans" if same else "other plans", note="deterministic = false is declared")
    return verdict(
        same, "the same plans" if same else "other plans", "the same plans", "Two answers differ.", STATELESS
    )


def seed(subject: PolicySubject) -> Outcome:
    """Whether another seed gives other plans."""
    one, other = (subject.plans(subject.request(seed=number)) for number in (7, 8))
    return Outcome(REPORTED, "other plans" if one != other else "the same plans for another seed")


def view_used(subject: PolicySubject) -> Outcome:
    """Whether another view and another picture give other plans."""
    one, other = (subject.plans(subject.request(place)) for place in (0, 1))
    return Outcome(REPORTED, "other plans" if one != other else "the same plans at another place")


def order(subject: PolicySubject) -> Outcome:
    """Questions asked in reverse, as of other episodes, have the same answers."""
    if not subject.manifest.deterministic:
        return Outcome(SKIPPED, note="deterministic = false is declared")
    requests = [subject.request(place) for place in range(2)]
    before = [subject.plans(request) for request in requests]
    again = [subject.plans(request) for request in reversed(requests)][::-1]
    return verdict(
        before == again, "the same plans" if before == again else "other plans", "the same plans",
        "What was asked before changed an answer.", STATELESS,
    )  # fmt: skip


def one_plan(subject: PolicySubject) -> Outcome:
    """One plan of one action is asked for, and no more is answered."""
    found = subject.plans(replace(subject.request(), plans=1, longest=1))
    return Outcome(PASSED, f"{len(found)} plan of {len(found[0].actions)} action", "1 of 1")


def bad_messages(subject: PolicySubject) -> Outcome:
    """Half a message, no message and no request are refused, and the service lives on."""
    subject.client.describe()
    connection = Connection(subject.service.socket, "Policy")
    try:
        for message in BROKEN_MESSAGES:
            try:
                connection.unary("Propose", message, subject.deadline_s)
            except (Refusal, LimitExceeded):
                continue
            except WiwError as error:
                return Outcome(FAILED, f"{message!r}: {error.what}"[:120], "refused", error=str(error))
            return Outcome(FAILED, f"{message!r} was answered", "refused", next_step="Leave the wire to the SDK.")
    finally:
        connection.close()
    subject.plans(subject.request())
    return Outcome(PASSED, f"{len(BROKEN_MESSAGES)} refused", "refused, and it lives on")


def speed(subject: PolicySubject) -> Outcome:
    """Seconds of a proposal."""
    began = time.monotonic()
    subject.plans(subject.request(1, 11))
    return Outcome(REPORTED, f"{time.monotonic() - began:.2f} s a proposal of {PLANS} plans")


def deadline(subject: PolicySubject) -> Outcome:
    """No call of the whole check was late."""
    longest = max(subject.seconds, default=0.0)
    return verdict(subject.late == 0, f"longest {longest:.2f} s", f"{subject.deadline_s:g} s", f"{subject.late} late")


POLICY_CHECKS: Mapping[str, Callable[[PolicySubject], Outcome]] = {
    "handshake": handshake,
    "plans": plans,
    "one plan": one_plan,
    "determinism": determinism,
    "order": order,
    "seed": seed,
    "view used": view_used,
    "bad messages": bad_messages,
    "speed": speed,
    "deadline": deadline,
}
