"""What a metric is: the one place where its name, words, direction, pooling and bounds are declared.

A task declares its own, the harness those that every task has. ``run.json`` keeps what a run was begun with, so that
scoring, comparison, exports and report need no list of names, and a run of a task that is not here can still be read.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Iterable, Optional, Tuple

OVER_PLANNED = "planned"
"""A rate in [0, 1] over every planned episode: one that broke counts 0, so that nobody gains by failing."""

OVER_PLAYED = "played"
"""A mean over the episodes that were played to their end: one that broke has no such number."""

OVER_STEPS = "steps"
"""A mean over executed steps, with its own section of a report; its mean of each episode is compared."""

POOLINGS = (OVER_PLANNED, OVER_PLAYED, OVER_STEPS)

HIGHER, LOWER = "higher", "lower"

PERCENT = "%"
"""The unit of a share that is written times 100."""

Bounds = Tuple[Optional[float], Optional[float]]
"""The smallest and the largest value that a number can have, None where nothing ends it."""

SHARE: Bounds = (0.0, 1.0)
NOT_NEGATIVE: Bounds = (0.0, None)
CORRELATION: Bounds = (-1.0, 1.0)

MOST_METRICS = 64
"""More than any task has: what a stranger's ``run.json`` may make a report show."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MOST_DIGITS = 9
_LONGEST = {"label": 60, "meaning": 240, "unit": 16}


def _check_words(shown: object) -> None:
    """Raise ValueError for words and digits that no report has room for."""
    for name, longest in _LONGEST.items():
        text = getattr(shown, name, "")
        if len(text) > longest:
            raise ValueError(f"the {name} {text[:20]!r}... of a metric is longer than {longest} characters")
    digits = getattr(shown, "digits", 0)
    if not 0 <= digits <= _MOST_DIGITS:
        raise ValueError(f"a metric with {digits} digits cannot be written")


@dataclass(frozen=True)
class Column:
    """A column of a metric: its head, the digits behind the point, and what it shows, in a few words.

    ``paired``: also where two world models stand beside each other, pair by pair or as a difference.
    """

    label: str
    digits: int
    meaning: str = ""
    paired: bool = False

    def __post_init__(self) -> None:
        _check_words(self)


@dataclass(frozen=True)
class MetricSpec:
    """A metric, declared.

    ``name`` is that of its mean in ``results.json``; ``key`` the number of an episode that it averages, "" for one of
    the same name. ``label``, ``unit`` (``%`` is written times 100) and ``meaning`` (a sentence) are for readers,
    ``digits`` behind the point. ``better`` is ``higher``, ``lower``, or "" for what merely describes. ``pooling`` is
    ``planned``, ``played`` or ``steps``, as above; ``bounds`` are (low, high) of one value, beyond which no interval
    reaches. Only what is ``compared`` is tested when runs are; each test makes all others stricter. ``column`` is that
    of the table of episodes, ``table`` that of a suite's tables of world models, None without one. ``partial``: an
    episode that was played may lack it. ``least_span`` is the shortest axis of a chart, in the metric's unit.
    Raises ValueError for what cannot be.
    """

    name: str
    label: str
    meaning: str = ""
    unit: str = ""
    digits: int = 2
    better: str = ""
    pooling: str = OVER_PLAYED
    bounds: Bounds = (None, None)
    key: str = ""
    compared: bool = True
    column: Optional[Column] = None
    table: Optional[Column] = None
    partial: bool = False
    least_span: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.key or self.name)
        for name in (self.name, self.key):
            if not _NAME.fullmatch(name):
                raise ValueError(f"metric {name[:80]!r} is not named by small letters, digits and underscores")
        _check_words(self)
        if self.better not in ("", HIGHER, LOWER) or self.pooling not in POOLINGS:
            raise ValueError(f"metric {self.name!r} is better {self.better[:20]!r}, pooled {self.pooling[:20]!r}")
        low, high = self.interval
        if not low <= high or not math.isfinite(self.least_span):
            raise ValueError(f"metric {self.name!r} lies in {self.bounds}")
        if self.pooling == OVER_PLANNED and (self.bounds != SHARE or self.better != HIGHER):
            raise ValueError(
                f"metric {self.name!r} is over planned episodes, where one that broke counts 0: then it is in [0, 1] "
                "and better when higher"
            )

    @property
    def interval(self) -> Tuple[float, float]:
        """Return the bounds of one value and of its mean, infinite where there is none."""
        low, high = self.bounds
        return (-math.inf if low is None else low, math.inf if high is None else high)

    @property
    def interval_of_difference(self) -> Tuple[float, float]:
        """Return the bounds of one value minus another."""
        low, high = self.interval
        return (low - high, high - low)


SUCCESS = MetricSpec(
    "success_rate", "Success", "Solved episodes of all planned ones; interval clustered by home.",
    PERCENT, 1, HIGHER, OVER_PLANNED, SHARE,
)  # fmt: skip
"""The headline of every run. It is counted from the states of episodes, as the next one is."""

INDEPENDENT_SUCCESS = MetricSpec(
    "success_rate_wilson", "Success, episodes independent", "The same rate with Wilson's interval, homes ignored.",
    PERCENT, 1, HIGHER, OVER_PLANNED, SHARE,
)  # fmt: skip


def check_metrics(specs: Iterable[MetricSpec]) -> None:
    """Raise ValueError for a name or a key that two of them have, or that is the headline's, and for too many."""
    found = tuple(specs)
    if len(found) > MOST_METRICS:
        raise ValueError(f"{len(found)} metrics are declared, at most {MOST_METRICS} may be")
    taken = [(SUCCESS.name, SUCCESS.name), (INDEPENDENT_SUCCESS.name, INDEPENDENT_SUCCESS.name)]
    for spec in found:
        if any(spec.name == name or spec.key == key for name, key in taken):
            raise ValueError(f"metric {spec.name!r} ({spec.key}) is declared twice")
        taken.append((spec.name, spec.key))


def in_order(specs: Iterable[MetricSpec]) -> Tuple[MetricSpec, ...]:
    """Return metrics as ``results.json`` lists them: rates, what merely describes, what has a direction, the gap's."""
    return tuple(sorted(specs, key=lambda spec: (POOLINGS.index(spec.pooling), spec.better != "")))


def telling_first(specs: Iterable[MetricSpec]) -> Tuple[MetricSpec, ...]:
    """Return metrics as runs are compared and episodes listed: of each pooling those with a direction come first."""
    return tuple(sorted(specs, key=lambda spec: (POOLINGS.index(spec.pooling), spec.better == "")))
