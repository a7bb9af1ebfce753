"""`throughput`: what a decision costs with a world model, measured through its service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from harness.cli.arguments import RUNS, Assignments, Json, Plugins, Weights, Wm, WmGpu, WmPython, taking
from harness.cli.console import note, print_json, print_table, say
from harness.cli.live import LiveBar
from harness.contracts.commands import FIRST_TASK
from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from harness.contracts.manifests import ModelManifest
    from harness.runtimes.service import ServiceSpec
    from harness.throughput.decisions import Situation
    from harness.throughput.results import Machine, Result
    from harness.throughput.scenarios import Settings

BROKEN = 1
SUITE = "embedded"
STAMP = "%Y%m%d-%H%M%S"
PAGE_FILE = "throughput.html"
EPISODES = 12
"""Episodes of the decision bank whose first two decisions are asked."""

EXAMPLE = "For example: python benchmark.py throughput --wm warp --scenario offline"


@dataclass(frozen=True)
class ThroughputArguments:
    """What stands on the command line, as it was given."""

    wm: Wm = ""
    scenario: Annotated[str, typer.Option("--scenario", help="offline, single-stream, multi-stream or server.")] = (
        "offline"
    )
    tier: Annotated[
        str, typer.Option("--tier", help="The tier of the embedded suite whose decisions are asked: easy, precise, ...")
    ] = "easy"
    candidates: Annotated[
        int, typer.Option("--candidates", min=0, help="Candidates of a decision; 0: all of the suite's loop.")
    ] = 0
    seed: Annotated[int, typer.Option("--seed", help="Seed of requests and arrivals.")] = 0
    duration: Annotated[float, typer.Option("--duration", min=0.0, help="Seconds that are measured at least.")] = 10.0
    longest: Annotated[float, typer.Option("--max-duration", min=0.0, help="Seconds after which it ends early.")] = (
        120.0
    )
    min_queries: Annotated[
        int, typer.Option("--min-queries", min=0, help="Queries at least; 0: what the percentile needs.")
    ] = 0
    per_query: Annotated[
        int, typer.Option("--decisions-per-query", min=1, help="multi-stream: decisions of a query.")
    ] = 8
    rate: Annotated[float, typer.Option("--rate", min=0.0, help="server: queries that arrive a second.")] = 0.0
    bound: Annotated[
        float, typer.Option("--latency-bound", min=0.0, help="server: seconds that percentile 99 shall keep.")
    ] = 0.0
    warm_up: Annotated[
        int, typer.Option("--warm-up", min=1, help="Decisions that are asked first and not counted.")
    ] = 2
    cache_check: Annotated[
        bool, typer.Option("--cache-check/--no-cache-check", help="Look whether answers are kept; without, it is said.")
    ] = True
    roofline: Annotated[
        bool, typer.Option("--roofline/--no-roofline", help="Count operations on a GPU; without, it is said.")
    ] = True
    weights: Weights = ""
    assignments: Assignments = None
    allow_uncarded: Annotated[
        bool, typer.Option("--allow-uncarded", help="Measure weights without a complete card.")
    ] = False
    wm_python: WmPython = ""
    wm_gpu: WmGpu = ""
    plugins: Plugins = None
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds that one call may take.")] = 600.0
    start_timeout: Annotated[
        float, typer.Option("--start-timeout", min=0.1, help="Seconds until the world model must be ready.")
    ] = 600.0
    out: Annotated[
        Optional[Path], typer.Option("--out", help="Folder of the result. [runs/throughput-WM-SCENARIO-TIME]")
    ] = None
    as_json: Json = False


@taking(ThroughputArguments)
def throughput_command(asked: ThroughputArguments) -> int:
    """Measure what a decision costs: decisions a second, percentiles of latency, parts, memory. Exit code 1 where the
    model failed or answered from memory."""
    if not asked.wm:
        raise Refusal("--wm missing.", EXAMPLE)
    from harness.conformance.target import find_target
    from harness.running.run_options import interpreter
    from harness.running.services import find_gpus
    from harness.throughput.results import RESULT_FILE, as_plain
    from harness.throughput.scenarios import check_replicas
    from harness.worldmodels.preparing import Choice

    settings = settings_of(asked)
    gpus = find_gpus(asked.wm_gpu)
    check_replicas(settings, len(gpus))
    choice = Choice(tuple(asked.assignments or ()), asked.weights, asked.allow_uncarded)
    python = interpreter(asked.wm_python, "--wm-python")
    target = find_target(asked.wm, "", python, tuple(asked.plugins or ()), choice)
    out = asked.out or RUNS / f"throughput-{target.entry.manifest.name}-{asked.scenario}-{time.strftime(STAMP)}"
    if (out / RESULT_FILE).exists():
        raise Refusal(f"{out} holds a result already.", "Give another --out.")
    plans = [target.plan.on_gpu(gpu) for gpu in gpus] or [target.plan]
    result = measured(plans, target.entry.manifest, settings, choice.assignments, out)
    if asked.as_json:
        print_json(as_plain(result))
    else:
        show(result)
        say(f"{out / PAGE_FILE}, {RESULT_FILE} beside it")
    return 0 if result.valid else BROKEN


def settings_of(asked: ThroughputArguments) -> Settings:
    """Return the settings of a measurement; those that exclude each other raise Refusal."""
    from harness.throughput.scenarios import Settings

    return Settings(
        scenario=asked.scenario,
        tier=asked.tier,
        seed=asked.seed,
        candidates=asked.candidates,
        duration_s=asked.duration,
        longest_s=asked.longest,
        min_queries=asked.min_queries,
        per_query=asked.per_query,
        rate=asked.rate,
        bound_s=asked.bound,
        warm_up=asked.warm_up,
        deadline_s=asked.timeout,
        start_s=asked.start_timeout,
        cache_check=asked.cache_check,
        roofline=asked.roofline,
    )


def measured(
    plans: Sequence[ServiceSpec], manifest: ModelManifest, settings: Settings, overrides: Sequence[str], out: Path
) -> Result:
    """Measure with a replica a plan, write the result into ``out``, and return it."""
    from harness.records.atomic import write_atomic
    from harness.reporting.throughput_page import page_html
    from harness.throughput.measuring import measure_model
    from harness.throughput.results import RESULT_FILE, Model, Result, as_plain, encoded
    from harness.throughput.roofline import roofline_of
    from harness.throughput.serving import serving
    from harness.throughput.texts import findings, rows, title

    out.mkdir(parents=True, exist_ok=True)
    with Line() as line:
        line("real views", 0, 0)
        situations = banked_situations(manifest.name, settings.tier)
        line(f"starting {manifest.name}", 0, 0)
        with serving(plans, manifest, settings, out / "service.log") as session:
            found = measure_model(session, manifest, situations, settings, line)
        line("counting operations", 0, 0)
        roofline = roofline_of(plans[0], manifest, situations, settings, found)
    parts = {field.name: getattr(found, field.name) for field in fields(found)}
    model = Model(manifest.name, manifest.digest(), manifest.weights, tuple(overrides))
    result = Result(model=model, settings=settings, roofline=roofline, machine=machine(), **parts)
    write_atomic(out / RESULT_FILE, encoded(result))
    page = page_html(title(result), list(rows(result)), findings(result), as_plain(result))
    write_atomic(out / PAGE_FILE, page.encode())
    return result


def banked_situations(wm: str, tier_name: str) -> list[Situation]:
    """Return real decisions of a tier from the suite's bank: views, candidates and frames wanted, and what was seen
    before; Refusal where the suite has no such tier."""
    from harness.banking.states import frozen_state
    from harness.throughput.decisions import Situation
    from harness.worldmodels.imaginer import EarlierView
    from tasks.bank_files import bank_path, read_bank
    from tasks.registry import load_task
    from tasks.suite import PANORAMA, load_suite

    suite = load_suite(SUITE, FIRST_TASK)
    tier = suite.tier(tier_name)
    if tier.view != PANORAMA:
        raise Refusal(
            f"the bank keeps no panoramas of tier {tier_name!r}, from which decisions are asked.",
            "Name a tier of panoramas, such as --tier easy: perspective models are asked from their fronts.",
        )
    bank = read_bank(suite, tier, bank_path(suite))
    parts = load_task(FIRST_TASK).parts_of(tier, wm)
    episodes = sorted({kept.episode for kept in bank.states})
    chosen = set(episodes[:: max(1, len(episodes) // EPISODES)][:EPISODES])
    states = [frozen_state(bank, kept, parts, suite) for kept in bank.states if kept.episode in chosen]
    seen = {(state.episode, state.decision): state.view for state in states}
    found = []
    for state in states:
        ends = [
            tuple(sorted({frame for end in state.proposal.ends if end.candidate == i for frame in end.frames}))
            for i in range(len(state.proposal.candidates))
        ]
        earlier = tuple(
            EarlierView(seen[state.episode, number], sum(state.executed[number:], ()))
            for number in range(state.decision)
        )
        found.append(Situation(state.view, state.proposal.candidates, tuple(ends), earlier))
    return found


def machine() -> Machine:
    """Return where this is measured."""
    import sys

    from harness.contracts.from_source import CHECKOUT
    from harness.records.provenance import provenance
    from harness.throughput.results import Machine

    found = provenance(sys.argv, CHECKOUT)
    return Machine(found.hardware, found.versions, found.git_commit, found.created_at, found.command)


def show(result: Result) -> None:
    """Print a result for a person."""
    from harness.throughput.texts import findings, rows, title

    print_table(title(result), ("measured", "value", "note"), rows(result))
    for text in findings(result):
        note(text)


class Line(LiveBar):
    """Shows what is being measured."""

    def __call__(self, doing: str, done: int, total: int) -> None:
        self.show(f"{doing} · {done}/{total}" if total else doing, done, total, doing)
