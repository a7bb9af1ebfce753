"""References of every tier, and the range between them: how much room a world model has to show what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

from harness.contracts.metrics import Column, MetricSpec
from harness.contracts.results import Metric
from harness.records.roots import trajectory_root
from harness.scoring.data import RunData
from harness.scoring.metrics import metric_of, rate, success_sample
from harness.scoring.references import CEILING
from harness.studies.paired_differences import lead, size
from harness.studies.resolution import WantedRange
from harness.studies.run_selection import ORACLE, SELF, Found, Missing, command_of, play_command
from tasks.registry import load_task
from tasks.suite import PANORAMA, PERSPECTIVE

UNIFORM = "uniform"
POOLED = " --seeds 0-4"
"""A reference that draws its choices is played with several seeds."""

RIVALS = {PANORAMA: ("none", "warp"), PERSPECTIVE: ("none", "warp-front")}
"""Chance, and geometry without learning: what a learnt model has to beat, by what it imagines."""


@dataclass(frozen=True)
class ReferenceLine:
    """One reference on one tier with one stop rule; ``metrics`` by name, those that have a column in the tables."""

    tier: str
    name: str
    stop: str
    success: Metric
    metrics: Mapping[str, Metric]
    homes: int
    seeds: Tuple[int, ...]
    run_id: str
    trajectory_root: str
    command: str


@dataclass(frozen=True)
class RangeLine:
    """How much more the simulator solves than another reference of the same tier and stop rule.

    ``wanted`` is the least share of episodes that the suite declared, None where it declared nothing.
    """

    tier: str
    stop: str
    other: str
    points: Metric
    homes: int
    wanted: Optional[float]


def reference_lines(found: Found, missing: List[Missing]) -> Tuple[ReferenceLine, ...]:
    """Return a line for each reference, tier and stop rule, in the suite's order; what is not there is told."""
    lines = []
    for tier in found.suite.tiers.values():
        for reference in tier.references:
            for stop in tier.loop.stop_rules:
                run = found.run(reference.wm, tier.name, stop)
                if run is None:
                    several = POOLED if reference.reviser == UNIFORM else ""
                    command = play_command(found.suite, tier.name, reference.wm, stop) + several
                    missing.append(Missing(f"reference {reference.name} on {tier.name}, {stop}-stop", command))
                else:
                    lines.append(_line(reference.name, run, found))
    return tuple(lines)


def table_columns(task: str) -> Tuple[Tuple[MetricSpec, Column], ...]:
    """Return the metrics of a task that have a column in the tables, by name."""
    specs = sorted(load_task(task).metrics, key=lambda spec: spec.name)
    return tuple((spec, spec.table) for spec in specs if spec.table is not None)


def range_lines(found: Found, wanted: Sequence[WantedRange]) -> Tuple[RangeLine, ...]:
    """Return the simulator's lead over the tier's baseline and over `RIVALS`, where both were played."""
    least = {(each.tier, each.over): each.points / 100.0 for each in wanted}
    lines = []
    for tier in found.suite.tiers.values():
        for stop in (SELF, ORACLE):
            ceiling = found.run(CEILING, tier.name, stop)
            for name in dict.fromkeys((tier.baseline, *RIVALS[tier.view])):
                other = found.run(name, tier.name, stop)
                if ceiling is not None and other is not None:
                    points, homes = lead(ceiling, other), size(ceiling)[1]
                    declared = least.get((tier.name, name)) if stop == found.stop(tier.name) else None
                    lines.append(RangeLine(tier.name, stop, name, points, homes, declared))
    return tuple(lines)


def _line(name: str, run: RunData, found: Found) -> ReferenceLine:
    tabled = {spec.name: metric_of(run.results, spec) for spec, _ in table_columns(found.suite.task)}
    identity = run.identity
    return ReferenceLine(
        tier=identity.tier,
        name=name,
        stop=identity.stop,
        success=rate(success_sample(run.results)),
        metrics={name: metric for name, metric in tabled.items() if metric is not None},
        homes=size(run)[1],
        seeds=identity.seeds,
        run_id=run.record.run_id,
        trajectory_root=trajectory_root(run.rows),
        command=command_of(identity, found.suite),
    )
