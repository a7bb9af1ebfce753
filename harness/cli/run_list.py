"""The runs of a folder: a table in the terminal, JSON, or one page (`runs --page`) with links to their reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.auditing.audit import audit
from harness.cli.console import note, print_json, print_table, say, side_by_side, width_of_output
from harness.contracts.commands import command
from harness.contracts.errors import Refusal
from harness.contracts.results import ERROR, OK, PLANNED, PLAYED, TIMEOUT, EpisodeResult
from harness.records.damage import DAMAGED, Damage
from harness.records.folder import RunFolder
from harness.records.listing import Listing, read_runs
from harness.records.lock import is_held
from harness.records.resuming import recorded_words, resume_command

COLUMNS = ("run", "model", "tier", "split", "success", "solved", "played", "state")
NARROWER = (
    COLUMNS,
    ("run", "model", "split", "success", "played", "state"),
    ("run", "model", "success", "played", "state"),
    ("run", "model", "success", "state"),
)
"""What is shown in less and less room: the model, its success and the state of the run stay at any width."""

COMPLETE, PARTIAL, NOT_BEGUN = "complete", "PARTIAL", "not begun"


@dataclass(frozen=True)
class ListedFolder:
    """A run folder with one result an episode and seed, and what is to be said of it (``complete``, ``PARTIAL``,
    ``DAMAGED`` with what is wrong), and the stamps of how it was planned and played."""

    folder: RunFolder
    results: Sequence[EpisodeResult]
    state: str
    damage: Sequence[Damage] = ()
    stamps: Sequence[str] = ()


def listed(folders: Sequence[RunFolder]) -> list[ListedFolder]:
    """Return what is to be said of run folders; each is looked at before its numbers are believed."""
    from harness.scoring.data import stamps_of

    found = []
    for folder in folders:
        looked = audit(folder)
        results = [row.result for row in looked.rows]
        damage = looked.findings.damage
        state, stamps = DAMAGED if damage else state_of(results), stamps_of(folder.identity, looked.rows)
        found.append(ListedFolder(folder, results, state, damage, stamps))
    return found


def state_of(results: Sequence[EpisodeResult]) -> str:
    """Return whether every planned episode was played to its end, or how far the run came."""
    states = {result.state for result in results}
    if states <= set(PLAYED):
        return COMPLETE
    return NOT_BEGUN if states == {PLANNED} else PARTIAL


def plain(run: ListedFolder) -> dict[str, Any]:
    """Return the row of a run for machines; ``success_rate`` counts every planned episode."""
    identity = run.folder.identity
    states = [result.state for result in run.results]
    return {
        "run": run.folder.path.name,
        "wm": identity.wm,
        "model": model_name(run),
        "task": f"{identity.task}/{identity.tier}",
        "tier": identity.tier,
        "split": identity.split,
        "stop": identity.stop,
        "suite_hash": identity.suite_hash,
        "planned": len(states),
        "played": sum(state in PLAYED for state in states),
        "solved": states.count(OK),
        "errors": states.count(ERROR) + states.count(TIMEOUT),
        "success_rate": states.count(OK) / len(states) if states else None,
        "state": run.state,
        "damage": [str(damage) for damage in run.damage],
        "stamps": list(run.stamps),
    }


def model_name(run: ListedFolder) -> str:
    """Return the world model with what was changed of it."""
    identity = run.folder.identity
    changed = ", ".join(f"{name}={value}" for name, value in sorted(identity.wm_overrides.items()))
    return f"{identity.wm} ({changed})" if changed else identity.wm


def show_runs(out: Path, as_json: bool, page: bool = False) -> int:
    """List the runs of a folder, oldest first, or write their page; return 0.

    What is damaged says so, and what cannot be read is named and passed over. Refusal for a page of no folder.
    """
    if page and not out.is_dir():
        raise Refusal(f"there is no folder {out} to write a page of.", "Play a run first, or name a folder with --out.")
    listing = read_runs(out)
    runs = listed(listing.folders)
    if page:
        path = write_page(out, runs, remarks(runs, listing))
        if as_json:
            print_json({"page": str(path)})
        else:
            say(f"page    {path}")
    elif as_json:
        passed_over = [{"folder": str(passed.path), "why": passed.why} for passed in listing.passed_over]
        print_json({"runs": [plain(run) for run in runs], "passed_over": passed_over})
    elif not runs:
        say(f"no runs in {out}" if out.is_dir() else f"no runs: there is no folder {out}")
    else:
        columns, rows = _fitting([_cells(plain(run)) for run in runs], width_of_output())
        print_table(f"Runs in {out}", columns, rows)
        say(f"One page with links to the reports: {command('runs', '--page', '--out', out)}")
        unfinished = [run for run in runs if run.state in (PARTIAL, NOT_BEGUN) and not is_held(run.folder.path)]
        for run in unfinished[-1:]:
            how = resume_command(run.folder.path, recorded_words(run.folder.record), run.results)
            say(f"Continue the latest that is not complete: {how}")
    if not as_json:
        for remark in remarks(runs, listing):
            note(remark)
    return 0


def remarks(runs: Sequence[ListedFolder], listing: Listing) -> list[str]:
    """Return one line for each damaged run, with the first thing that is wrong, and for each folder passed over."""
    damaged = [f"{DAMAGED} {run.folder.path.name}: {damage}" for run in runs for damage in run.damage[:1]]
    return damaged + [str(passed) for passed in listing.passed_over]


def write_page(out: Path, runs: Sequence[ListedFolder], notes: Sequence[str] = ()) -> Path:
    """Write the page of all runs into their folder, ``notes`` above its table; return its path."""
    from harness.reporting.report import REPORT, RunEntry, write_run_page
    from harness.scoring.metrics import rate, success_sample

    entries = []
    for run in runs:
        identity, row = run.folder.identity, plain(run)
        entries.append(
            RunEntry(
                folder=row["run"],
                model=row["model"],
                task=identity.task,
                tier=identity.tier,
                split=identity.split,
                stop=identity.stop,
                seeds=", ".join(map(str, identity.seeds)),
                suite=identity.suite,
                suite_hash=identity.suite_hash,
                success=rate(success_sample(run.results)),
                solved=row["solved"],
                played=row["played"],
                planned=row["planned"],
                errors=row["errors"],
                state=run.state,
                stamps=tuple(run.stamps),
                created_at=run.folder.record.provenance.created_at,
                reported=(run.folder.path / REPORT).is_file(),
            )
        )
    return write_run_page(out, entries, notes)


def _fitting(rows: Sequence[tuple[str, ...]], width: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the most columns that fit, and the rows cut to them."""
    for chosen in NARROWER:
        places = [COLUMNS.index(column) for column in chosen]
        cut = [tuple(row[place] for place in places) for row in rows]
        if side_by_side(chosen, cut, width):
            break
    return chosen, cut


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    success = "-" if row["success_rate"] is None or not row["played"] else f"{100 * row['success_rate']:.1f} %"
    stamps = f" [{', '.join(row['stamps'])}]" if row["stamps"] else ""
    errors = f", {row['errors']} in error" if row["errors"] else ""
    return (
        row["run"],
        row["model"],
        row["tier"],
        row["split"],
        success,
        str(row["solved"]),
        f"{row['played']}/{row['planned']}",
        f"{row['state']}{errors}{stamps}",
    )
