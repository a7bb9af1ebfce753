"""Printing for people (rich, stderr for messages) and for machines (`--json`, one object on stdout)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from harness.cli.columns import side_by_side, stacked, width_of_output
from harness.contracts.errors import WiwError
from harness.contracts.printing import one_line, printable

__all__ = ["note", "print_error", "print_json", "print_table", "printable", "say"]


def say(text: str) -> None:
    """Print one line for a person on stdout."""
    print(printable(text), flush=True)


def note(text: str) -> None:
    """Print one line on stderr, where it never mixes with results."""
    print(printable(text), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(value, indent=2, sort_keys=True))


def print_error(error: WiwError) -> None:
    """Print what happened and, on lines of their own, what to do next."""
    note(f"error: {error.what}")
    for line in error.next_step.splitlines():
        note(f"       {line}")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, as wide as the terminal; one row under another where its columns would be too narrow to read."""
    cells = [tuple(map(one_line, row)) for row in rows]
    width = width_of_output()
    if not side_by_side(columns, cells, width):
        for line in (one_line(title), *stacked(columns, cells, width)):
            say(line)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(one_line(title)),
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=None,
        pad_edge=False,
    )
    for i, column in enumerate(columns):
        table.add_column(Text(one_line(column)), overflow="fold", no_wrap=i == 0)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))  # Text: brackets in a cell are no markup
    Console(width=width).print(table)
