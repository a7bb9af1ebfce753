"""The imagined-versus-real gap: how far what was imagined lies from what was then seen, and whether it matters.

A world model can look right and steer wrong, or look wrong and steer right. Joining the gap with success is what
shows which: a strong correlation says that this measure of looks predicts usefulness, none says that it does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.metrics import OVER_STEPS, MetricSpec
from harness.contracts.results import PLAYED, EpisodeResult, Metric
from harness.contracts.trajectories import Trajectory
from harness.scoring.bounds import UNBOUNDED, Bounds
from harness.scoring.data import RunData
from harness.scoring.intervals import NORMAL_QUANTILE, Sample
from harness.scoring.metrics import mean


@dataclass(frozen=True)
class GapRow:
    """The gap of one executed step: ``step`` counts from 1 at its decision's first forward (how far ahead it was
    imagined); the turns before it are exact rolls and do not count."""

    episode: str
    seed: int
    home: str
    solved: bool
    step: int
    name: str
    value: float


@dataclass(frozen=True)
class GapStep:
    """The mean gap at one step of a decision, over all, solved and failed episodes (None where there are none)."""

    step: int
    all: Metric
    solved: Optional[Metric]
    failed: Optional[Metric]


@dataclass(frozen=True)
class Gap:
    """One measure (``ssim``, ``psnr``, ``lpips``) over a run, and joined with success.

    ``correlation`` is point-biserial between the mean gap of an episode and its success, with Fisher's interval
    over episodes (None when all episodes agree); ``n`` of every metric counts episodes.
    """

    name: str
    all: Metric
    solved: Optional[Metric]
    failed: Optional[Metric]
    correlation: Optional[Metric]
    by_step: Tuple[GapStep, ...]


def gap_rows(run: RunData) -> Tuple[GapRow, ...]:
    """Return one row for each executed step and measure; reads every trajectory once."""
    rows: List[GapRow] = []
    for row in run.rows:
        trajectory = run.trajectory(row) if row.result.state in PLAYED else None
        if trajectory is not None:
            rows.extend(_rows_of(row.result, trajectory))
    return tuple(rows)


def gaps(rows: Sequence[GapRow], specs: Sequence[MetricSpec]) -> Dict[str, Gap]:
    """Return the gap by measure; empty when nothing was imagined. ``specs`` say what each measure can be."""
    bounds = {spec.name: spec.interval for spec in specs if spec.pooling == OVER_STEPS}
    by_name: Dict[str, List[GapRow]] = {}
    for row in rows:
        by_name.setdefault(row.name, []).append(row)
    return {name: _gap(name, by_name[name], bounds.get(name, UNBOUNDED)) for name in sorted(by_name)}


def _rows_of(result: EpisodeResult, trajectory: Trajectory) -> Iterator[GapRow]:
    for decision in trajectory.decisions:
        for number, step in enumerate(decision.moving_steps(), start=1):
            for name, value in step.gap.items():
                yield GapRow(result.episode, result.seed, result.home, trajectory.solved, number, name, value)


def _gap(name: str, rows: Sequence[GapRow], bounds: Bounds) -> Gap:
    by_step = []
    for step in sorted({r.step for r in rows}):
        of_step = [r for r in rows if r.step == step]
        by_step.append(GapStep(step, _mean(of_step, bounds), *_by_outcome(of_step, bounds)))
    return Gap(name, _mean(rows, bounds), *_by_outcome(rows, bounds), _correlation(rows), tuple(by_step))


def _by_outcome(rows: Sequence[GapRow], bounds: Bounds) -> Tuple[Optional[Metric], Optional[Metric]]:
    outcomes = ([r for r in rows if r.solved], [r for r in rows if not r.solved])
    solved, failed = (_mean(chosen, bounds) if chosen else None for chosen in outcomes)
    return solved, failed


def _mean(rows: Sequence[GapRow], bounds: Bounds) -> Metric:
    over_steps = mean(Sample.of([r.value for r in rows], [r.home for r in rows]), bounds)
    return Metric(over_steps.value, over_steps.low, over_steps.high, len({(r.episode, r.seed) for r in rows}))


def _correlation(rows: Iterable[GapRow]) -> Optional[Metric]:
    values: Dict[Tuple[str, int], List[float]] = {}
    solved: Dict[Tuple[str, int], bool] = {}
    for row in rows:
        values.setdefault((row.episode, row.seed), []).append(row.value)
        solved[row.episode, row.seed] = row.solved
    means = [sum(v) / len(v) for v in values.values()]
    outcomes = [float(solved[key]) for key in values]
    if len(means) < 4 or len(set(outcomes)) < 2 or len(set(means)) < 2:
        return None
    found = float(np.clip(np.corrcoef(means, outcomes)[0, 1], -1.0, 1.0))
    if abs(found) == 1.0:
        return Metric(found, found, found, len(means))
    centre, half = math.atanh(found), NORMAL_QUANTILE / math.sqrt(len(means) - 3)  # Fisher's z
    return Metric(found, math.tanh(centre - half), math.tanh(centre + half), len(means))
