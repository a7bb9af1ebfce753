"""The four scenarios: when a query is asked, and when enough were asked.

They are LoadGen's, with a decision in the place of a sample. A measurement ends when it had both its queries and its
seconds, or at its longest duration; what was not answered by then stays in the count. A replica answers one question
after another: a query that arrives while all of them answer waits for the first that is free, and its waiting is
latency.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Callable, Iterator, Optional, Sequence

import numpy as np

from harness.contracts.errors import Refusal
from harness.contracts.seeds import generator
from harness.throughput.asking import Answer
from harness.throughput.decisions import Decision
from harness.throughput.replicas import together
from harness.throughput.sampling import needed

OFFLINE, SINGLE_STREAM, MULTI_STREAM, SERVER = "offline", "single-stream", "multi-stream", "server"
SCENARIOS = (OFFLINE, SINGLE_STREAM, MULTI_STREAM, SERVER)
SPREAD = (OFFLINE, SERVER)
"""The scenarios whose queries wait for nobody's answer, so that several replicas share them."""

PERCENTILE = {SINGLE_STREAM: 0.9, MULTI_STREAM: 0.99, SERVER: 0.99}
"""The percentile of latency that each scenario is about; offline is about the rate alone."""

TIER = "easy"
PER_QUERY = 8
WARM_UP_DECISIONS = 2
MOST_QUERIES = 1_000_000
UNANSWERED = "unanswered"
"""Why a query has no answer that had not been answered at the longest duration, or when the service was lost."""

MARGIN = 1.1
"""By how much an offline measurement is planned larger than the rate of the warm-up says."""


@dataclass(frozen=True)
class Settings:
    """How a measurement is made. ``min_queries`` 0 stands for those that the scenario's percentile needs.

    ``tier`` is the one of the suite whose decisions are asked, ``rate`` that of the queries' arrival a second
    (`SERVER`), ``bound_s`` the latency that its percentile shall keep (0: none). ``warm_up`` is how many decisions are
    asked first, and not counted. ``deadline_s`` is what one call may take, ``start_s`` the service until it is ready.
    Without ``cache_check`` nobody looks whether answers are kept, and without ``roofline`` nobody counts operations,
    each of which takes long with a slow model.
    """

    scenario: str
    tier: str = TIER
    seed: int = 0
    candidates: int = 0
    duration_s: float = 10.0
    longest_s: float = 120.0
    min_queries: int = 0
    per_query: int = PER_QUERY
    rate: float = 0.0
    bound_s: float = 0.0
    warm_up: int = WARM_UP_DECISIONS
    deadline_s: float = 600.0
    start_s: float = 600.0
    cache_check: bool = True
    roofline: bool = True

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise Refusal(f"there is no scenario {self.scenario!r}.", f"Choose one of: {', '.join(SCENARIOS)}")
        numbers = (self.duration_s, self.longest_s, self.rate, self.bound_s, self.deadline_s, self.start_s)
        if not all(map(math.isfinite, numbers)):
            raise Refusal("seconds and rates are finite numbers.", "Give --max-duration for how long it may take.")
        if max(self.min_queries, self.rate * self.duration_s) > MOST_QUERIES:
            raise Refusal(f"more than {MOST_QUERIES:,} queries are asked for.", "Give fewer, or less time.")
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


def check_replicas(settings: Settings, replicas: int) -> None:
    """Raise Refusal for a scenario that has nothing to ask of so many replicas at once."""
    if replicas > 1 and settings.scenario not in SPREAD:
        raise Refusal(
            f"--scenario {settings.scenario} asks one query after another, and {replicas} GPUs are given.",
            f"Give one GPU, or one of the scenarios that spread queries: {', '.join(SPREAD)}.",
        )


def measure(make: Make, asks: Sequence[Ask], settings: Settings, expected_s: float, told: Told) -> Measured:
    """Ask as the scenario says, each replica through its own of ``asks``.

    ``expected_s`` are the seconds from one answer to the next so far, whoever gave them.
    """
    clock = Clock()
    if settings.scenario in SPREAD:
        at_once = [0.0] * _offline_queries(settings, expected_s)
        arrivals = arrival_times(settings) if settings.scenario == SERVER else at_once
        arriving = _Arriving(make, arrivals, settings, clock, told)
        try:
            together([partial(arriving.answer, ask) for ask in asks])
        finally:
            arriving.end()
        queries = arriving.queries
    else:
        queries = list(_one_by_one(make, asks[0], settings, clock, told))
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
    return max(settings.queries, min(MOST_QUERIES, int(MARGIN * settings.duration_s / expected_s)))


class _Arriving:
    """A query for each arrival, taken in their order by whichever replica is free.

    Where a replica is lost nobody takes another one. What nobody took or answered is `UNANSWERED`.
    """

    def __init__(self, make: Make, arrivals: Sequence[float], settings: Settings, clock: Clock, told: Told) -> None:
        self._make = make
        self._arrivals = arrivals
        self._longest_s = settings.longest_s
        self._clock = clock
        self._told = told
        self._lock = threading.Lock()
        self._numbers = iter(range(len(arrivals)))
        self._answered = 0
        self._ended = False
        self.queries = [Query(float("inf"), (), UNANSWERED)] * len(arrivals)

    def answer(self, ask: Ask) -> None:
        """Answer queries through one replica until none is left for it."""
        for number in iter(self._next, None):
            decision, at = self._make(number), self._arrivals[number]
            self._clock.wait_until(at)
            if self._ended:  # while this one waited
                return
            answer = ask(decision)
            query = _query((answer,), self._clock.now() - at)
            with self._lock:
                self.queries[number] = query
                self._ended = self._ended or answer.lost
                self._answered += 1
                self._told(self._answered, len(self._arrivals))

    def end(self) -> None:
        """Let no replica take another query."""
        self._ended = True

    def _next(self) -> Optional[int]:
        with self._lock:
            over = self._ended or self._clock.now() >= self._longest_s
            return None if over else next(self._numbers, None)


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
