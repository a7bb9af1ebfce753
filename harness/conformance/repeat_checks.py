"""Checks of answers against each other: a rollout depends on its request alone."""

from __future__ import annotations

import numpy as np

from harness.conformance.plugin_under_test import Subject, difference
from harness.conformance.requests import STRAIGHT, TO_LEFT, renamed
from harness.conformance.results import REPORTED, SKIPPED, Outcome, verdict, worst

BATCH = 6
"""Requests of the batch that is compared with single requests (fewer where the manifest allows fewer)."""

STATELESS = "Keep no state between requests: the answer depends on the request alone."


def determinism(subject: Subject) -> Outcome:
    """The same request gives the same frames; a model that declares itself not deterministic may round otherwise."""
    request = subject.questions.request(TO_LEFT)
    first, *again = (subject.ask_one(request) for _ in range(3))
    apart = worst([difference(first, other) for other in again])
    note = "Equal requests with equal seeds gave other frames."
    step = "Draw all noise from a generator seeded with request.seed"
    step += ", or declare deterministic = false if only rounding differs." if subject.manifest.deterministic else "."
    return verdict(apart <= subject.repeat_tolerance, _apart(apart), _most(subject.repeat_tolerance), note, step)


def seed(subject: Subject) -> Outcome:
    """Another seed gives another sample where the manifest declares sampling steps; elsewhere it is reported."""
    one, other = (subject.ask_one(subject.questions.request(STRAIGHT, seed=value)) for value in (1, 2**63 + 11))
    apart = difference(one, other)
    if subject.manifest.steps == 0:
        return Outcome(REPORTED, _apart(apart), note="no sampling steps are declared, so a seed need not matter")
    return verdict(
        apart > 0.0,
        _apart(apart),
        "above 0",
        f"The manifest declares {subject.manifest.steps} sampling steps, but two seeds gave the same frames.",
        "Draw the initial noise from request.seed.",
    )


def batch(subject: Subject) -> Outcome:
    """A batch of K gives what K single requests give."""
    size = min(BATCH, subject.manifest.max_batch)
    if size < 2:
        return Outcome(SKIPPED, note="max_batch is 1")
    requests = subject.questions.different(size)
    together = subject.ask(requests)
    alone = [subject.ask_one(request) for request in requests]
    apart = worst([difference(a, b) for a, b in zip(together, alone, strict=True)])
    return verdict(
        apart <= subject.batch_tolerance,
        f"batch of {size}: {_apart(apart)}",
        _most(subject.batch_tolerance),
        "Rollouts of a batch are not those of single requests.",
        "Return each rollout under its request's id with noise from its own seed; if only rounding differs, declare "
        "settings.batch_tolerance.",
    )


def order(subject: Subject) -> Outcome:
    """Neither the order of a batch nor the ids of its requests change a rollout."""
    size = max(min(BATCH, subject.manifest.max_batch), 2)
    requests = subject.questions.different(size)
    shuffle = np.random.default_rng(5).permutation(size)[::-1]
    expected = subject.ask(requests)
    mixed = subject.ask([renamed(requests[index], 1000 + 7 * place) for place, index in enumerate(shuffle)])
    apart = worst([difference(mixed[place], expected[index]) for place, index in enumerate(shuffle)])
    return verdict(
        apart <= subject.batch_tolerance,
        _apart(apart),
        _most(subject.batch_tolerance),
        "The order of a batch, or the ids, changed its rollouts.",
        STATELESS,
    )


def history(subject: Subject) -> Outcome:
    """The first questions of all, asked again after everything else, have the same answers."""
    if not subject.first:
        return Outcome(SKIPPED, note="the first requests failed (shapes)")
    again = [subject.questions.request(plan, seed=7 + n, id=n) for n, plan in enumerate((STRAIGHT, TO_LEFT))]
    apart = worst([difference(subject.ask_one(r), f) for r, f in zip(again, subject.first, strict=True)])
    return verdict(
        apart <= subject.repeat_tolerance,
        f"after {len(subject.seconds)} calls: {_apart(apart)}",
        _most(subject.repeat_tolerance),
        "What was asked before changed the answer.",
        STATELESS,
    )


def _apart(value: float) -> str:
    return f"{value:.2g} grey levels apart"


def _most(value: float) -> str:
    return f"at most {value:g}"
