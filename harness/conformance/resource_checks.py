"""Checks of time and memory over many requests."""

from __future__ import annotations

import statistics
from typing import Callable

from harness.conformance.plugin_under_test import Subject
from harness.conformance.requests import AHEAD, SEED
from harness.conformance.results import REPORTED, SKIPPED, Outcome, verdict

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
    subject.ask_one(subject.questions.request((AHEAD,)))
    slow_s = subject.seconds[-1]
    count = max(min(REQUESTS, int(BUDGET_S / max(slow_s, 1e-3))), FEWEST)
    early = range(count // 4, count // 4 + SAMPLES)
    late = range(count - SAMPLES, count)
    held: dict[int, int] = {}
    for number in range(count):
        request = subject.questions.request((AHEAD,), seed=SEED + number, view=subject.questions.turned(number))
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
        subject.ask_one(subject.questions.request(seed=SEED + number))
        single.append(subject.seconds[-1])
    measured = f"{statistics.median(single):.3f} s a rollout of {len(subject.questions.request().frames)} frames"
    size = min(subject.manifest.max_batch, 8)
    if size > 1:
        subject.ask(subject.questions.different(size))
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
