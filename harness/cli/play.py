"""The main command: plan a run, play it (or continue one), and say what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.auditing.audit import audit
from harness.cli.console import note, print_json, say
from harness.cli.failures import partial_lines, results_of, telling_how_on
from harness.cli.progress import ProgressLine, ReadingLine
from harness.cli.results import finish, headline
from harness.contracts.commands import command
from harness.contracts.errors import Refusal
from harness.contracts.folders import require_writable
from harness.contracts.results import FAILED, OK, PLAYED
from harness.records.damage import DAMAGED, Damage
from harness.records.folder import RunFolder
from harness.records.listing import read_runs
from harness.records.model_parts import unknown_parts
from harness.records.resuming import recorded_words, resume_command
from harness.running.continuing import Continuation, plan_again
from harness.running.dry_run import estimate, fact_lines, plan_facts
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan
from harness.running.progress import BROKEN_CODE, RunOutcome
from harness.running.run_options import RunOptions
from harness.running.scenes import prepare_scenes
from harness.running.services import check_interpreters
from harness.worldmodels.preparing import Choice
from harness.worldmodels.strangers import UNSANDBOXED, warning
from tasks.suite import load_suite


def play(options: RunOptions, out: Path, as_json: bool, references: bool) -> int:
    """Play one run, after its references where asked; return its exit code.

    With ``references`` a run of exactly this identity that was played to its end under ``out`` is taken as it is: what
    was asked for is what it lacks. One that was not played to its end is to be continued, which Refusal says.
    """
    from harness.running import runs

    plan = runs.joined(make_plan(options, ReadingLine()))
    check_interpreters(plan)
    check_writable(out)
    warn(plan)
    prepare_scenes(plan, note)
    if references:
        done = reusable(plan, out)
        if done is None:
            refuse_unfinished(plan, out)
        play_references(options, plan, out)
        if done is not None:
            note(f"the run itself is not played again: {done.path}")
            return tell(done, out, as_json)
    folder = runs.create(plan, out)
    with reported(folder, plan, as_json) as progress:
        outcome = runs.play(folder, plan, progress)
    return conclude(outcome, plan, out, as_json)


def resume(run: Path, continuation: Continuation, retry_errors: bool, as_json: bool) -> int:
    """Continue a run where it stopped; return its exit code."""
    from harness.running import runs

    folder = RunFolder.open(run)
    plan = runs.joined(plan_again(folder, continuation, ReadingLine()))
    check_interpreters(plan)
    warn(plan)
    if unknown := unknown_parts(folder.identity, plan.identity):
        note(f"whether the world model is still the one that the run began with is not known: {unknown}")
    prepare_scenes(plan, note)
    with reported(folder, plan, as_json) as progress:
        outcome = runs.go_on(folder, plan, progress, retry_errors)
    return conclude(outcome, plan, run.absolute().parent, as_json)


def warn(plan: RunPlan) -> None:
    """Say before anything runs that a stranger's code is about to run outside a sandbox."""
    if UNSANDBOXED in plan.identity.stamps:
        note(warning(plan.identity.wm))


@dataclass(frozen=True)
class WantedReference:
    """A reference that a run asks for: its plan, and where its results are already ("" where it must be played)."""

    name: str
    plan: RunPlan
    given_by: str


def wanted_references(options: RunOptions, plan: RunPlan, out: Path) -> list[WantedReference]:
    """Return every reference of the suite but the run itself, and what gives it already: a run, or the suite's data.

    What the suite ships was played under this hash, each episode with its trajectory's digest, so it gives any of them.
    """
    from harness.studies.shipped_references import shipped_references

    identity = plan.identity
    suite = load_suite(identity.suite, identity.task)
    shipped = shipped_references(suite, identity)
    wanted = []
    for reference in suite.tier(identity.tier).references:
        if reference.wm == identity.wm and not identity.wm_overrides:
            continue
        chosen = replace(
            options,
            wm=reference.wm,
            suite=identity.suite,
            tier=identity.tier,
            environment="",
            wm_python="",
            wm_image="",
            choice=Choice(),
            batch_episodes=None,
        )
        if not suite.tier(identity.tier).asks_model(reference.wm):
            chosen = replace(chosen, wm_share=None, decision_seconds=None, step_seconds=None)
        its_plan = make_plan(chosen, ReadingLine())
        done = reusable(its_plan, out)
        given_by = "" if done is None else str(done.path)
        point = shipped.get(reference.wm)
        if point is not None and {result.seed for result in point.results} == set(its_plan.identity.seeds):
            given_by = given_by or f"what is {point.source}"
        wanted.append(WantedReference(reference.name, its_plan, given_by))
    return wanted


def play_references(options: RunOptions, plan: RunPlan, out: Path) -> None:
    """Play every reference of the suite that neither a finished run under ``out`` nor the suite's data give already."""
    from harness.running import runs

    for reference in wanted_references(options, plan, out):
        if reference.given_by:
            note(f"reference {reference.name}: reused from {reference.given_by}")
            continue
        its_plan = runs.joined(reference.plan)
        folder = runs.create(its_plan, out)
        note(f"reference {reference.name}: playing")
        with reported(folder, its_plan, as_json=True) as progress:
            outcome = runs.play(folder, its_plan, progress)
        if outcome.interrupted:
            why = f" after {outcome.stopped}" if outcome.stopped else ""
            raise Refusal(f"stopped{why} while playing reference {reference.name}.", "Run the same command again.")
        note(headline(finish(folder, out).summary))


def reusable(plan: RunPlan, out: Path) -> RunFolder | None:
    """Return a run under ``out`` with exactly this identity whose episodes were all played to their end, or None.

    One with an episode that broke would be refused as a reference, so reusing it would leave the reference out. A run
    from before digests were written down is taken at its manifest.
    """
    for folder in same_runs(plan, out):
        if all(row.result.state in PLAYED for row in folder.rows()):
            if not audit(folder).findings.damage:
                return folder
            note(f"{folder.path} is {DAMAGED}: it is not reused")
    return None


def same_runs(plan: RunPlan, out: Path) -> Iterator[RunFolder]:
    """Yield the runs under ``out`` with exactly the identity of a plan, finished or not."""
    for folder in read_runs(out).folders:
        identity = folder.identity
        digests = identity.wm_digests or plan.identity.wm_digests
        if replace(identity, wm_digests=digests) == plan.identity:
            yield folder


def refuse_unfinished(plan: RunPlan, out: Path) -> None:
    """Raise Refusal where a run of this identity was begun under ``out``: what it has played is not played again."""
    for folder in same_runs(plan, out):
        results = [row.result for row in folder.rows()]
        states = {result.state for result in results}
        if not states & {OK, FAILED} or states <= {OK, FAILED}:
            continue  # nothing would be played twice; or it is complete and damaged
        raise Refusal(
            f"this run was begun in {folder.path} and not played to its end.",
            f"Continue it: {resume_command(folder.path, recorded_words(folder.record), results)}\n"
            "Then give this command again: it plays the references alone. To begin anew: another --out.",
        )


def dry_run(options: RunOptions, out: Path, as_json: bool, references: bool = False) -> int:
    """Print what would be played and what it would cost, from earlier runs where there are any."""
    plan = make_plan(options, ReadingLine())
    check_interpreters(plan)
    require_writable(out, "Choose another folder with --out.")
    facts = plan_facts(plan, out)
    if references:
        facts |= reference_facts(options, plan, out)
    if as_json:
        print_json(facts)
    else:
        for line in fact_lines(facts):
            say(line)
    return 0


def reference_facts(options: RunOptions, plan: RunPlan, out: Path) -> dict[str, Any]:
    """Return what ``--references`` adds to a dry run: who gives each reference, and the cost of those to be played.

    The seconds are unknown (None) as soon as those of one reference are.
    """
    wanted = wanted_references(options, plan, out)
    unplayed = [reference for reference in wanted if not reference.given_by]
    seconds = [estimate(reference.plan, out)[0] for reference in unplayed]
    known = [second for second in seconds if second is not None]
    done = reusable(plan, out)
    return {
        "references": {reference.name: reference.given_by or "to be played" for reference in wanted},
        "reference_episodes": sum(len(reference.plan.identity.keys()) for reference in unplayed),
        "reference_seconds_estimated": round(sum(known), 1) if len(known) == len(seconds) else None,
        "run_reused_from": "nothing: it is played" if done is None else str(done.path),
    }


def check_writable(out: Path) -> None:
    """Raise Refusal at once where run folders cannot be made."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):  # of no name: others may start in the same folder at the same moment
            pass
    except OSError as error:
        raise Refusal(f"cannot write to {out}: {error.strerror}.", "Choose another folder with --out.") from error


@contextmanager
def reported(folder: RunFolder, plan: RunPlan, as_json: bool) -> Iterator[ProgressLine]:
    """Show progress while a run is played; an error says how to continue."""
    line = ProgressLine(folder=folder.path)
    if not as_json:
        say(f"run {folder.path}")
    with telling_how_on(lambda ended: resume_command(folder.path, plan.again, results_of(folder), ended)), line:
        yield line


def conclude(outcome: RunOutcome, plan: RunPlan, out: Path, as_json: bool) -> int:
    """Score a run, write its exports and report, print the headline; return the exit code."""
    code = tell(RunFolder.open(outcome.path), out, as_json, outcome.damage)
    if code:
        return code
    if outcome.exit_code:
        how = resume_command(outcome.path, plan.again, results_of(RunFolder.open(outcome.path)))
        for text in partial_lines(outcome, how):
            note(text)
    return outcome.exit_code


def tell(folder: RunFolder, out: Path, as_json: bool, already: tuple[Damage, ...] = ()) -> int:
    """Score a run that was played to its end, write its exports and report, print what it says; return 0, 1 if damaged.

    ``already`` is what was found wrong with it while it was played.
    """
    with telling_how_on(lambda ended: command("report", folder.path)):
        note("scoring ...")
        files = finish(folder, out, already)
    if as_json:
        print_json(files.results)
    else:
        for text in files.lines:
            say(text)
    return BROKEN_CODE if files.summary.findings.damage else 0
