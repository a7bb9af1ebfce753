"""Checks over many requests: a rollout depends on its request alone; time and memory."""

from __future__ import annotations

import statistics
from typing import Callable

import numpy as np

from harness.conformance.plugin_under_test import Subject, difference
from harness.conformance.results import REPORTED, SKIPPED, Outcome, verdict, worst
from harness.worldmodels.probe import AHEAD, SEED, STRAIGHT, TO_LEFT, renamed

BATCH = 6
"""Requests of the batch that is compared with single requests (fewer where the manifest allows fewer)."""

STATELESS = "Keep no state between requests: the answer depends on the request alone."


def determinism(subject: Subject) -> Outcome:
    """The same request gives the same frames; a model that declares itself not deterministic may round otherwise."""
    request = subject.probe.request(TO_LEFT)
    first, *again = (subject.ask_one(request) for _ in range(3))
    apart = worst([difference(first, other) for other in again])
    note = "Equal requests with equal seeds gave other frames."
    step = "Draw all noise from a generator seeded with request.seed"
    step += ", or declare deterministic = false if only rounding differs." if subject.manifest.deterministic else "."
    return verdict(apart <= subject.repeat_tolerance, _apart(apart), _most(subject.repeat_tolerance), note, step)


def seed(subject: Subject) -> Outcome:
    """Another seed gives another sample where the manifest declares sampling steps; elsewhere it is reported."""
    one, other = (subject.ask_one(subject.probe.request(STRAIGHT, seed=value)) for value in (1, 2**63 + 11))
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
    """A batch of K gives what K single requests give; of a plugin that declares ``batch_invariant``, smaller ones too,
    to the last bit."""
    size = min(BATCH, subject.manifest.max_batch)
    promised = subject.target.entry.batch_invariant
    if size < 2:
        return Outcome(SKIPPED, note="max_batch is 1")
    requests = subject.probe.different(size)
    alone = [subject.ask_one(request) for request in requests]
    sizes = sorted({2, size // 2 + 1, size}) if promised else [size]
    apart = worst([difference(a, b) for k in sizes for a, b in zip(subject.ask(requests[:k]), alone[:k], strict=True)])
    step = "Return each rollout under its request's id with noise from its own seed; if only rounding differs, "
    step += "leave out batch_invariant." if promised else "declare settings.batch_tolerance."
    return verdict(
        apart <= subject.mixed_tolerance,
        f"batch of {', '.join(map(str, sizes))}: {_apart(apart)}",
        _most(subject.mixed_tolerance),
        "Rollouts of a batch are not those of single requests.",
        step,
    )


def order(subject: Subject) -> Outcome:
    """Neither the order of a batch nor the ids of its requests change a rollout."""
    size = max(min(BATCH, subject.manifest.max_batch), 2)
    requests = subject.probe.different(size)
    shuffle = np.random.default_rng(5).permutation(size)[::-1]
    expected = subject.ask(requests)
    mixed = subject.ask([renamed(requests[index], 1000 + 7 * place) for place, index in enumerate(shuffle)])
    apart = worst([difference(mixed[place], expected[index]) for place, index in enumerate(shuffle)])
    return verdict(
        apart <= subject.mixed_tolerance,
        _apart(apart),
        _most(subject.mixed_tolerance),
        "The order of a batch, or the ids, changed its rollouts.",
        STATELESS,
    )


def history(subject: Subject) -> Outcome:
    """The first questions of all, asked again after everything else, have the same answers."""
    if not subject.first:
        return Outcome(SKIPPED, note="the first requests failed (shapes)")
    again = [subject.probe.request(plan, seed=7 + n, id=n) for n, plan in enumerate((STRAIGHT, TO_LEFT))]
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


REQUESTS = 200
FEWEST = 40
BUDGET_S = 600.0
"""How long the requests of the memory check may take; slow models are asked fewer times, and the report says so."""

MOST_GROWTH = 0.1
"""MB a request. 200 requests of a normal episode's worth may not cost 20 MB; freed memory that a library keeps is
less, and settles before the first of the two measurements."""

MB = 1e6
SAMPLES = 5


def memory(subject: Subject, progress: Callable[[str], None]) -> Outcome:
    """The service's memory stays as it is over 200 requests, all of them new ones."""
    subject.ask_one(subject.probe.request((AHEAD,)))
    slow_s = subject.seconds[-1]
    count = max(min(REQUESTS, int(BUDGET_S / max(slow_s, 1e-3))), FEWEST)
    early = range(count // 4, count // 4 + SAMPLES)
    late = range(count - SAMPLES, count)
    held: dict[int, int] = {}
    for number in range(count):
        request = subject.probe.request((AHEAD,), seed=SEED + number, view=subject.probe.turned(number))
        subject.ask_one(request)
        if number in early or number in late:
            held[number] = subject.memory_bytes()
        if number % 20 == 0:
            progress(f"{number}/{count} requests")
    before = statistics.median(held[number] for number in early)
    after = statistics.median(held[number] for number in late)
    growth = (after - before) / MB / (late[0] - early[0])
    return verdict(
        growth <= MOST_GROWTH,
        f"{growth:+.3f} MB a request over {count}, {after / MB:.0f} MB held",
        f"at most {MOST_GROWTH:g} MB a request",
        "Memory grows with every request.",
        "Keep nothing of a request: look for caches without a bound, kept tensors and lists.",
    )


def speed(subject: Subject) -> Outcome:
    """Seconds a rollout, alone and in a batch; there is no limit, since models differ by orders of magnitude."""
    single = []
    for number in range(3):
        subject.ask_one(subject.probe.request(seed=SEED + number))
        single.append(subject.seconds[-1])
    measured = f"{statistics.median(single):.3f} s a rollout of {len(subject.probe.request().frames)} frames"
    size = min(subject.manifest.max_batch, 8)
    if size > 1:
        subject.ask(subject.probe.different(size))
        measured += f"; {subject.seconds[-1] / size:.3f} s each in a batch of {size}"
    return Outcome(REPORTED, f"{measured}; first call {subject.seconds[0]:.1f} s")


def deadline(subject: Subject) -> Outcome:
    """Every answer of the whole check came before the deadline of a call."""
    if not subject.seconds:
        return Outcome(SKIPPED, note="nothing was asked")
    longest = max(subject.seconds)
    return verdict(
        subject.late == 0,
        f"{subject.late} late of {len(subject.seconds)} calls, longest {longest:.2f} s",
        f"{subject.deadline_s:g} s a call",
        "An answer that comes late ends the episode with an error.",
        "Make the rollout cheaper (steps, size, dtype), or give the machine that it needs.",
    )
