"""References: the runs that give a success rate its meaning, and the normalised gain between them.

A bare success rate says little: the proposer alone solves some episodes, and a perfect world model does not solve
all. The gain puts a world model between the best reference that imagines nothing and the simulator itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Sequence, Set, Tuple

from harness.contracts.results import EpisodeResult, Metric
from harness.scoring.data import ReferencePoint, RunData
from harness.scoring.gains import gain_of
from harness.scoring.metrics import rate, state_counts, success_sample

CEILING = "gtsim"
"""The reference with a perfect world model: the simulator's own imagination."""

SAME = ("suite_hash", "task", "tier", "split", "stop")
"""What two runs must share before their numbers may stand side by side."""


@dataclass(frozen=True)
class ReferenceRow:
    """One line of the references table.

    ``gain`` is (success - baseline) / (ceiling - baseline), None without both; its interval is NaN where it cannot
    be estimated: from frozen numbers without episodes, from a single home, and for baseline and ceiling, 0 and 1 by
    definition. ``source`` is a run id or where a frozen number was measured.
    """

    name: str
    success: Metric
    gain: Optional[Metric]
    source: str
    is_this_run: bool


def matching_runs(run: RunData, others: Sequence[RunData], names: Sequence[str]) -> Dict[str, RunData]:
    """Return the reference run for each name among ``others``: same suite hash, task, tier, split, stop, search
    and episodes.

    A run with an episode that did not finish is no reference, nor is one whose world model was changed (``--set``):
    the simulator with a planted error is not the bound of imagination. Of several, the one with most seeds is taken,
    then the later in the order given.
    """
    episodes = _episodes(run)
    found: Dict[str, RunData] = {}
    for other in others:
        name = other.identity.wm
        usable = (
            name in names
            and not other.identity.wm_overrides
            and other.identity.searches_as(run.identity)
            and all(getattr(other.identity, key) == getattr(run.identity, key) for key in SAME)
            and _episodes(other) == episodes
            and _complete(other)
        )
        if usable and (name not in found or len(other.results) >= len(found[name].results)):
            found[name] = other
    return found


def reference_table(
    run: RunData,
    runs: Mapping[str, RunData],
    frozen: Mapping[str, ReferencePoint],
    baseline: str,
) -> Tuple[ReferenceRow, ...]:
    """Return references by rising success, with this run among them.

    ``runs`` win over ``frozen`` references of the same name: they were played here. ``baseline``
    is named by the suite data, never chosen from results: choosing the best afterwards would be biased.
    """
    wm = row_name(run)
    played: Dict[str, Sequence[EpisodeResult]] = {
        name: point.results for name, point in frozen.items() if point.results
    }
    played.update({name: other.results for name, other in runs.items()})
    played[wm] = run.results
    points: Dict[str, Metric] = {name: point.success for name, point in frozen.items()}
    points.update({name: rate(success_sample(results)) for name, results in played.items()})
    rows = [
        ReferenceRow(
            name,
            points[name],
            gain_of(name, points, played, (baseline, CEILING)),
            _source(name, wm, runs, frozen),
            name == wm,
        )
        for name in points
    ]
    return tuple(sorted(rows, key=lambda row: (row.success.value, row.name)))


def row_name(run: RunData) -> str:
    """Return what a run is called in the table: its world model, with what was changed of it."""
    changed = ", ".join(f"{name}={value}" for name, value in sorted(run.identity.wm_overrides.items()))
    return f"{run.identity.wm} ({changed})" if changed else run.identity.wm


def _episodes(run: RunData) -> Set[str]:
    return {r.episode for r in run.results}


def _complete(run: RunData) -> bool:
    counts = state_counts(run.results)
    return counts["ok"] + counts["failed"] == counts["planned"] > 0


def _source(name: str, wm: str, runs: Mapping[str, RunData], frozen: Mapping[str, ReferencePoint]) -> str:
    if name == wm:
        return "this run"
    if name in runs:
        return f"run {runs[name].record.run_id}"
    return frozen[name].source
