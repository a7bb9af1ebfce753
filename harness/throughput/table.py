"""Prints the rows of a table of measurements: one a model and setting, the median of its runs.

python -m harness.throughput.table RUN/throughput.json ...
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Optional

from harness.contracts.errors import Refusal, WiwError
from harness.throughput.results import Result, read_result
from harness.throughput.scenarios import PERCENTILE

GB = 1e9
USAGE = 2

Column = Callable[[Result], Optional[float]]

COLUMNS: dict[str, Column] = {
    "start (s)": lambda result: result.warm_up.start_s,
    "compile (s)": lambda result: result.warm_up.compile_s or None,
    "decisions/s": lambda result: result.rates.decisions_per_s,
    "s/rollout": lambda result: 1.0 / result.rates.rollouts_per_s if result.rates.rollouts_per_s else None,
    "latency (s)": lambda result: _latency(result),
    "CPU (s/decision)": lambda result: _each(result, result.resources.cpu_s),
    "memory (GB)": lambda result: _gigabytes(result.resources.rss_bytes),
    "GPU memory (GB)": lambda result: _gigabytes(result.resources.gpu_bytes),
    "J/decision": lambda result: _each(result, result.resources.energy_j),
    "roofline (%)": lambda result: None if result.roofline.share is None else 100.0 * result.roofline.share,
}
"""What stands in a row; ``latency`` is what the scenario's percentile stays below at the confidence."""


def table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of a Markdown table; a result that does not count raises Refusal."""
    head = ("model", "scenario", "tier", "candidates", "runs", *COLUMNS, "output")
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for (name, scenario, tier, candidates), runs in _grouped(results).items():
        numbers = [_median([column(run) for run in runs]) for column in COLUMNS.values()]
        roots = {run.output.root[:8] for run in runs if run.output is not None}
        cells = (name, scenario, tier, str(candidates), str(len(runs)), *numbers, ", ".join(sorted(roots)))
        yield f"| {' | '.join(cells)} |"


def _grouped(results: Sequence[Result]) -> dict[tuple[str, str, str, int], list[Result]]:
    found: dict[tuple[str, str, str, int], list[Result]] = {}
    for result in results:
        if not result.valid:
            raise Refusal(f"a result of {result.model.name} does not count: {result.broken[0].text}.", "Leave it out.")
        weights = f", weights {result.model.weights}" if result.model.weights else ""
        changed = "".join(f", {each}" for each in result.model.overrides)
        rate = f" {result.settings.rate:g}/s" if result.settings.rate else ""
        replicas = f", {result.replicas} replicas" if result.replicas > 1 else ""
        scenario = f"{result.settings.scenario}{rate}{replicas}"
        key = (f"`{result.model.name}`{weights}{changed}", scenario, result.settings.tier, result.candidates)
        found.setdefault(key, []).append(result)
    return found


def _latency(result: Result) -> Optional[float]:
    percentile = PERCENTILE.get(result.settings.scenario)
    return next((each.bound_s for each in result.latency if each.percentile == percentile), None)


def _each(result: Result, spent: Optional[float]) -> Optional[float]:
    return None if spent is None else spent / result.counts.decisions


def _gigabytes(count: Optional[int]) -> Optional[float]:
    return None if count is None else count / GB


def _median(values: Sequence[Optional[float]]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.3g}" if known else "–"


def main(names: Sequence[str]) -> int:
    """Print the table of the results in these files; return the exit code."""
    try:
        lines = list(table([read_result(Path(name)) for name in names]))
    except WiwError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
