"""``results.json``, ``results.csv`` and ``results.parquet``: the same episode rows in three forms.

One table is built once and written three times, so the forms cannot disagree. Floats are written in their shortest
exact form, so that reading them back gives the same bits.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from harness.contracts.printing import printable
from harness.records.atomic import write_atomic
from harness.records.banks import measurement
from harness.records.folder import RunFolder
from harness.records.journal import JournalRow
from harness.scoring import bank
from harness.scoring.bank import differences, differences_as_plain, measure_table
from harness.scoring.data import RunData
from harness.scoring.references import row_name
from harness.scoring.summary import Summary, as_results

RESULTS_JSON = "results.json"
RESULTS_CSV = "results.csv"
RESULTS_PARQUET = "results.parquet"

IDENTITY_COLUMNS = ("episode", "seed", "home", "state", "attempts", "error", "trajectory_digest")
INTEGER_COLUMNS = ("seed", "attempts")

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
"""What a formula begins with, in either width."""

Cell = Union[str, int, float, None]


@dataclass(frozen=True)
class EpisodeTable:
    """One row an episode and seed in the order of the plan; a cell is None where the episode has no such number."""

    columns: Tuple[str, ...]
    rows: Tuple[Tuple[Cell, ...], ...]

    def as_dicts(self) -> List[Dict[str, Cell]]:
        """Return each row as a dict by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def episode_table(run: RunData) -> EpisodeTable:
    """Return the episode rows of a run: identity, then metrics, then ``seconds_<phase>``, each sorted by name."""
    metrics = sorted({name for row in run.rows for name in row.result.metrics})
    phases = sorted({name for row in run.rows for name in row.result.timings})
    columns = (*IDENTITY_COLUMNS, *metrics, *(f"seconds_{phase}" for phase in phases))
    return EpisodeTable(columns, tuple(_cells(row, metrics, phases) for row in run.rows))


def write_exports(folder: Path, run: RunData, summary: Summary) -> Tuple[Path, ...]:
    """Write the three files into a run's folder and return their paths; each replaces an older one whole."""
    table = episode_table(run)
    contents = {
        RESULTS_JSON: json_bytes(as_results(summary), table),
        RESULTS_CSV: csv_bytes(table),
        RESULTS_PARQUET: parquet_bytes(table),
    }
    for name, data in contents.items():
        write_atomic(folder / name, data)
    return tuple(folder / name for name in contents)


def json_bytes(results: Mapping[str, Any], table: EpisodeTable) -> bytes:
    """Return ``results.json``: the summary with the episode rows under ``rows``."""
    return json.dumps({**results, "rows": table.as_dicts()}, indent=1, allow_nan=False, ensure_ascii=False).encode()


def csv_bytes(table: EpisodeTable) -> bytes:
    """Return the rows as CSV (RFC 4180, UTF-8) with a header; an empty cell is None (or an empty text).

    Control characters and overrides of the writing direction are escaped, since files are shown on terminals too; line
    ends and tabs stay, which quotes hold. A text that a spreadsheet would take for a formula gets an apostrophe in
    front; numbers are left as they are. The exact text is in the other two forms.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(_safe(column) for column in table.columns)
    writer.writerows([_safe(cell) for cell in row] for row in table.rows)
    return buffer.getvalue().encode()


def parquet_bytes(table: EpisodeTable) -> bytes:
    """Return the rows as Parquet: text, int64 (seed, attempts) and float64 columns, null for None."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(name, _arrow_type(pa, name)) for name in table.columns]
    columns = [pa.array([row[index] for row in table.rows], type=field.type) for index, field in enumerate(fields)]
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns, schema=pa.schema(fields)), buffer)
    return buffer.getvalue()


def _safe(cell: Cell) -> Cell:
    """Return a cell of a CSV file: nothing that a terminal obeys, and an apostrophe before what begins as formulas."""
    if not isinstance(cell, str):
        return "" if cell is None else cell
    text = printable(cell)
    is_formula = text.startswith(("\t", "\n")) or (text.strip() and text.lstrip()[0] in FORMULA)
    return f"'{text}" if is_formula else text


def _cells(row: JournalRow, metrics: List[str], phases: List[str]) -> Tuple[Cell, ...]:
    result = row.result
    return (
        result.episode,
        result.seed,
        result.home,
        result.state,
        row.attempts,
        result.error,
        result.trajectory_digest,
        *(_float(result.metrics, name) for name in metrics),
        *(_float(result.timings, name) for name in phases),
    )


def _float(numbers: Mapping[str, float], name: str) -> Cell:
    return float(numbers[name]) if name in numbers else None


def _arrow_type(pa: Any, name: str) -> Any:
    if name in INTEGER_COLUMNS:
        return pa.int64()
    return pa.string() if name in IDENTITY_COLUMNS else pa.float64()


def write_bank_results(
    folder: RunFolder, run: RunData, against: Optional[Tuple[RunFolder, RunData]] = None
) -> Dict[str, Any]:
    """Write the three files into a measurement's folder, each replaced whole; return ``results.json`` without rows.

    ``run`` are the folder's rows, looked at. ``against`` is another measurement on the same states, with its rows: the
    paired differences to it are written too.
    """
    results = bank.as_results(run, measure_table(run))
    if against is not None:
        where, other = against
        paired = differences_as_plain(differences(run, other))
        results["against"] = {"wm": row_name(other), "measurement": measurement(where).name, "differences": paired}
    table = episode_table(run)
    out: Path = measurement(folder)
    write_atomic(out / RESULTS_JSON, json_bytes(results, table))
    write_atomic(out / RESULTS_CSV, csv_bytes(table))
    write_atomic(out / RESULTS_PARQUET, parquet_bytes(table))
    return results
