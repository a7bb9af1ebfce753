"""``results.json``, ``results.csv`` and ``results.parquet`` of a measurement on a decision bank, one row a state."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional

from harness.records.atomic import write_atomic
from harness.records.banks import measurement
from harness.records.folder import RunFolder
from harness.reporting.exports import (
    RESULTS_CSV,
    RESULTS_JSON,
    RESULTS_PARQUET,
    csv_bytes,
    episode_table,
    json_bytes,
    parquet_bytes,
)
from harness.scoring.bank import as_results, differences, differences_as_plain, measure_table
from harness.scoring.data import RunData, load_run
from harness.scoring.references import row_name


def write_bank_results(
    folder: RunFolder, against: Optional[RunFolder] = None, run: Optional[RunData] = None
) -> Dict[str, Any]:
    """Write the three files into a measurement's folder, each replaced whole; return ``results.json`` without rows.

    ``against`` is another measurement on the same states: the paired differences to it are written too. ``run`` are
    the folder's rows with what was found wrong with them, if they were looked at.
    """
    run = run or load_run(folder)
    results = as_results(run, measure_table(run.results))
    if against is not None:
        other = load_run(against)
        paired = differences_as_plain(differences(run, other))
        results["against"] = {"wm": row_name(other), "measurement": measurement(against).name, "differences": paired}
    table = episode_table(run)
    out: Path = measurement(folder)
    write_atomic(out / RESULTS_JSON, json_bytes(results, table))
    write_atomic(out / RESULTS_CSV, csv_bytes(table))
    write_atomic(out / RESULTS_PARQUET, parquet_bytes(table))
    return results
