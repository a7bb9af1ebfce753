"""``report.html``: one file that says what a run showed, readable without the harness, a server or the network."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.contracts.digest import to_plain
from harness.contracts.metrics import INDEPENDENT_SUCCESS, OVER_STEPS, SUCCESS, MetricSpec
from harness.contracts.printing import one_line, printable
from harness.contracts.results import Metric
from harness.records.atomic import write_atomic
from harness.records.folder import RunFolder
from harness.records.journal import JournalRow
from harness.reporting import labels
from harness.reporting.charts import GapChart, gap_chart
from harness.reporting.details import (
    DETAIL_BYTES,
    LIMIT_BYTES,
    MAP_BYTES,
    PICTURE_BYTES,
    ROW_BYTES,
    EpisodeReader,
    embedded_json,
    embedded_pictures,
    within,
)
from harness.reporting.exports import write_exports
from harness.scoring.data import RunData, load_run
from harness.scoring.summary import NO_CONTEXT, Context, Summary, summarise

REPORT = "report.html"
TEMPLATES = Path(__file__).parent / "templates"
ERROR_CHARACTERS = 400
"""Errors are cut to this length in the table; the journal and the exports keep them whole."""


@dataclass(frozen=True)
class ReportFiles:
    """What `write_report` wrote."""

    summary: Summary
    report: Path
    exports: Tuple[Path, ...]


def write_report(folder: RunFolder, context: Context = NO_CONTEXT, checked: Optional[RunData] = None) -> ReportFiles:
    """Score a run folder and write its exports and its report into it; older ones are replaced whole.

    Works on a run that is still being played: episodes that are not there yet are shown as planned. ``checked`` are
    the folder's rows with what was found wrong with them, if they were looked at.
    """
    run = checked or load_run(folder)
    reader = EpisodeReader(folder, run.findings.where)
    run = replace(run, trajectory=reader.trajectory)
    summary = summarise(run, context)
    exports = write_exports(folder.path, run, summary)
    html = report_html(folder, run, summary, reader).encode()
    if len(html) > LIMIT_BYTES:
        raise AssertionError(f"the report has {len(html)} bytes; its budgets promise at most {LIMIT_BYTES}")
    write_atomic(folder.path / REPORT, html)
    return ReportFiles(summary, folder.path / REPORT, exports)


def report_html(folder: RunFolder, run: RunData, summary: Summary, reader: EpisodeReader) -> str:
    """Return the report as text. Every name and message is escaped: plugins and services choose some of them."""
    template = page_environment().get_template("report.html.j2")
    return template.render(
        labels={spec.name: labels.label_of(spec) for spec in (SUCCESS, INDEPENDENT_SUCCESS, *run.metrics)},
        gain=labels.RATIO,
        summary=summary,
        identity=run.identity,
        provenance=run.record.provenance,
        created=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.record.provenance.created_at)),
        charts=_charts(summary, run.metrics),
        phases={name: labels.PHASES.get(name, "") for name in sorted(summary.timings, key=labels.phase_order)},
        record=json.dumps(_record(run), indent=1, ensure_ascii=False),
        **_episode_data(folder, run, reader),
    )


@cache
def page_environment() -> Environment:
    """Return what every page is made with: all names are escaped, and an unknown one is an error.

    It is made once: it keeps the compiled templates, which take longer than the page of a short run.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    environment.globals.update(
        number=labels.number,
        interval=labels.interval,
        percent=labels.label_of(SUCCESS),
        ratio=labels.RATIO,
        points=labels.DIFFERENCE,
    )
    return environment


def shown(value: object) -> object:
    """Return what the page prints of a value: text without characters that a browser would obey."""
    return printable(value) if type(value) is str else value


def _charts(summary: Summary, specs: Sequence[MetricSpec]) -> List[Tuple[str, GapChart]]:
    """Return a chart for each gap measure, the declared ones first."""
    declared = {spec.name: spec for spec in specs if spec.pooling == OVER_STEPS}
    names = [*(name for name in declared if name in summary.gap), *(n for n in summary.gap if n not in declared)]
    charts = [(name, gap_chart(summary.gap[name], declared.get(name))) for name in names]
    return [(name, chart) for name, chart in charts if chart is not None]


def _episode_data(folder: RunFolder, run: RunData, reader: EpisodeReader) -> Dict[str, Any]:
    """Return the page's data: table rows, details, maps and pictures, each within its share of the limit."""
    columns = labels.columns_of(run.metrics)
    shown = [column for column in columns if any(column[0].key in row.result.metrics for row in run.rows)]
    rows = within(((row.key.folder_name, _table_row(row, shown)) for row in run.rows), ROW_BYTES)
    details = within(_read_details(run, reader), DETAIL_BYTES)
    maps = within(((str(i), shape.plain()) for i, shape in enumerate(reader.maps)), MAP_BYTES)
    played = ((name, folder.episodes / name, len(detail["decisions"])) for name, detail in details.items())
    table = {
        "columns": [labels.column_data(column) for column in shown],
        "rows": list(rows.values()),
        "severalSeeds": len(run.identity.seeds) > 1,
        "gapDigits": labels.gap_digits(run.metrics),
    }
    return {
        "table_json": embedded_json(table).text,
        "detail_json": embedded_json({"episodes": details, "maps": maps}).text,
        "picture_json": embedded_json(embedded_pictures(played, PICTURE_BYTES)).text,
        "rows_shown": len(rows),
    }


def _read_details(run: RunData, reader: EpisodeReader) -> Iterator[Tuple[str, Dict[str, Any]]]:
    for row in run.rows:
        detail = reader.details(row)
        if detail is not None:
            yield row.key.folder_name, detail


def _table_row(row: JournalRow, columns: Sequence[labels.ShownColumn]) -> List[Any]:
    """Return [folder, episode, seed, home, state, error, numbers...] of one episode."""
    result = row.result
    numbers = [labels.cell(result, column) for column in columns]
    names = [row.key.folder_name, result.episode, result.seed, one_line(result.home), result.state]
    return [*names, printable(result.error[:ERROR_CHARACTERS]), *numbers]


def _record(run: RunData) -> Dict[str, Any]:
    """Return ``run.json`` without its list of episodes, for the page's last section."""
    plain = to_plain(run.record)
    plain["identity"].pop("episodes")
    return dict(plain)


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
