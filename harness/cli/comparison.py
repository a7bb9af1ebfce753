"""What `compare` does: opens the runs, compares them, writes the page, and prints the tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from harness.auditing.audit import audit
from harness.cli.console import note, print_json, print_table, say
from harness.contracts.digest import digest, to_plain
from harness.contracts.errors import Refusal
from harness.contracts.printing import counted
from harness.records.atomic import write_atomic
from harness.records.errors import disk_errors
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity
from harness.scoring.comparing_matching import Terms, check_comparable
from harness.scoring.data import RunData, checked_run
from tasks.suite import load_suite

if TYPE_CHECKING:
    from harness.scoring.comparing import Comparison

COMPARISON_JSON = "compare.json"
NAME_CHARACTERS = 80


def compare_runs(
    paths: Sequence[Path],
    baseline: Optional[Path],
    allow_partial: bool,
    allow_prompts: bool,
    out: Optional[Path],
    as_json: bool,
) -> int:
    """Compare run folders, write the page and its numbers, and print them; return 0."""
    folders, at = choose_runs(paths, baseline)
    terms = terms_of(folders[0].identity, allow_partial, allow_prompts)
    runs = [sound_run(folder) for folder in folders]
    check_comparable(runs, terms)  # refuses before scipy is loaded, which takes seconds
    from harness.reporting.comparison import write_comparison
    from harness.scoring.comparing import as_plain, compare

    comparison = compare(runs, at, terms)
    target = out or folders[0].path.absolute().parent / folder_name(comparison)
    with disk_errors(target):
        target.mkdir(parents=True, exist_ok=True)
    page = write_comparison(target, folders, comparison)
    plain = {**as_plain(comparison), "page": str(page)}
    write_atomic(target / COMPARISON_JSON, json.dumps(plain, indent=1, allow_nan=False).encode())
    if as_json:
        print_json(plain)
    else:
        show(comparison)
        say(f"page    {page}")
    return 0


def sound_run(folder: RunFolder) -> RunData:
    """Return the data of a run; RecordError, which names the rows, for a damaged one: it is compared with nothing."""
    found = audit(folder)
    found.findings.raise_damage(folder.path)
    for sentence in found.findings.unchecked:
        note(f"{folder.path.name}: {sentence}")
    return checked_run(folder, found.rows, found.findings, found.metrics)


def choose_runs(paths: Sequence[Path], baseline: Optional[Path]) -> tuple[list[RunFolder], int]:
    """Return the run folders and the index of the baseline; one that was not listed is put first."""
    chosen = list(paths)
    places = [path.resolve() for path in chosen]
    if baseline is not None and baseline.resolve() not in places:
        chosen.insert(0, baseline)
        places.insert(0, baseline.resolve())
    if len(chosen) < 2:
        raise Refusal("one run cannot be compared.", "Give two run folders or more; `list runs` names them.")
    return [RunFolder.open(path) for path in chosen], 0 if baseline is None else places.index(baseline.resolve())


def terms_of(identity: RunIdentity, allow_partial: bool, allow_prompts: bool) -> Terms:
    """Return what the comparison tolerates, with the loops of references that the suite plays in a way of their own.

    Where the suite's data are gone, or have changed since the run, nothing is known of them and nothing tolerated.
    """
    terms = Terms(allow_partial, allow_prompts)
    try:
        suite = load_suite(identity.suite, identity.task)
        if suite.hash(identity.tier) != identity.suite_hash:
            return terms
    except Refusal:
        return terms
    tier = suite.tier(identity.tier)
    loops = {reference.wm: tier.loop_for(reference.wm) for reference in tier.references}
    own: dict[str, Any] = {wm: to_plain(loop) for wm, loop in loops.items() if loop != tier.loop}
    return Terms(allow_partial, allow_prompts, to_plain(tier.loop), own)


def folder_name(comparison: Comparison) -> str:
    """Return the name of a comparison's folder: the world models, and a hash of the runs."""
    names = "-".join(run.wm for run in comparison.runs)[:NAME_CHARACTERS]
    return f"compare-{names}-{digest([comparison.baseline, [run.run_id for run in comparison.runs]])[:8]}"


def show(comparison: Comparison) -> None:
    """Print what must not be overlooked, the runs, each contrast with its verdict, and the other numbers."""
    from harness.reporting.comparison_texts import number_rows, run_rows, sentence, test_rows

    baseline = comparison.runs[comparison.baseline].label
    for remark in comparison.notes:
        say(f"note    {remark}")
    say(f"pairs   {comparison.pairs} of {comparison.planned} (episode, seed) in {counted(comparison.homes, 'home')}")
    print_table("Runs", *run_rows(comparison))
    print_table(f"Success beside {baseline}", *test_rows(comparison))
    columns, rows = number_rows(comparison)
    if rows:
        print_table(f"Other numbers beside {baseline}", columns, rows)
    for contrast in comparison.contrasts:
        say(f"verdict {sentence(comparison, contrast)}")
    if len(comparison.contrasts) > 1:
        say(f"        p by home and p within are Holm's over {len(comparison.contrasts)} contrasts")
