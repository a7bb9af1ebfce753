"""The four scenarios: when a query is asked, and when enough were asked.

They are LoadGen's, with a decision in the place of a sample. A measurement ends when it had both its queries and its
seconds, or at its longest duration; what was not answered by then stays in the count. One question is answered after
another, as by a service: a query that arrives while another one is answered waits, and its waiting is latency.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable, Iterator, Optional, Sequence

import numpy as np

from harness.contracts.errors import Refusal
from harness.contracts.seeds import generator
from harness.throughput.asking import Answer
from harness.throughput.decisions import Decision
from harness.throughput.sampling import needed

OFFLINE, SINGLE_STREAM, MULTI_STREAM, SERVER = "offline", "single-stream", "multi-stream", "server"
SCENARIOS = (OFFLINE, SINGLE_STREAM, MULTI_STREAM, SERVER)

PERCENTILE = {SINGLE_STREAM: 0.9, MULTI_STREAM: 0.99, SERVER: 0.99}
"""The percentile of latency that each scenario is about; offline is about the rate alone."""

PER_QUERY = 8
UNANSWERED = "unanswered"
"""Why a query has no answer that had not been answered at the longest duration, or when the service was lost."""

MARGIN = 1.1
"""By how much an offline measurement is planned larger than the rate of the warm-up says."""


@dataclass(frozen=True)
class Settings:
    """How a measurement is made. ``min_queries`` 0 stands for those that the scenario's percentile needs.

    ``rate`` is that of the queries' arrival a second (`SERVER`), ``bound_s`` the latency that its percentile shall
    keep (0: none). ``deadline_s`` is what one call may take, ``start_s`` the service until it is ready.
    """

    scenario: str
    seed: int = 0
    candidates: int = 0
    duration_s: float = 10.0
    longest_s: float = 120.0
    min_queries: int = 0
    per_query: int = PER_QUERY
    rate: float = 0.0
    bound_s: float = 0.0
    deadline_s: float = 600.0
    start_s: float = 600.0

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise Refusal(f"there is no scenario {self.scenario!r}.", f"Choose one of: {', '.join(SCENARIOS)}")
        if (self.scenario == SERVER) != (self.rate > 0.0):
            raise Refusal(
                f"--rate {self.rate:g} with --scenario {self.scenario}.",
                "The scenario server needs the queries that arrive a second, such as --rate 2; no other one takes it.",
            )
        if self.bound_s and self.scenario != SERVER:
            raise Refusal(f"--latency-bound with --scenario {self.scenario}.", "Only the scenario server keeps one.")
        if self.longest_s < self.duration_s:
            raise Refusal(
                f"--max-duration {self.longest_s:g} is shorter than --duration {self.duration_s:g}.", "Give it longer."
            )

    @property
    def queries(self) -> int:
        """The fewest queries that are asked; offline has as many as fill its duration."""
        return self.min_queries or (needed(PERCENTILE[self.scenario]) if self.scenario in PERCENTILE else 1)


@dataclass(frozen=True)
class Query:
    """One query: seconds from its arrival to its last answer, and what became of its decisions."""

    seconds: float
    answers: tuple[Answer, ...]
    failure: str = ""


@dataclass(frozen=True)
class Measured:
    """The queries of a measurement, in the order of their arrival, and the seconds until the last answer."""

    queries: tuple[Query, ...]
    seconds: float


Make = Callable[[int], Decision]
"""Returns the decision of that number, which was not asked before."""

Ask = Callable[[Decision], Answer]

Told = Callable[[int, int], None]
"""Called with how many queries are answered and how many are planned, 0 where nobody knows."""


def measure(make: Make, ask: Ask, settings: Settings, expected_s: float, told: Told) -> Measured:
    """Ask as the scenario says; ``expected_s`` is what one decision took so far."""
    clock = Clock()
    if settings.scenario in (OFFLINE, SERVER):
        at_once = [0.0] * _offline_queries(settings, expected_s)
        arrivals = arrival_times(settings) if settings.scenario == SERVER else at_once
        queries = list(_arriving(make, ask, arrivals, settings, clock, told))
    else:
        queries = list(_one_by_one(make, ask, settings, clock, told))
    return Measured(tuple(queries), clock.now())


class Clock:
    """Seconds since it was made; it never goes back."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def now(self) -> float:
        """Return the seconds since the beginning."""
        return time.perf_counter() - self._began

    def wait_until(self, seconds: float) -> None:
        """Come back at a time, at once where it has passed."""
        left = seconds - self.now()
        if left > 0.0:
            time.sleep(left)


def arrival_times(settings: Settings) -> list[float]:
    """Return the seconds at which queries arrive: a Poisson process of the seed, long enough for both limits."""
    draws = generator(settings.seed, "", -1, -1, "arrivals")
    times: list[float] = []
    at = 0.0
    while (len(times) < settings.queries or at < settings.duration_s) and at < settings.longest_s:
        at += -float(np.log1p(-draws.random())) / settings.rate
        times.append(at)
    return [at for at in times if at < settings.longest_s]


def _offline_queries(settings: Settings, expected_s: float) -> int:
    return max(settings.queries, int(MARGIN * settings.duration_s / max(expected_s, 1e-6)))


def _arriving(
    make: Make, ask: Ask, arrivals: Sequence[float], settings: Settings, clock: Clock, told: Told
) -> Iterator[Query]:
    """Yield a query for each arrival."""
    failure = ""
    for number, at in enumerate(arrivals):
        if failure or max(at, clock.now()) >= settings.longest_s:
            yield Query(float("inf"), (), UNANSWERED)
            continue
        decision = make(number)
        clock.wait_until(at)
        answer = ask(decision)
        failure = answer.failure if answer.lost else ""
        yield _query((answer,), clock.now() - at)
        told(number + 1, len(arrivals))


def _one_by_one(make: Make, ask: Ask, settings: Settings, clock: Clock, told: Told) -> Iterator[Query]:
    """Yield one query after the other, until there are enough or the time is over."""
    each = settings.per_query if settings.scenario == MULTI_STREAM else 1
    number = 0
    while number < settings.queries or clock.now() < settings.duration_s:
        decisions = [make(number * each + part) for part in range(each)]
        began = clock.now()
        if began >= settings.longest_s:
            return
        answers = tuple(_until_lost(ask, decisions))
        yield _query(answers, clock.now() - began)
        number += 1
        told(number, settings.queries)
        if answers[-1].lost:
            return


def _until_lost(ask: Ask, decisions: Sequence[Decision]) -> Iterator[Answer]:
    for decision in decisions:
        answer = ask(decision)
        yield answer
        if answer.lost:
            return


def _query(answers: tuple[Answer, ...], seconds: float) -> Query:
    failure: Optional[str] = next((answer.failure for answer in answers if answer.failure), "")
    return Query(float("inf") if failure else seconds, answers, failure or "")
