"""`watch`: follows a run that another process plays, reading its journal only."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from harness.cli.console import note
from harness.cli.progress import ProgressLine
from harness.contracts.results import STATES
from harness.records.folder import RunFolder
from harness.records.lock import is_held
from harness.records.resuming import recorded_words, resume_command
from harness.running.progress import PLAYING, Progress, exit_code

PERIOD_S = 1.0
PATIENCE_S = 3.0
"""How long a run may be played by nobody: from its folder to its start, or from a kill to a resume, takes a moment."""


def watch(run: Path, once: bool) -> int:
    """Show a run's progress until every episode is committed or nobody plays it; return the exit code of the run."""
    folder = RunFolder.open(run)
    planned = set(folder.identity.keys())
    started = free_since = time.monotonic()
    first: int | None = None
    with ProgressLine() as line:
        while True:
            results = [row.result for row in folder.rows() if row.key in planned]
            found = Counter(result.state for result in results)
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
            if is_held(folder.path):
                free_since = time.monotonic()
            elif time.monotonic() - free_since > PATIENCE_S:
                break
            time.sleep(PERIOD_S)
    note(
        f"nobody plays {run} any more: {done} of {total} episodes are committed. Continue with  "
        f"{resume_command(run, recorded_words(folder.record), results)}"
    )
    return exit_code(counts)
