"""How far something long is, on stderr: rich's bar on a terminal, a plain line now and then elsewhere.

Both say the same words. A line on a terminal never wraps: what matters least is cut off first.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from harness.cli.console import note
from harness.contracts.printing import one_line, printable

SEPARATOR = " · "
INTERVAL_S = 5.0
"""How often a line is printed where stderr is no terminal (a log file)."""

BAR_WIDTH = 20
ROOM_FOR_BAR = 70
"""Columns of a terminal from which on there is room for a bar beside the words."""


class LiveBar:
    """Shows one line about something that goes on; nothing is written before `show` is called.

    ``interval_s`` is how often a log file gets a line where ``topic`` and ``force`` of `show` ask for none.
    """

    def __init__(self, interval_s: float = INTERVAL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._interval_s = interval_s
        self._clock = clock
        self._topic: str | None = None
        self._printed_at = clock()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def show(self, text: str, done: float = 0.0, total: float = 0.0, topic: str = "", force: bool = False) -> None:
        """Show ``text`` and how much is ``done`` of ``total`` (0: nobody knows).

        A log file gets the line where ``force`` says so, where ``topic`` is another one, or after a while.
        """
        if self.live:
            self._draw(one_line(text), done, total)
            return
        now = self._clock()
        if force or topic != self._topic or now - self._printed_at >= self._interval_s:
            note(one_line(text))
            self._printed_at, self._topic = now, topic

    def say(self, text: str) -> None:
        """Print a line that stays, above the bar where there is one."""
        if self._bar is None:
            note(text)
        else:
            self._bar.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the bar as it is and go on below it; harmless without one."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            atexit.unregister(self.close)

    def _draw(self, text: str, done: float, total: float) -> None:
        if self._bar is None:
            self._start()
        room = self._bar.console.width - (BAR_WIDTH + 1 if len(self._bar.columns) > 1 else 0)
        self._bar.update(self._task, description=fitted(text, room - 1), completed=done, total=total or None)
        self._bar.refresh()

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

        console = Console(file=sys.stderr)
        columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
        if console.width >= ROOM_FOR_BAR:
            columns.insert(0, BarColumn(BAR_WIDTH))
        self._bar = Progress(
            *columns, console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=None)
        atexit.register(self.close)  # rich hides the cursor while it draws


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


def clock(seconds: float) -> str:
    """Return seconds as ``h:mm:ss`` or ``m:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
