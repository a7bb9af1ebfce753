"""Probes for cheats of a plugin that is not trusted: whether an answer depends on anything but its request.

`plugin check` leaves them out, since they start the service again and wait; a leaderboard asks them of a submission.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from harness.conformance.plugin_under_test import Subject, difference
from harness.conformance.repeat_checks import STATELESS
from harness.conformance.results import Outcome, verdict, worst
from harness.contracts.observations import RGB, View
from harness.contracts.rollouts import RolloutRequest
from harness.worldmodels.probe import STRAIGHT, TO_LEFT, renamed

CALLS = 6
NEARBY = 4
"""Every so many of the real views around a place are shown; they are a decimetre apart, forwards two."""

PAUSE_S = 1.1
"""Three questions so far apart lie in seconds of both parities, and in three different ones."""


def call_order(subject: Subject) -> Outcome:
    """Questions of several places, as of several episodes, have the same answers when they are asked in reverse."""
    requests = _run_of(subject)
    before = [subject.ask_one(request) for request in requests]
    again = [subject.ask_one(request) for request in reversed(requests)]
    return _same(subject, before, again[::-1], "The order of calls, or what was asked between, changed an answer.")


def leak_canary(subject: Subject) -> Outcome:
    """A view that no home shows leaves no trace in the answer to the next question, nor in its earlier views; and what
    was really seen ahead, asked from in between, is not what a question is answered with."""
    request, ahead = subject.probe.request(TO_LEFT), subject.probe.request(STRAIGHT)
    before = [subject.ask_one(request), subject.ask_one(ahead)]
    subject.ask_one(_canary(subject, request))
    again = [subject.ask_one(request)]
    for view in subject.probe.nearby(0)[::NEARBY]:
        subject.ask_one(subject.probe.request(TO_LEFT, view=view))
    again.append(subject.ask_one(ahead))
    return _same(subject, before, again, "A picture of one request reached another's answer.")


def clock(subject: Subject) -> Outcome:
    """The same question has the same answer a second and two later, with nothing asked between."""
    request = subject.probe.request(STRAIGHT, 1)
    first = subject.ask_one(request)
    later = []
    for _ in range(2):
        time.sleep(PAUSE_S)
        later.append(subject.ask_one(request))
    return _same(subject, [first] * 2, later, "The time of day changed an answer.")


def restart(subject: Subject) -> Outcome:
    """After a restart, as between episodes, the first question has the answer that it had in the middle of a run; so
    have the others, asked in another order."""
    requests = _run_of(subject)
    before = [subject.ask_one(request) for request in requests]
    subject.stop()
    again = [subject.ask_one(request) for request in reversed(requests)]
    return _same(subject, before, again[::-1], "A service that was just started answers otherwise than one in a run.")


def _run_of(subject: Subject) -> list[RolloutRequest]:
    """Return what a run asks one by one: the questions of several decisions, each in its own place."""
    return [renamed(request, 0) for request in subject.probe.different(CALLS)]


def _canary(subject: Subject, request: RolloutRequest) -> RolloutRequest:
    noise: RGB = np.random.default_rng(7).integers(0, 256, request.view.shape, dtype=np.uint8)
    made = subject.probe.request(TO_LEFT, view=View(request.camera, noise))
    return replace(made, context=tuple(replace(view, rgb=noise) for view in made.context))


def _same(subject: Subject, before: list[RGB], again: list[RGB], note: str) -> Outcome:
    apart = worst([difference(one, other) for one, other in zip(before, again, strict=True)])
    limit = subject.repeat_tolerance
    return verdict(apart <= limit, f"{apart:.2g} grey levels apart", f"at most {limit:g}", note, STATELESS)
