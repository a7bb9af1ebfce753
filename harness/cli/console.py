"""Printing for people (rich, stderr for messages) and for machines (`--json`, one object on stdout)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from harness.contracts.errors import WiwError
from harness.contracts.printing import one_line, printable

__all__ = ["note", "print_error", "print_json", "print_table", "printable", "say"]

FILE_WIDTH = 160
"""Columns of a table that goes to a file or pipe, where nothing tells a width."""


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
    """Print a table, as wide as the terminal."""
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
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))  # Text: brackets in a cell are no markup
    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(table)
