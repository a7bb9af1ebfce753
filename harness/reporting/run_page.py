"""``index.html`` of a folder of runs: all of them in one table, sortable, each linked to its report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence, Tuple
from urllib.parse import quote

from harness.contracts.results import Metric
from harness.records.atomic import write_atomic
from harness.reporting.report import REPORT, page_environment

PAGE = "index.html"


@dataclass(frozen=True)
class RunEntry:
    """One run of the page. ``folder`` is its name below the page; ``state`` is ``complete``, ``PARTIAL`` or what else
    is to be said of it; ``created_at`` is seconds since 1970 (UTC)."""

    folder: str
    model: str
    task: str
    tier: str
    split: str
    stop: str
    seeds: str
    suite: str
    suite_hash: str
    success: Metric
    solved: int
    played: int
    planned: int
    errors: int
    state: str
    stamps: Tuple[str, ...]
    created_at: float
    reported: bool

    @property
    def link(self) -> str:
        """Return the address of the run's report, or of its folder where it has none, seen from the page."""
        return f"{quote(self.folder)}/{REPORT if self.reported else ''}"

    @property
    def started(self) -> str:
        """Return when it was begun, to the minute."""
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(self.created_at))


def run_page(title: str, entries: Sequence[RunEntry], notes: Sequence[str] = ()) -> str:
    """Return the page as text, the newest run first; ``notes`` are shown above the table. Every name is escaped."""
    newest = sorted(entries, key=lambda entry: entry.created_at, reverse=True)
    return page_environment().get_template("runs.html.j2").render(title=title, entries=newest, notes=tuple(notes))


def write_run_page(folder: Path, entries: Sequence[RunEntry], notes: Sequence[str] = ()) -> Path:
    """Write the page into the folder of the runs, an older one replaced whole; return its path."""
    target = folder / PAGE
    write_atomic(target, run_page(folder.absolute().name, entries, notes).encode())
    return target
