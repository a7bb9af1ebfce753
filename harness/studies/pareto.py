"""Success against what a decision costs: ``python -m harness.studies.pareto RUNS... --throughput FILE... --out DIR``.

A point is a finished run and the seconds of a decision of the same world model, weights and settings with as many
candidates, on decisions of the same tier, measured by ``benchmark.py throughput --scenario offline --tier TIER`` (of
several measurements on one machine the median). What has no service to be measured (`gtsim`) takes the mean seconds in
which runs imagined, on each machine where a given run says them: its own or another of as many candidates on the tier.
Writes ``pareto.md`` and one SVG for each machine and each set of episodes; nothing is played.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.commands import FIRST_TASK
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.printing import one_line, printable
from harness.contracts.results import Metric
from harness.records.atomic import write_atomic
from harness.records.errors import disk_errors
from harness.records.folder import RunFolder
from harness.records.model_parts import weights_of
from harness.reporting.curves import Curve, curve_svg
from harness.reporting.pareto import Priced, front_of
from harness.scoring.data import RunData
from harness.scoring.metrics import rate, success_sample
from harness.scoring.references import row_name
from harness.studies.markdown_sections import code_block, columns, percent
from harness.studies.run_selection import PassedOver, incomplete, not_of_suite, run_folders, sound_run
from harness.throughput.results import Result, read_result
from harness.throughput.scenarios import OFFLINE
from tasks.suite import Suite, load_suite

IMAGINE = "imagine"
DECISIONS = "decisions"
NOTE = (
    "Success in per cent with 95 % intervals clustered by home. *front*: no other solves as much in less time, or more "
    "in as much; that says nothing of whether the difference is more than luck. Seconds were measured with decisions "
    "of the tier that was played, from the decision bank, or in a run where a world model has no service of its own."
)

Costs = Dict[Tuple[str, str, int], List[Tuple[str, float]]]
"""(machine, seconds of a decision) of each measurement, by the manifest's hash, the tier whose episodes hold the
decisions, and the candidates of one."""


@dataclass(frozen=True)
class Point:
    """A run of one world model: ``own`` says that the seconds are those of runs, not of a measurement."""

    name: str
    candidates: int
    success: Metric
    seconds: float
    own: bool


@dataclass(frozen=True)
class Figure:
    """The points of one machine on the same episodes."""

    machine: str
    tier: str
    split: str
    stop: str
    episodes: int
    points: Tuple[Point, ...]

    @property
    def title(self) -> str:
        """What is drawn."""
        return (
            f"Success against seconds a decision on {self.machine}: {self.tier}, {self.split} split, "
            f"{self.stop}-stop, {self.episodes} episodes"
        )


def costs_of(suite: Suite, files: Sequence[Path]) -> Costs:
    """Return what decisions cost; a result that counts for nothing or is of another scenario raises Refusal."""
    found: Dict[Tuple[str, str, int, str], List[float]] = defaultdict(list)
    for file in files:
        result = read_result(file)
        if not result.valid or result.settings.scenario != OFFLINE or not result.rates.decisions_per_s:
            raise Refusal(
                f"{file} is no measurement of the scenario {OFFLINE} that counts.", "Leave it out, or measure again."
            )
        if result.replicas > 1:
            raise Refusal(
                f"{file} measured {result.replicas} replicas, which may share a GPU.", "Measure one: --wm-gpu 0."
            )
        states = suite.tier(result.settings.tier).episodes_of
        key = (result.model.manifest_hash, states, result.candidates, machine_of(result))
        found[key].append(1.0 / result.rates.decisions_per_s)
    return _by_machine(found)


def _by_machine(found: Mapping[Tuple[str, str, int, str], Sequence[float]]) -> Costs:
    costs: Costs = defaultdict(list)
    for (manifest, states, candidates, machine), seconds in found.items():
        costs[manifest, states, candidates].append((machine, statistics.median(seconds)))
    return costs


def machine_of(result: Result) -> str:
    """Return the GPUs that a model was measured on, or the CPU where it used none."""
    if result.resources.gpus:
        return " + ".join(result.resources.gpus)
    return str(result.machine.hardware.get("cpu", "an unknown CPU"))


def make_figures(suite: Suite, roots: Sequence[Path], costs: Costs) -> Tuple[List[Figure], List[PassedOver]]:
    """Return a figure for each machine and set of episodes with two points or more, and the runs on none."""
    listed, unread = run_folders(roots)
    passed = [PassedOver(folder.path.name, folder.why) for folder in unread]
    placed: Dict[Tuple[str, str, str, str, Tuple[str, ...]], Dict[Tuple[str, int], Point]] = defaultdict(dict)
    latest: Dict[Tuple[object, ...], str] = {}
    runs: List[RunData] = []
    for folder in listed:  # the oldest comes first, so that the latest of two alike stays
        run, reason = sound_run(folder, lambda asked: _reason(asked, suite))
        if run is None:
            passed.append(PassedOver(folder.record.run_id, reason))
        else:
            runs.append(run)
    own = own_costs(suite, runs)
    for run in runs:
        points = list(_points(run, suite, costs, own))
        if not points:
            passed.append(PassedOver(run.record.run_id, "no measurement of its model with as many candidates is given"))
        identity = run.identity
        episodes = tuple(sorted(episode.id for episode in identity.episodes))
        for machine, point in points:
            key = (machine, identity.tier, identity.split, identity.stop, episodes)
            model = (identity.wm_manifest_hash, point.candidates)
            if model in placed[key]:
                earlier = PassedOver(latest[key, model], f"{run.record.run_id} is later and of the same model")
                passed += [earlier] if earlier not in passed else []
            placed[key][model], latest[key, model] = point, run.record.run_id
    figures = [
        Figure(*key[:4], len(key[4]), tuple(sorted(points.values(), key=lambda point: (point.seconds, point.name))))
        for key, points in placed.items()
        if len(points) > 1
    ]
    return sorted(figures, key=lambda figure: figure.title), passed


def _reason(folder: RunFolder, suite: Suite) -> str:
    """Return why a run is no point, "" where it may be."""
    limits = [stamp for stamp in folder.identity.search.stamps if not stamp.startswith("candidates")]
    limited = f"its search is limited: {', '.join(limits)}" if limits else ""
    return not_of_suite(folder.identity, suite) or limited or incomplete(folder)


def _points(run: RunData, suite: Suite, costs: Costs, own: Costs) -> Iterator[Tuple[str, Point]]:
    """Yield the machine and the point of each measurement that belongs to a run, or of what runs say themselves."""
    key = _asked(run, suite)
    success = rate(success_sample(run.results))
    for found in (costs, own):
        for machine, seconds in found.get(key, []):
            yield machine, Point(_name(run), key[2], success, seconds, found is own)
        if key in found:
            return


def _asked(run: RunData, suite: Suite) -> Tuple[str, str, int]:
    """Return what decides what a decision of a run costs: its model, the tier of its episodes, and its candidates."""
    identity, tier = run.identity, suite.tier(run.identity.tier)
    return identity.wm_manifest_hash, tier.episodes_of, identity.search.candidates or tier.candidates


def own_costs(suite: Suite, runs: Sequence[RunData]) -> Costs:
    """Return the mean seconds in which each run of a model without a service imagined for a decision."""
    found: Dict[Tuple[str, str, int, str], List[float]] = defaultdict(list)
    for run in runs:
        seconds = _own_seconds(run)
        if seconds is not None and run.identity.wm_manifest.get("kind") != "plugin":
            cpu = str(run.record.provenance.hardware.get("cpu", "an unknown CPU"))
            found[(*_asked(run, suite), cpu)].append(seconds)
    return _by_machine(found)


def _name(run: RunData) -> str:
    """Return what a point is called: trainings of one model are told apart by their weights."""
    sha256 = weights_of(run.identity)
    return row_name(run) + (f", weights {sha256[:8]}" if sha256 else "")


def _own_seconds(run: RunData) -> Optional[float]:
    """Return the mean seconds in which a run imagined for a decision, None where it did not say them (an archive)."""
    decisions = sum(result.metrics.get(DECISIONS, 0.0) for result in run.results)
    spent = [result.timings[IMAGINE] for result in run.results if IMAGINE in result.timings]
    return sum(spent) / decisions if decisions and len(spent) == len(run.results) else None


def page(suite: Suite, figures: Sequence[Figure], passed: Sequence[PassedOver], command: str) -> str:
    """Return the page of all figures."""
    parts = [f"# What success costs on `{suite.name}`, task `{suite.task}`", f"{NOTE} No digit is written by hand."]
    parts.append(code_block([command]))
    for number, figure in enumerate(figures):
        best = front_of([Priced(point.name, "", point.success, point.seconds) for point in figure.points])
        table = columns(
            list(enumerate(figure.points)),
            ("world model", lambda at: f"`{at[1].name}`"),
            ("candidates", lambda at: str(at[1].candidates)),
            ("seconds a decision", lambda at: f"{at[1].seconds:.3g}{' (in runs)' if at[1].own else ''}"),
            ("success", lambda at: percent(at[1].success)),
            ("front", lambda at, best=best: "yes" if at[0] in best else ""),  # type: ignore[misc]
        )
        parts += [f"## {figure.title}", f"![{figure.title}]({_file(number)})", table]
    unused = "\n".join(f"- `{one.run_id}`: {one.reason}" for one in passed)
    return "\n\n".join([*parts, "## Runs not used", unused or "None."]) + "\n"


def picture(figure: Figure) -> str:
    """Return the SVG of a figure: a line for each world model, through its numbers of candidates."""
    names = list(dict.fromkeys(point.name for point in figure.points))
    curves = [Curve(name, tuple((p.seconds, p.success) for p in figure.points if p.name == name)) for name in names]
    return curve_svg(figure.title, "seconds a decision", curves, logarithmic=True)


def _file(number: int) -> str:
    return f"pareto-{number}.svg"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Write the page and its pictures; return 0, or 2 after a refusal."""
    parser = argparse.ArgumentParser(prog="python -m harness.studies.pareto", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--throughput", nargs="+", type=Path, default=[], help="results of throughput (JSON)")
    parser.add_argument("--out", type=Path, required=True, help="where the page and its pictures are written")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--task", default=FIRST_TASK)
    given = parser.parse_args(arguments)
    try:
        suite = load_suite(given.suite, given.task)
        figures, passed = make_figures(suite, given.runs, costs_of(suite, given.throughput))
        files = {_file(number): picture(figure) for number, figure in enumerate(figures)}
        told = f"{parser.prog} {' '.join(map(str, given.runs))} --throughput ... --out {given.out}"
        files["pareto.md"] = page(suite, figures, passed, told)
        with disk_errors(given.out):
            given.out.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                write_atomic(given.out / name, text.encode())
    except WiwError as error:
        print(printable(f"error: {error.what}\n{error.next_step}".rstrip()), file=sys.stderr)
        return 2
    for name in files:
        print(given.out / name)
    for one in passed:
        print(one_line(f"not used {one.run_id}: {one.reason}"), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
