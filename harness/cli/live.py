"""The live line on stderr of whatever takes long: written over what stood there, never wider than the terminal.

A line that wraps cannot be written over: each renewal would leave a row of it behind.
"""

from __future__ import annotations

import os
import sys

from harness.contracts.printing import one_line

SEPARATOR = " · "
WIDTH = 80
"""Columns of a terminal that does not say how many it has."""


def show_live(text: str, end: str = "") -> None:
    """Write a line over the live one; ``end`` is a line break where it stays."""
    sys.stderr.write("\r\x1b[2K" + fitted(one_line(text), _width() - 1) + end)
    sys.stderr.flush()


def clear_live() -> None:
    """Remove the live line, so that another can be printed in its place."""
    sys.stderr.write("\r\x1b[2K")


def fitted(text: str, width: int) -> str:
    """Return ``a · b · c · d`` cut to ``width``: the first part and the last stay longest, and then the last one's end.

    Progress begins with what is done and ends with what is going on, or the time left. Text of one part is cut behind.
    """
    parts = text.split(SEPARATOR)
    if len(parts) == 1:
        return text if len(text) <= width else text[: width - 1] + "…"
    while len(SEPARATOR.join(parts)) > width and len(parts) > 1:
        parts.pop(-2)
    shorter = SEPARATOR.join(parts)
    return shorter if len(shorter) <= width else "…" + shorter[len(shorter) - width + 1 :]


def _width() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 1:
        return int(columns)
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or WIDTH
    except (OSError, ValueError):
        return WIDTH
