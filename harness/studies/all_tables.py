"""All tables of a suite, made from the runs that were found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from harness.studies.bank_agreement import BankTable, bank_tables
from harness.studies.doses import dose_curves
from harness.studies.measurement_selection import find_banks
from harness.studies.mini_agreement import MiniTable, mini_tables
from harness.studies.preregistration import read_declared
from harness.studies.rank_agreement import RESAMPLES
from harness.studies.reference_table import RangeLine, ReferenceLine, range_lines, reference_lines
from harness.studies.resolution import Family, resolve
from harness.studies.run_selection import SPLIT, Found, Missing, PassedOver, by_command, find_runs
from harness.studies.timing import TimingLine, Whole, timing_lines, whole
from tasks.suite import Suite


@dataclass(frozen=True)
class TierFact:
    """Which data a tier's numbers belong to.

    ``solved_at_start`` is the share of episodes whose start lies within the goal's radius: what never moving solves.
    """

    name: str
    status: str
    suite_hash: str
    episodes: int
    homes: int
    solved_at_start: float


@dataclass(frozen=True)
class Tables:
    """All tables of one suite.

    ``repeats`` are the declared errors on the tiers where they are looked for again, ``later`` those declared later.
    ``curves`` are dose curves as in ``doses.json``.
    """

    suite: str
    task: str
    split: str
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
        sum(episode.payload["geodesic_m"] <= episode.payload["radius_m"] for episode in episodes) / len(episodes),
    )


def _commits(found: Found) -> Tuple[str, ...]:
    return tuple(sorted({run.record.provenance.git_commit[:12] or "unknown" for run in found.runs.values()}))
