"""What a finished run says: summary, exports, report, and the lines that are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.auditing.audit import audit
from harness.auditing.model_checks import other_code
from harness.cli.console import note, say
from harness.cli.failures import failure_lines, retry_lines
from harness.contracts.errors import Refusal
from harness.contracts.metrics import SUCCESS
from harness.contracts.printing import counted
from harness.contracts.results import Metric
from harness.records.damage import DAMAGED, Damage, lines_of
from harness.records.folder import RunFolder
from harness.records.listing import ListedRun, Listing, read_runs
from harness.running.progress import BROKEN_CODE
from tasks.subsets import MINI
from tasks.suite import load_suite

if TYPE_CHECKING:  # scipy takes a second or more: a refusal never waits for them
    from harness.scoring.data import RunData
    from harness.scoring.summary import Context, Summary

TEST = "test"


@dataclass(frozen=True)
class Finished:
    """The files and numbers of a scored run; ``lines`` are for people, ``results`` is the plain `results.json`."""

    summary: Summary
    results: dict[str, Any]
    lines: Sequence[str]


def finish(folder: RunFolder, out: Path, already: tuple[Damage, ...] = ()) -> Finished:
    """Score a run beside the references found under ``out``; write exports and report into its folder.

    ``already`` is what was found wrong with it while it was played.
    """
    from harness.reporting.report import write_report
    from harness.scoring.data import checked_run
    from harness.scoring.summary import as_results

    found = audit(folder, already)
    run = checked_run(folder, found.rows, found.findings, found.metrics)
    files = write_report(folder, context_of(folder, out, run), run)
    summary = files.summary
    lines = [*lines_of(summary.findings), headline(summary)]
    if not summary.findings.damage:  # nobody shall read a verdict on numbers that contradict each other
        lines += [*verdict_lines(summary), *reference_lines(summary), *worth_lines(summary)]
    lines += split_lines(summary)
    lines += retry_lines(asdict(summary.retries), "episodes")
    lines += failure_lines(summary.failures, counted(summary.episodes["planned"], "episode"), folder.path)
    lines += [f"note    {remark}" for remark in summary.notes]
    lines += [f"root    {summary.trajectory_root}", f"report  {files.report}"]
    return Finished(summary, as_results(summary), lines)


def context_of(folder: RunFolder, out: Path | None, run: RunData | None = None) -> Context:
    """Return what the suite says beside a run (references played under ``out`` or shipped, baseline, dose curves), and
    how often its world model was run on test homes there. Folders that cannot be read are named on stderr. Where
    ``out`` is None, only what is shipped is known."""
    from harness.scoring.data import load_run
    from harness.scoring.summary import Context
    from harness.studies.doses import read_curves
    from harness.studies.shipped_references import shipped_references

    identity = folder.identity
    listing = read_runs(out) if out is not None else Listing((), ())
    for passed in listing.passed_over:
        note(str(passed))
    tested = [f for f in listing.folders if f.identity.wm == identity.wm and f.identity.split == TEST]
    try:
        suite = load_suite(identity.suite, identity.task)
        tier = suite.tier(identity.tier)
    except Refusal:
        # a run can be reported where its suite's data, or its tier, are gone
        return Context({}, {}, "", len(tested), folder=str(folder.path))
    others = [f for f in listing.runs if f.folder.identity.suite_hash == identity.suite_hash]
    others = [f for f in others if f.folder.path.resolve() != folder.path.resolve()]
    references = sound_references(run or load_run(folder), others, [r.wm for r in tier.references])
    return Context(
        references,
        shipped_references(suite, identity),
        tier.baseline,
        len(tested),
        read_curves(suite),
        suite.split_sizes(identity.tier, identity.split),
        str(folder.path),
        tuple(reference.wm for reference in tier.references),
    )


def sound_references(run: RunData, others: Sequence[ListedRun], names: Sequence[str]) -> dict[str, RunData]:
    """Return the reference run for each name among ``others``.

    A damaged one, and one that played other code of its world model than is here, is named on stderr and passed over.
    """
    from harness.scoring.data import checked_run
    from harness.scoring.references import matching_runs

    folders = {listed.folder.record.run_id: listed.folder for listed in others}
    left = [checked_run(listed.folder, listed.rows) for listed in others]
    checked: set[str] = set()
    while True:
        found = matching_runs(run, left, names)
        unchecked = [other for other in found.values() if other.record.run_id not in checked]
        if not unchecked:
            return found
        for other in unchecked:
            checked.add(other.record.run_id)
            folder = folders[other.record.run_id]
            damage = audit(folder).findings.damage
            why = f"is {DAMAGED} ({damage[0]})" if damage else ""
            if not why and other_code(folder.identity):
                why = "played other code of this world model than is here"
            if why:
                note(f"reference {other.identity.wm}: {folder.path} {why}; it is passed over")
                left.remove(other)


def percent(metric: Metric) -> str:
    """Return ``83.0 % [75.1, 88.9]``."""
    return f"{100 * metric.value:.1f} % [{100 * metric.low:.1f}, {100 * metric.high:.1f}]"


def headline(summary: Summary) -> str:
    """Return one line: success with its interval, and what it was measured on."""
    identity = summary.identity
    from harness.scoring.verdict import NOTHING_PLAYED

    counts = summary.episodes
    success = percent(summary.metrics[SUCCESS.name]) if summary.played else NOTHING_PLAYED
    episodes, homes = counted(counts["planned"], "episode"), counted(summary.homes, "home")
    subset = f" ({MINI})" if identity.episodes_subset == MINI else ""
    partial = f"  PARTIAL: {summary.played}/{counts['planned']} played" if summary.partial else ""
    partial += f"  {DAMAGED}" if summary.findings.damage else ""
    stamps = f"  [{', '.join(summary.stamps)}]" if summary.stamps else ""
    return (
        f"success {success}  {identity.wm} on {identity.task}/{identity.tier} "
        f"({identity.suite}, {identity.split}, {identity.stop}-stop, {episodes}{subset} in {homes})"
        f"{partial}{stamps}"
    )


def split_lines(summary: Summary) -> list[str]:
    """Return a line that says how often the model was run on test homes here: each time is a chance to choose by it."""
    if summary.identity.split != TEST:
        return []
    return [f"tests   {summary.test_runs} of {summary.identity.wm} on a test split here, this one among them"]


def reference_lines(summary: Summary) -> list[str]:
    """Return one line a reference that was played on the same episodes."""
    lines = []
    for row in summary.references:
        if not row.is_this_run:
            lines.append(f"        {percent(row.success)}  {row.name}")
    return lines


def verdict_lines(summary: Summary) -> list[str]:
    """Return what the run says of its world model, and the command that would tell more, where there is one.

    That of a partial run is left to the last line of all, which says how to continue.
    """
    from harness.scoring.verdict import PARTIAL

    verdict = summary.verdict
    lines = [f"verdict {verdict.text}"]
    if verdict.next_step and verdict.kind != PARTIAL:
        lines.append(f"        to know: {verdict.next_step}")
    return lines


def worth_lines(summary: Summary) -> list[str]:
    """Return a line for each planted error that the tier has a dose curve of: which dose costs as much."""
    told = [equivalent.text for equivalent in summary.equivalents if equivalent.text != summary.verdict.text]
    return [f"worth   {text.removeprefix('worth ')}" for text in told]


def report(run: Path, as_json: bool) -> int:
    """Write a run's exports and report again, from its files."""
    from harness.cli.console import print_json

    files = finish(RunFolder.open(run), run.absolute().parent)
    damaged = bool(files.summary.findings.damage)
    if as_json:
        print_json(files.results)
    else:
        for line in files.lines:
            say(line)
    return BROKEN_CODE if damaged else 0
