"""JSON, CSV and Parquet agree row for row, whatever an episode's texts contain."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from harness.reporting.exports import IDENTITY_COLUMNS, INTEGER_COLUMNS, write_exports
from harness.scoring.data import RunData
from harness.scoring.summary import summarise
from tests.scoring.synthetic import synthetic_run


def awkward_run() -> RunData:
    """Return a run whose last episodes broke with texts that CSV and HTML must quote."""
    run = synthetic_run(errors=2)
    row = run.rows[-1]
    error = 'line one\nline "two", with <script>alert(1)</script>, and ünïcode'
    awkward = dataclasses.replace(row, result=dataclasses.replace(row.result, error=error))
    return dataclasses.replace(run, rows=(*run.rows[:-1], awkward))


def from_csv(name: str, cell: str) -> Any:
    if name in IDENTITY_COLUMNS and name not in INTEGER_COLUMNS:
        return cell
    if cell == "":
        return None
    return int(cell) if name in INTEGER_COLUMNS else float(cell)


def test_the_three_forms_agree_row_for_row(tmp_path: Path) -> None:
    run = awkward_run()
    json_path, csv_path, parquet_path = write_exports(tmp_path, run, summarise(run))
    rows = json.loads(json_path.read_text("utf-8"))["rows"]
    with csv_path.open(newline="", encoding="utf-8") as file:
        from_file = [{name: from_csv(name, cell) for name, cell in row.items()} for row in csv.DictReader(file)]
    assert rows == from_file == pq.read_table(parquet_path).to_pylist()
    assert len(rows) == len(run.rows)


def test_rows_hold_what_the_journal_holds(tmp_path: Path) -> None:
    run = awkward_run()
    rows = json.loads(write_exports(tmp_path, run, summarise(run))[0].read_text("utf-8"))["rows"]
    for row, source in zip(rows, run.rows, strict=True):
        assert (row["episode"], row["state"], row["error"]) == (
            source.key.episode,
            source.result.state,
            source.result.error,
        )
        assert row.get("path_m") == source.result.metrics.get("path_m")


def test_a_run_that_has_not_begun_can_be_exported(tmp_path: Path) -> None:
    run = dataclasses.replace(synthetic_run(), rows=())
    paths = write_exports(tmp_path, run, summarise(run))
    assert json.loads(paths[0].read_text("utf-8"))["rows"] == []
    assert pq.read_table(paths[2]).num_rows == 0
