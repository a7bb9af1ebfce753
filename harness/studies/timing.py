"""What playing costs: seconds of one core an episode, and what a whole tier takes on two cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

from harness.contracts.results import Metric
from harness.scoring.bounds import NOT_NEGATIVE
from harness.scoring.data import RunData
from harness.scoring.intervals import Sample
from harness.scoring.metrics import mean
from harness.scoring.references import CEILING, row_name
from harness.studies.paired_differences import size
from harness.studies.run_selection import SELF, SPLIT, Found, Missing
from tasks.subsets import MINI_EPISODES

CORES = 2
EPISODE = "episode"
"""The phase that holds all of an episode: reset, decisions, scoring, writing."""


@dataclass(frozen=True)
class TimingLine:
    """The cost of one world model on one tier.

    ``seconds`` is a worker's time an episode: its services answer while it waits, so that it is about one core's,
    where there were no more ``workers`` than ``cores``. ``hours`` is all of the test split once on two cores, and
    ``mini_minutes`` its subset.
    """

    tier: str
    name: str
    seconds: Metric
    homes: int
    hours: float
    mini_minutes: float
    workers: int
    cores: int
    cpu: str


@dataclass(frozen=True)
class Whole:
    """The simulator's evaluation of every tier on two cores, None where some tier has no run of it."""

    tiers: int
    hours: Optional[float]
    mini_minutes: Optional[float]


def timing_lines(found: Found) -> Tuple[TimingLine, ...]:
    """Return a line for each run with self-stop that recorded its seconds."""
    lines = (_line(run, found) for tier in found.suite.tiers for run in found.of_tier(tier))
    return tuple(line for line in lines if line is not None)


def whole(found: Found, lines: Tuple[TimingLine, ...], missing: List[Missing]) -> Whole:
    """Return what it takes to evaluate the simulator on all tiers of the suite once."""
    ceiling = [line for line in lines if line.name == CEILING]
    lacking = [tier for tier in found.suite.tiers if tier not in {line.tier for line in ceiling}]
    if lacking:
        missing.append(Missing(f"seconds of {CEILING} with {SELF}-stop on {', '.join(lacking)}", ""))
        return Whole(len(found.suite.tiers), None, None)
    hours, minutes = sum(line.hours for line in ceiling), sum(line.mini_minutes for line in ceiling)
    return Whole(len(found.suite.tiers), hours, minutes)


def _line(run: RunData, found: Found) -> Optional[TimingLine]:
    timed = [result for result in run.results if EPISODE in result.timings]
    if not timed:
        return None
    seconds = mean(
        Sample.of([result.timings[EPISODE] for result in timed], [result.home for result in timed]), NOT_NEGATIVE
    )
    episodes = len(found.suite.episodes(run.identity.tier, SPLIT))
    hardware = run.record.provenance.hardware
    return TimingLine(
        tier=run.identity.tier,
        name=row_name(run),
        seconds=seconds,
        homes=size(run)[1],
        hours=seconds.value * episodes / CORES / 3600.0,
        mini_minutes=seconds.value * min(MINI_EPISODES, episodes) / CORES / 60.0,
        workers=int(run.record.execution.get("workers", 0)),
        cores=int(hardware.get("cores", 0)),
        cpu=str(hardware.get("cpu", "")),
    )
