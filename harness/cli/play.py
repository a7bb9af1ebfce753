"""The main command: plan a run, play it (or continue one), and say what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.auditing.audit import audit
from harness.cli.console import note, print_json, say
from harness.cli.continuing import Continuation, plan_again
from harness.cli.failures import partial_lines, results_of, telling_how_on
from harness.cli.options import RunOptions, make_plan
from harness.cli.progress import ProgressLine
from harness.cli.results import finish, headline
from harness.cli.scenes import prepare_scenes
from harness.contracts.commands import command
from harness.contracts.errors import Refusal
from harness.contracts.folders import require_writable
from harness.contracts.manifests import NONE
from harness.contracts.results import FAILED, OK, PLAYED
from harness.records.damage import DAMAGED, Damage
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity
from harness.records.listing import read_runs
from harness.records.model_parts import unknown_parts
from harness.records.resuming import recorded_words, resume_command
from harness.running.interpreters import check_interpreters
from harness.running.plan import RunPlan
from harness.running.progress import BROKEN_CODE, RunOutcome
from harness.worldmodels.digests import commits_of
from harness.worldmodels.preparing import UNPINNED, Choice
from harness.worldmodels.strangers import UNSANDBOXED, warning
from tasks.suite import load_suite


def play(options: RunOptions, out: Path, as_json: bool, references: bool) -> int:
    """Play one run, after its references where asked; return its exit code.

    With ``references`` a run of exactly this identity that was played to its end under ``out`` is taken as it is: what
    was asked for is what it lacks. One that was not played to its end is to be continued, which Refusal says.
    """
    from harness.running import runs

    plan = make_plan(options)
    check_interpreters(plan)
    check_writable(out)
    warn(plan)
    prepare_scenes(plan)
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
    plan = plan_again(folder, continuation)
    check_interpreters(plan)
    warn(plan)
    if unknown := unknown_parts(folder.identity, plan.identity):
        note(f"whether the world model is still the one that the run began with is not known: {unknown}")
    prepare_scenes(plan)
    with reported(folder, plan, as_json) as progress:
        outcome = runs.resume(run, plan, progress, retry_errors)
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
    from harness.studies.reference_files import shipped_references

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
        )
        its_plan = make_plan(chosen)
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
        folder = runs.create(reference.plan, out)
        note(f"reference {reference.name}: playing")
        with reported(folder, reference.plan, as_json=True) as progress:
            outcome = runs.play(folder, reference.plan, progress)
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
    plan = make_plan(options)
    check_interpreters(plan)
    require_writable(out, "Choose another folder with --out.")
    counted = reference_facts(options, plan, out) if references else {}
    from harness.running.rollouts import rollouts_at_most

    identity = plan.identity
    rows = len(identity.keys())
    per_episode = 0 if identity.wm_manifest["kind"] == NONE else rollouts_at_most(identity)
    seconds, source = estimate(plan, out)
    started = [service.kind for service in (plan.environment, plan.world_model) if service is not None]
    images = {kind: {"runtime": "docker", **asdict(image)} for kind, image in plan.images.items()}
    facts: dict[str, Any] = {
        "suite": identity.suite,
        "suite_hash": identity.suite_hash,
        "task": identity.task,
        "tier": identity.tier,
        "split": identity.split,
        "stop": identity.stop,
        "wm": identity.wm,
        "wm_overrides": dict(identity.wm_overrides),
        "weights": identity.wm_manifest["weights"] or "none",
        "checkpoints": loaded(identity),
        "stamps": list(identity.stamps),
        "planner": identity.planner,
        "seeds": list(identity.seeds),
        "episodes": rows,
        "episodes_subset": identity.episodes_subset,
        "homes": len({e.home for e in identity.episodes}),
        "rollouts_at_most": rows * per_episode,
        "workers": plan.workers,
        "services": {kind: {"runtime": "process"} for kind in started} | images,
        "seconds_estimated": seconds,
        "estimate_from": source,
        **counted,
    }
    if as_json:
        print_json(facts)
    else:
        width = max(map(len, facts))
        for kind, service in facts.pop("services").items():
            facts[kind] = "  ".join(part for part in service.values() if part)
        for name, value in facts.items():
            shown = "; ".join(f"{part}: {fact}" for part, fact in value.items()) if name == "references" else value
            say(f"{name:<{width}}  {'unknown' if shown is None else shown}")
    return 0


def loaded(identity: RunIdentity) -> list[str]:
    """Return what of the hub a run loads, with its commit, and whether it was the plugin.toml that named it."""
    commits = commits_of(identity.wm_digests)
    sources = {field: identity.wm_manifest[field]["source"] for field in commits}
    note = " (not pinned: what the cache holds now)" if UNPINNED in identity.stamps else ""
    return [f"{sources[field]}@{commit}{note}" for field, commit in commits.items()]


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


def estimate(plan: RunPlan, out: Path) -> tuple[float | None, str]:
    """Return the expected seconds of a run and the run that they come from: the latest of the same WM and tier."""
    for listed in reversed(read_runs(out).runs):
        folder = listed.folder
        same = (folder.identity.wm, folder.identity.suite_hash) == (plan.identity.wm, plan.identity.suite_hash)
        seconds = [row.result.timings.get("episode", 0.0) for row in listed.rows] if same else []
        played = [s for s in seconds if s > 0.0]
        if played:
            total = sum(played) / len(played) * len(plan.identity.keys()) / plan.workers
            return round(total, 1), folder.path.name
    return None, "no earlier run of this world model and tier here"


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
    line = ProgressLine(len(folder.identity.keys()), folder=folder.path)
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
