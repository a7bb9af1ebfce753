"""`watch`: follows a run that another process plays, reading its journal only."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from harness.cli.progress import ProgressLine
from harness.contracts.results import STATES
from harness.records.folder import RunFolder
from harness.running.pace import PLAYING
from harness.running.progress import Progress, exit_code

PERIOD_S = 1.0


def watch(run: Path, once: bool) -> int:
    """Show a run's progress until every episode is committed; return the exit code that the run would have."""
    folder = RunFolder.open(run)
    planned = set(folder.identity.keys())
    started = time.monotonic()
    first: int | None = None
    with ProgressLine(len(folder.identity.keys())) as line:
        while True:
            found = Counter(row.result.state for row in folder.rows() if row.key in planned)
            counts = {state: found.get(state, 0) for state in STATES}
            total = sum(counts.values())
            done = total - counts["planned"]
            first = done if first is None else first
            elapsed = time.monotonic() - started
            rate = (done - first) / elapsed if done > first and elapsed > 0 else None
            eta = (total - done) / rate if rate else None
            line(Progress(counts, total, elapsed, PLAYING, rate and rate * 60.0, eta, None))
            if once or done == total:
                return exit_code(counts)
            time.sleep(PERIOD_S)
