"""Printing for people (rich, stderr for messages) and for machines (`--json`, one object on stdout)."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

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


FILE_WIDTH = 160
"""Columns of a table that goes to a file or pipe, where nothing tells a width."""

READABLE = 24
"""Columns that a cell of several words needs: narrower ones are towers of syllables."""

GAP = 2
"""Blank columns between two cells, and the indent of what stands under a name."""


def width_of_output() -> int:
    """Return the width of stdout: the terminal's, ``COLUMNS`` where it is set, else that of a file."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return max(20, shutil.get_terminal_size().columns)
    return FILE_WIDTH


def side_by_side(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Say whether a table is readable in ``width``: no cell is cut into pieces shorter than `READABLE`, and no word
    (the name of a run, a path) is cut at all.

    The first column, which names the row, is never broken.
    """
    first = max(len(line) for line in (columns[0], *(row[0] for row in rows)))
    others = [max(map(_least, cells)) for cells in list(zip(columns, *rows, strict=True))[1:]]
    return first + sum(others) + GAP * len(others) <= width


def _least(cell: str) -> int:
    """Return the columns below which a cell cannot be read."""
    return max([min(len(cell), READABLE), *map(len, cell.split())])


def stacked(columns: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> list[str]:
    """Return a table as lines, each row as its first cell and, under it, the others with their names."""
    label = max((len(column) for column in columns[1:]), default=0)
    lines = []
    for first, *others in rows:
        lines += wrapped(first, "", width)
        for column, cell in zip(columns[1:], others, strict=True):
            if cell:
                lines += wrapped(cell, " " * GAP + f"{column:<{label}}" + " " * GAP, width)
    return lines


def wrapped(text: str, head: str, width: int) -> list[str]:
    """Return ``text`` behind ``head``, its further lines indented as far; less far where that leaves no room."""
    indent = len(head) if width - len(head) >= READABLE // 2 else GAP
    lines: list[str] = []
    for number, part in enumerate(text.splitlines() or [""]):
        first = head if number == 0 else " " * indent
        lines += textwrap.wrap(
            part, width, initial_indent=first, subsequent_indent=" " * indent, break_on_hyphens=False
        ) or [first.rstrip()]
    return lines
