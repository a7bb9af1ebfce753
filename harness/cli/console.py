"""Printing for people (rich, stderr for messages) and for machines (`--json`, one object on stdout)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from harness.cli.columns import side_by_side, stacked, width_of_output
from harness.contracts.errors import WiwError


def printable(text: str) -> str:
    """Return ``text`` with control characters escaped: it may quote a stranger's program, and a terminal obeys them."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


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
    cells = [tuple(map(printable, row)) for row in rows]
    width = width_of_output()
    if not side_by_side(columns, cells, width):
        for line in (title, *stacked(columns, cells, width)):
            say(line)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=i == 0)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))  # Text: brackets in a cell are no markup
    Console(width=width).print(table)
