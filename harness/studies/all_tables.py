"""All tables of a suite, made from the runs that were found; what playing costs among them.

Costs are seconds of one core an episode, and what a whole tier takes on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.results import Metric
from harness.scoring.bounds import NOT_NEGATIVE
from harness.scoring.data import RunData
from harness.scoring.intervals import Sample
from harness.scoring.metrics import mean
from harness.scoring.references import CEILING, row_name
from harness.studies.bank_agreement import BankTable, bank_tables
from harness.studies.doses import dose_curves
from harness.studies.paired_differences import size
from harness.studies.rank_agreement import RESAMPLES, MiniTable, mini_tables
from harness.studies.reference_table import RangeLine, ReferenceLine, range_lines, reference_lines
from harness.studies.resolution import Family, read_declared, resolve
from harness.studies.run_selection import SPLIT, Found, Missing, PassedOver, by_command, find_banks, find_runs
from tasks.subsets import MINI_EPISODES
from tasks.suite import Suite

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
    """Return a line for each run with the tables' stop rule that recorded its seconds."""
    lines = (_line(run, found) for tier in found.suite.tiers for run in found.of_tier(tier))
    return tuple(line for line in lines if line is not None)


def whole(found: Found, lines: Tuple[TimingLine, ...], missing: List[Missing]) -> Whole:
    """Return what it takes to evaluate the simulator on all tiers of the suite once."""
    ceiling = [line for line in lines if line.name == CEILING]
    lacking = [tier for tier in found.suite.tiers if tier not in {line.tier for line in ceiling}]
    if lacking:
        what = f"seconds of {CEILING} with {found.stop(lacking[0])}-stop on {', '.join(lacking)}"
        missing.append(Missing(what, ""))
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


@dataclass(frozen=True)
class TierFact:
    """Which data a tier's numbers belong to.

    ``solved_at_start`` is the share of episodes whose start lies within the goal's radius: what never moving solves;
    None where a task has no place to go to.
    """

    name: str
    status: str
    suite_hash: str
    episodes: int
    homes: int
    solved_at_start: Optional[float]


@dataclass(frozen=True)
class Tables:
    """All tables of one suite.

    ``stop`` is the rule of the runs that they are made of, beside which lines with another one name theirs.
    ``repeats`` are the declared errors on the tiers where they are looked for again, ``later`` those declared later.
    ``curves`` are dose curves as in ``doses.json``.
    """

    suite: str
    task: str
    split: str
    stop: str
    command: str
    commits: Tuple[str, ...]
    tiers: Tuple[TierFact, ...]
    references: Tuple[ReferenceLine, ...]
    ranges: Tuple[RangeLine, ...]
    resolution: Family
    repeats: Family
    later: Family
    curves: Tuple[Dict[str, Any], ...]
    mini: Tuple[MiniTable, ...]
    bank: Tuple[BankTable, ...]
    timings: Tuple[TimingLine, ...]
    whole: Whole
    missing: Tuple[Missing, ...]
    passed_over: Tuple[PassedOver, ...]


def make_tables(suite: Suite, roots: Sequence[Path], command: str = "", resamples: int = RESAMPLES) -> Tables:
    """Return every table that the runs below ``roots`` allow."""
    found, banks = find_runs(roots, suite), find_banks(roots, suite)
    declared = read_declared(suite)
    missing: List[Missing] = []
    timings = timing_lines(found)
    return Tables(
        suite=suite.name,
        task=suite.task,
        split=SPLIT,
        stop=_one_stop(found),
        command=command,
        commits=_commits(found),
        tiers=tuple(_tier_fact(suite, name) for name in suite.tiers),
        references=reference_lines(found, missing),
        ranges=range_lines(found, declared.ranges),
        resolution=resolve(declared.family(later=False), found, missing),
        repeats=resolve(declared.repeated(), found, missing),
        later=resolve(declared.family(later=True), found, missing),
        curves=tuple(curve.model_dump(mode="json") for curve in dose_curves(declared.curves, found, missing)),
        mini=mini_tables(found, missing, resamples),
        bank=bank_tables(banks, found, missing, resamples),
        timings=timings,
        whole=whole(found, timings, missing),
        missing=by_command(missing),
        passed_over=(*found.passed_over, *banks.passed_over),
    )


def _tier_fact(suite: Suite, name: str) -> TierFact:
    episodes = suite.episodes(name, SPLIT)
    return TierFact(
        name,
        suite.tier(name).status,
        suite.hash(name),
        len(episodes),
        len({episode.home for episode in episodes}),
        _solved_at_start(episodes),
    )


def _solved_at_start(episodes: Sequence[Episode]) -> Optional[float]:
    if any("geodesic_m" not in episode.payload for episode in episodes):
        return None
    near = [bool(episode.payload["geodesic_m"] <= episode.payload["radius_m"]) for episode in episodes]
    return sum(near) / len(near)


def _one_stop(found: Found) -> str:
    stops = {found.stop(tier) for tier in found.suite.tiers}
    if len(stops) > 1:
        raise Refusal(
            f"the tiers of {found.suite.name} begin their stop_rules with {' and '.join(sorted(stops))}.",
            "Tables compare runs of one stop rule: let all tiers begin with the same.",
        )
    return stops.pop()


def _commits(found: Found) -> Tuple[str, ...]:
    return tuple(sorted({run.record.provenance.git_commit[:12] or "unknown" for run in found.runs.values()}))
