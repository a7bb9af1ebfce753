"""``compare.html``: one file that shows runs of several world models beside each other, down to each episode.

A number says that one world model solves more; the pairs that only one of them solved say why. So these come first when
pictures are embedded, and open with both walks on one map and both sequences of decisions side by side.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple
from urllib.parse import quote

from harness.contracts.printing import one_line
from harness.contracts.results import OK
from harness.records.atomic import write_atomic
from harness.records.folder import RunFolder
from harness.records.journal import JournalRow
from harness.reporting import comparison_texts as texts
from harness.reporting import labels
from harness.reporting.charts import difference_axis
from harness.reporting.details import (
    DETAIL_BYTES,
    LIMIT_BYTES,
    MAP_BYTES,
    PICTURE_BYTES,
    ROW_BYTES,
    EpisodeReader,
    MapShape,
    embedded_json,
    embedded_pictures,
    within,
)
from harness.reporting.report import page_environment
from harness.scoring.comparing import Comparison

PAGE = "compare.html"

RowSet = Tuple[Optional[JournalRow], ...]
"""One pair: its row in each run."""


def write_comparison(out: Path, folders: Sequence[RunFolder], comparison: Comparison) -> Path:
    """Write the page of a comparison into the folder ``out`` and return its path.

    ``folders`` are those of ``comparison.runs``, in order. Pictures that do not fit are loaded from the run folders by
    their place relative to the page.
    """
    html = comparison_html(out, folders, comparison).encode()
    if len(html) > LIMIT_BYTES:
        raise AssertionError(f"the page has {len(html)} bytes; its budgets promise at most {LIMIT_BYTES}")
    write_atomic(out / PAGE, html)
    return out / PAGE


def comparison_html(out: Path, folders: Sequence[RunFolder], comparison: Comparison) -> str:
    """Return the page as text. Every name is escaped: plugins choose some of them."""
    template = page_environment().get_template("compare.html.j2")
    return template.render(
        texts=texts,
        points=texts.POINTS,
        comparison=comparison,
        identity=folders[0].identity,
        baseline=comparison.runs[comparison.baseline],
        axis=difference_axis([contrast.difference for contrast in comparison.contrasts]),
        **_page_data(out, folders, comparison),
    )


def _page_data(out: Path, folders: Sequence[RunFolder], comparison: Comparison) -> Dict[str, Any]:
    """Return the page's data: table rows, details, maps and pictures, each within its share of the limit."""
    pairs = _pairs(folders)
    columns = [shown for shown in labels.columns_of(comparison.metrics) if shown[1].paired]
    rows = within(((name, _table_row(pair, columns)) for name, pair in pairs.items()), ROW_BYTES)
    reader = _PairReader(folders)
    by_interest = sorted(pairs, key=lambda name: _agree(pairs[name]))  # stable: the plan's order within each kind
    details = within(((name, reader.details(pairs[name])) for name in by_interest), DETAIL_BYTES)
    maps = within(((str(index), shape.plain()) for index, shape in enumerate(reader.maps)), MAP_BYTES)
    runs = [
        {"label": run.label, "url": _relative_url(folder.episodes, out)}
        for run, folder in zip(comparison.runs, folders, strict=True)
    ]
    table = {
        "runs": runs,
        "columns": [labels.column_data(shown) for shown in columns],
        "rows": list(rows.values()),
        "severalSeeds": len(folders[0].identity.seeds) > 1,
        "gapDigits": labels.gap_digits(comparison.metrics),
    }
    return {
        "table_json": embedded_json(table).text,
        "detail_json": embedded_json({"episodes": details, "maps": maps}).text,
        "picture_json": embedded_json(embedded_pictures(_pictured(folders, details), PICTURE_BYTES)).text,
        "rows_shown": len(rows),
    }


def _pairs(folders: Sequence[RunFolder]) -> Dict[str, RowSet]:
    """Return every planned pair by the name of its episode folders, in the order of the first run's plan."""
    by_run = [{row.key: row for row in folder.rows()} for folder in folders]
    return {key.folder_name: tuple(rows.get(key) for rows in by_run) for key in by_run[0]}


def _agree(pair: RowSet) -> bool:
    return len({row is not None and row.result.state == OK for row in pair}) == 1


class _PairReader:
    """Reads what the page draws of each pair; the runs share their homes, so each map is kept once."""

    def __init__(self, folders: Sequence[RunFolder]) -> None:
        self._readers = [EpisodeReader(folder) for folder in folders]
        self._index: Dict[MapShape, int] = {}

    @property
    def maps(self) -> Tuple[MapShape, ...]:
        """Return the maps seen so far, in the order of their indices."""
        return tuple(self._index)

    def details(self, pair: RowSet) -> List[Optional[Dict[str, Any]]]:
        """Return what the page draws of each run's episode, None where it was not played."""
        return [
            None if row is None else self._with_map(reader, reader.details(row))
            for reader, row in zip(self._readers, pair, strict=True)
        ]

    def _with_map(self, reader: EpisodeReader, detail: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
        if detail is None or detail["map"] < 0:
            return detail
        shape = reader.maps[detail["map"]]
        return {**detail, "map": self._index.setdefault(shape, len(self._index))}


def _pictured(folders: Sequence[RunFolder], details: Dict[str, Any]) -> Iterator[Tuple[str, Path, int]]:
    """Yield (key, folder, decisions) of each run's episode, pair after pair."""
    for name, found in details.items():
        for index, (folder, detail) in enumerate(zip(folders, found, strict=True)):
            if detail is not None:
                yield f"{index}/{name}", folder.episodes / name, len(detail["decisions"])


def _table_row(pair: RowSet, columns: Sequence[labels.ShownColumn]) -> List[Any]:
    """Return [folder, episode, seed, home, a state a run, then the numbers of each run]."""
    first = next(row for row in pair if row is not None)
    states = ["planned" if row is None else row.result.state for row in pair]
    numbers = [None if row is None else labels.cell(row.result, shown) for row in pair for shown in columns]
    return [
        first.key.folder_name,
        first.result.episode,
        first.result.seed,
        one_line(first.result.home),
        *states,
        *numbers,
    ]


def _relative_url(folder: Path, out: Path) -> str:
    return quote(Path(os.path.relpath(folder.resolve(), out.resolve())).as_posix())
