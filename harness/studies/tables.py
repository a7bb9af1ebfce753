"""Turns finished test runs into the suite's tables: ``python -m harness.studies.tables RUNS... --out docs/science``.

Writes ``SUITE.md`` for readers and ``SUITE.json`` with every digit. Nothing is played: what is missing is listed with
the command that plays it, and what is passed over with the reason.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

from harness.contracts.commands import FIRST_TASK
from harness.contracts.digest import to_plain
from harness.contracts.errors import WiwError
from harness.contracts.printing import one_line, printable
from harness.records.atomic import write_atomic
from harness.records.errors import disk_errors
from harness.scoring.comparing import without_nan
from harness.studies.all_tables import Tables, make_tables
from harness.studies.markdown import page
from harness.studies.run_selection import SELF
from tasks.suite import load_suite

SCHEMA_VERSION = 2


def as_plain(tables: Tables) -> Dict[str, Any]:
    """Return the JSON-ready form; numbers that do not exist are None, and the stop rule is self where none is named."""
    plain = {"schema": SCHEMA_VERSION, **without_nan(to_plain(tables))}
    if tables.stop == SELF:
        del plain["stop"]
    return plain


def write_tables(tables: Tables, out: Path) -> Tuple[Path, Path]:
    """Write the page and its numbers into ``out``; older ones are replaced whole."""
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    files = (out / f"{tables.suite}.md", out / f"{tables.suite}.json")
    write_atomic(files[0], page(tables).encode())
    write_atomic(files[1], (json.dumps(as_plain(tables), indent=1, allow_nan=False) + "\n").encode())
    return files


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Make the tables that the command line asks for; return 0, or 2 after saying what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m harness.studies.tables", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--out", type=Path, required=True, help="where the page and its JSON are written")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--task", default=FIRST_TASK)
    asked = parser.parse_args(arguments)
    command = f"{parser.prog} {' '.join(map(str, asked.runs))} --out {asked.out}"
    command += f" --suite {asked.suite} --task {asked.task}"
    try:
        tables = make_tables(load_suite(asked.suite, asked.task), asked.runs, command)
        files = write_tables(tables, asked.out)
    except WiwError as error:
        print(printable(f"error: {error.what}\n{error.next_step}".rstrip()), file=sys.stderr)
        return 2
    for file in files:
        print(file)
    for lacking in tables.missing:
        print(one_line(f"missing  {lacking.what}  {lacking.command}".rstrip()), file=sys.stderr)
    for passed in tables.passed_over:
        print(one_line(f"not used {passed.run_id}: {passed.reason}"), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
