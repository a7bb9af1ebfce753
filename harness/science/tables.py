"""Turns finished test runs into the suite's tables: ``python -m harness.science.tables RUNS... --out docs/science``.

Writes ``SUITE.md`` for readers and ``SUITE.json`` with every digit. Nothing is played: what is missing is listed with
the command that plays it, and what is passed over with the reason.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from harness.contracts.digest import to_plain
from harness.contracts.errors import WiwError
from harness.records.atomic import write_atomic
from harness.records.errors import disk_errors
from harness.science.declared import read_declared
from harness.science.doses import dose_curves
from harness.science.found import SPLIT, Found, Missing, PassedOver, by_command, find_runs
from harness.science.mini_agreement import RESAMPLES, MiniTable, mini_tables
from harness.science.reference_table import RangeLine, ReferenceLine, range_lines, reference_lines
from harness.science.resolution import Family, resolve
from harness.science.timing import TimingLine, Whole, timing_lines, whole
from harness.scoring.comparing import without_nan
from tasks.suite import Suite, load_suite

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class TierFact:
    """Which data a tier's numbers belong to."""

    name: str
    status: str
    suite_hash: str
    episodes: int
    homes: int


@dataclass(frozen=True)
class Tables:
    """All tables of one suite.

    ``repeats`` are the declared errors on the tiers where they are looked for again. ``curves`` are dose curves as in
    ``doses.json``.
    """

    suite: str
    task: str
    split: str
    command: str
    commits: Tuple[str, ...]
    tiers: Tuple[TierFact, ...]
    references: Tuple[ReferenceLine, ...]
    ranges: Tuple[RangeLine, ...]
    resolution: Family
    repeats: Family
    curves: Tuple[Dict[str, Any], ...]
    mini: Tuple[MiniTable, ...]
    timings: Tuple[TimingLine, ...]
    whole: Whole
    missing: Tuple[Missing, ...]
    passed_over: Tuple[PassedOver, ...]


def make_tables(suite: Suite, roots: Sequence[Path], command: str = "", resamples: int = RESAMPLES) -> Tables:
    """Return every table that the runs below ``roots`` allow."""
    found = find_runs(roots, suite)
    declared = read_declared(suite)
    missing: List[Missing] = []
    timings = timing_lines(found)
    return Tables(
        suite=suite.name,
        task=suite.task,
        split=SPLIT,
        command=command,
        commits=_commits(found),
        tiers=tuple(_tier_fact(suite, name) for name in suite.tiers),
        references=reference_lines(found, missing),
        ranges=range_lines(found, declared.ranges),
        resolution=resolve(declared.errors, found, missing),
        repeats=resolve(declared.repeated(), found, missing),
        curves=tuple(curve.model_dump(mode="json") for curve in dose_curves(declared.curves, found, missing)),
        mini=mini_tables(found, missing, resamples),
        timings=timings,
        whole=whole(found, timings, missing),
        missing=by_command(missing),
        passed_over=found.passed_over,
    )


def as_plain(tables: Tables) -> Dict[str, Any]:
    """Return the JSON-ready form; numbers that do not exist are None."""
    return {"schema": SCHEMA_VERSION, **without_nan(to_plain(tables))}


def write_tables(tables: Tables, out: Path) -> Tuple[Path, Path]:
    """Write the page and its numbers into ``out``; older ones are replaced whole."""
    from harness.science.markdown import page

    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    files = (out / f"{tables.suite}.md", out / f"{tables.suite}.json")
    write_atomic(files[0], page(tables).encode())
    write_atomic(files[1], (json.dumps(as_plain(tables), indent=1, allow_nan=False) + "\n").encode())
    return files


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Make the tables that the command line asks for; return 0, or 2 after saying what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m harness.science.tables", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--out", type=Path, required=True, help="where the page and its JSON are written")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--task", default="ignav")
    asked = parser.parse_args(arguments)
    command = f"{parser.prog} {' '.join(map(str, asked.runs))} --out {asked.out}"
    command += f" --suite {asked.suite} --task {asked.task}"
    try:
        tables = make_tables(load_suite(asked.suite, asked.task), asked.runs, command)
        files = write_tables(tables, asked.out)
    except WiwError as error:
        print(f"error: {error.what}\n{error.next_step}".rstrip(), file=sys.stderr)
        return 2
    for file in files:
        print(file)
    for lacking in tables.missing:
        print(f"missing  {lacking.what}  {lacking.command}".rstrip(), file=sys.stderr)
    for passed in tables.passed_over:
        print(f"not used {passed.run_id}: {passed.reason}", file=sys.stderr)
    return 0


def _tier_fact(suite: Suite, name: str) -> TierFact:
    episodes = suite.episodes(name, SPLIT)
    return TierFact(
        name, suite.tier(name).status, suite.hash(name), len(episodes), len({episode.home for episode in episodes})
    )


def _commits(found: Found) -> Tuple[str, ...]:
    return tuple(sorted({run.record.provenance.git_commit[:12] or "unknown" for run in found.runs.values()}))


if __name__ == "__main__":
    sys.exit(main())
