"""`compare`: runs of several world models on the same episodes, beside each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from harness.cli.arguments import Json
from harness.cli.console import print_json, print_table, say
from harness.contracts.digest import digest, to_plain
from harness.contracts.errors import Refusal
from harness.records.atomic import write_atomic
from harness.records.errors import disk_errors
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity

if TYPE_CHECKING:  # scipy and statsmodels take seconds: --help never waits for them
    from harness.scoring.comparing import Comparison, Contrast
    from harness.scoring.comparing_matching import Terms

COMPARISON_JSON = "compare.json"
NAME_CHARACTERS = 80


def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="Two run folders or more; the first is the baseline.")],
    baseline: Annotated[
        Optional[Path], typer.Option("--baseline", help="The run that the others are compared with. [the first]")
    ] = None,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Compare runs that are not complete; stamped.")
    ] = False,
    allow_prompts: Annotated[
        bool, typer.Option("--allow-prompts", help="Compare world models asked in different words; stamped.")
    ] = False,
    out: Annotated[Optional[Path], typer.Option("--out", help="Folder of compare.html. [beside the first run]")] = None,
    as_json: Json = False,
) -> int:
    """Compare runs on the same episodes: who solves more, by how much, and is it more than luck?"""
    folders, at = choose_runs(runs, baseline)
    from harness.reporting.comparison import write_comparison
    from harness.scoring.comparing import as_plain, compare
    from harness.scoring.data import load_run

    terms = terms_of(folders[0].identity, allow_partial, allow_prompts)
    comparison = compare([load_run(folder) for folder in folders], at, terms)
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
    from harness.scoring.comparing_matching import Terms
    from tasks.suite import load_suite

    terms = Terms(allow_partial, allow_prompts)
    try:
        suite = load_suite(identity.suite, identity.task)
        if suite.hash(identity.tier) != identity.suite_hash:
            return terms
    except Refusal:
        return terms
    tier = suite.tier(identity.tier)
    loops = {reference.wm: tier.loop_for(reference.wm) for reference in suite.references}
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
    for note in comparison.notes:
        say(f"note    {note}")
    say(f"pairs   {comparison.pairs} of {comparison.planned} (episode, seed) in {comparison.homes} homes")
    print_table("Runs", *run_rows(comparison))
    print_table(f"Success beside {baseline}", *test_rows(comparison))
    columns, rows = number_rows(comparison)
    if rows:
        print_table(f"Other numbers beside {baseline}", columns, rows)
    for contrast in comparison.contrasts:
        say(f"verdict {sentence(comparison, contrast)}")
    exit_note(comparison.contrasts)


def exit_note(contrasts: Sequence[Contrast]) -> None:
    """Say how p-values of several contrasts are to be read."""
    if len(contrasts) > 1:
        say(f"        p-values are Holm's over {len(contrasts)} contrasts; the other numbers' over all of them.")
