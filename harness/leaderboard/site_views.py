"""What the pages of a site show of boards and entries: names made short, numbers put where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from harness.contracts.commands import command
from harness.contracts.digest import to_plain
from harness.contracts.metrics import SUCCESS
from harness.contracts.printing import counted
from harness.contracts.results import Metric
from harness.leaderboard.boards import Board, Row
from harness.leaderboard.entries import Entry, Result, Shown
from harness.leaderboard.errata import Erratum
from harness.leaderboard.verifying import Verification
from harness.reporting.labels import interval, label_of, number
from harness.reporting.pareto import ParetoPlot, Priced, pareto_plot
from harness.reporting.site_pages import SiteBoard, SiteEpisode, SiteRow, SiteRun, SiteSubmission, shown_name
from harness.scoring.dose_curves import WITHIN
from harness.scoring.references import ReferenceRow
from tasks.fresh_homes import is_fresh
from tasks.registry import load_task

_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
MOST_FACTS, MOST_TEXT = 40, 300
"""How much a page shows of what a submitter says of the hardware."""
PLOTTED_LEVELS = ("gtsim",)
"""References whose success is a line of the plot, beside the suite's baseline."""


def board_view(board: Board, errata: Mapping[str, Erratum]) -> SiteBoard:
    """Return the page of a board."""
    identity = board.identity
    rows = _merged([_row(row, errata) for row in board.ranked], [_reference(each) for each in board.references])
    rows += [_row(row, errata) for row in board.rows if row.standing is None]
    tests = next((row.test for row in board.rows if row.test is not None), board.rows[0].shown)
    count = tests.summary.episodes["planned"]
    return SiteBoard(
        title=f"{identity.task} · {identity.tier}",
        view=identity.view,
        href=f"{_UNSAFE.sub('-', f'{identity.task}-{identity.tier}-{identity.view}')}-{board.place[:8]}.html",
        facts=(
            ("suite", identity.suite),
            ("hash", identity.suite_hash[:12]),
            ("stop", "the agent stops itself" if identity.stop == "self" else identity.stop),
            ("planner", identity.planner),
            ("seeds", ", ".join(map(str, identity.seeds))),
            ("played", f"{counted(count, 'episode')} in {counted(tests.summary.homes, 'home')}"),
        ),
        rows=tuple(rows),
        ranked=len(board.ranked),
        submissions=len(board.rows),
        leaders=_leaders(board),
        plot=_plot(board),
    )


def _leaders(board: Board) -> str:
    """Return one sentence about who may be first."""
    first = [row for row in board.ranked if row.standing is not None and row.standing.first == 1]
    total = len(board.ranked)
    if total == 1:
        return "One submission has a rank."
    best = f"{shown_name(first[0].entry.manifest.model)} is shown to be the best" if len(first) == 1 else ""
    return f"Of {total} ranked submissions, {best or f'{len(first)} may be the best'}."


def _merged(rows: Sequence[SiteRow], references: Sequence[SiteRow]) -> list[SiteRow]:
    """Return rows by falling success, a reference before submissions that solve as much."""
    kept = sorted(references, key=lambda row: -row.success.value)
    found: list[SiteRow] = []
    for row in rows:
        while kept and kept[0].success.value >= row.success.value:
            found.append(kept.pop(0))
        found.append(row)
    return [*found, *kept]


def _row(row: Row, errata: Mapping[str, Erratum]) -> SiteRow:
    shown, standing = row.shown, row.standing
    erratum = errata.get(row.entry.ident)
    reason = row.unranked
    if erratum is not None:
        reason = f"{erratum.kind} {erratum.date}: {erratum.reason}"
    return SiteRow(
        kind="unranked" if standing is None else "ranked",
        ranks="" if standing is None else standing.ranks,
        first=0 if standing is None else standing.first,
        last=0 if standing is None else standing.last,
        model=shown_name(row.entry.manifest.model),
        ident=row.entry.ident,
        href=f"submissions/{row.entry.ident}/index.html",
        success=row.success,
        gain=_gain(shown),
        fresh=row.fresh,
        excess=row.excess,
        grave=row.unranked.startswith("solves more"),
        broken=shown.broken,
        planned=shown.summary.episodes["planned"],
        seconds=shown.seconds,
        worth=next((e.text.removeprefix("worth ") for e in shown.summary.equivalents if e.place == WITHIN), ""),
        again=_again(row.entry.verification),
        drawn=bool(row.entry.verification.randomness),
        stamps=(*shown.summary.stamps, *(f"same episodes as {name}" for name in row.copies[:3])),
        reason=reason if row.test is not None or erratum is not None else f"{reason}: these are its fresh homes",
    )


def _again(verification: Verification) -> str:
    """Return in a few words what playing drawn episodes again found."""
    again = verification.replay
    if again is None:
        return ""
    lost = sum(again.technical.values())
    failed = f", {lost} not played" if lost else ""
    how = " as a process" if again.as_process else ""
    if again.p is None:
        return f"{again.equal} of {again.drawn} equal{how}{failed}"
    solved = f"{again.recorded_successes} solved as recorded, {again.replayed_successes} again"
    return f"of {again.drawn}, {solved}{how}{failed}"


def _reference(row: ReferenceRow) -> SiteRow:
    return SiteRow("reference", "", 0, 0, shown_name(row.name), "reference", "", row.success, row.gain)


def _gain(result: Result) -> Optional[Metric]:
    return next((row.gain for row in result.summary.references if row.is_this_run), None)


def _plot(board: Board) -> Optional[ParetoPlot]:
    models = [
        Priced(shown_name(row.entry.manifest.model), f"submissions/{row.entry.ident}/index.html", row.success, seconds)
        for row in board.ranked
        if (seconds := row.shown.seconds) is not None and seconds > 0.0
    ]
    baseline = next((row.shown.summary.baseline for row in board.rows), "")
    levels = [
        (reference.name, reference.success.value)
        for reference in board.references
        if reference.name in (*PLOTTED_LEVELS, baseline)
    ]
    return pareto_plot(models, levels)


def submission_view(
    entry: Entry, boards: Sequence[Board], views: Sequence[SiteBoard], errata: Mapping[str, Erratum]
) -> SiteSubmission:
    """Return the page of a submission."""
    manifest, erratum = entry.manifest, errata.get(entry.ident)
    runs = [
        _run(result, row, board, view, errata)
        for board, view in zip(boards, views, strict=True)
        for row in board.rows
        if row.entry is entry
        for result in ((row.test,) if row.test else ()) + row.fresh_runs
    ]
    return SiteSubmission(
        ident=entry.ident,
        model=manifest.model,
        image=manifest.image,
        notice=() if erratum is None else (erratum.kind, f"{erratum.date}: {erratum.reason}"),
        replaced_by="" if erratum is None else erratum.replaced_by,
        facts=(
            ("harness", manifest.code),
            ("bundle", f"sha256:{entry.file_sha256}, {entry.size / 2**20:.1f} MiB, {len(manifest.files)} files"),
            *((f"{name}"[:MOST_TEXT], str(value)[:MOST_TEXT]) for name, value in _first(manifest.hardware)),
        ),
        runs=tuple(runs),
        card=entry.card,
        verification={"holds": entry.verification.holds, **to_plain(entry.verification)},
        commands=tuple(_commands(entry)),
    )


def _first(facts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(facts.items())[:MOST_FACTS]


def _commands(entry: Entry) -> Iterator[str]:
    """Yield what plays a submission's runs again and looks at its bundle."""
    yield f"git checkout {entry.manifest.code}"
    for result in entry.results:
        yield result.command
    yield command("verify", f"{entry.ident}.zip", "--signer", entry.verification.signer)


def _run(result: Result, row: Row, board: Board, view: SiteBoard, errata: Mapping[str, Erratum]) -> SiteRun:
    summary, identity = result.summary, result.identity
    specs = {spec.name: spec for spec in (SUCCESS, *load_task(identity.task).metrics)}
    metrics = [
        (
            spec.label,
            f"{number(metric.value, label_of(spec))} {spec.unit}".strip(),
            interval(metric, label_of(spec)),
            spec.meaning,
        )
        for name, metric in summary.metrics.items()
        if (spec := specs.get(name)) is not None
    ]
    tested = not is_fresh(identity.split)
    shown = _row(row, errata)
    ranked = tested and row.standing is not None
    homes = "test homes" if tested else f"fresh homes {identity.split.partition('-')[2]}"
    return SiteRun(
        title=f"{identity.task} · {identity.tier} · {homes}",
        board=view.href,
        ranks=shown.ranks if ranked else "",
        of=view.ranked,
        row=replace(
            shown,
            success=summary.metrics[SUCCESS.name],
            excess=shown.excess if tested else None,
            reason=shown.reason if tested else "fresh homes are drawn for each submission apart",
        ),
        verdict=summary.verdict.text,
        worth=tuple(each.text for each in summary.equivalents if each.text != summary.verdict.text),
        metrics=tuple(metrics),
        failures=tuple((failure.error, failure.count) for failure in summary.failures),
        facts=tuple(_run_facts(result)),
        alike=tuple(_alike(row, board)) if ranked else (),
        episodes=tuple(map(_episode, result.shown)),
        command=result.command,
    )


def _run_facts(result: Result) -> Iterator[tuple[str, str]]:
    summary, identity = result.summary, result.identity
    yield "split", identity.split
    yield (
        "episodes",
        f"{summary.episodes['planned']} in {counted(summary.homes, 'home')}, {summary.episodes['ok']} solved",
    )
    yield (
        "technical failures",
        f"{result.broken} ({summary.episodes['error']} errors, {summary.episodes['timeout']} timeouts)",
    )
    yield "seconds a decision", "not recorded" if result.seconds is None else f"{result.seconds:.3g}"
    yield "tried more than once", counted(summary.retries.episodes, "episode")
    if summary.stamps:
        yield "stamps", ", ".join(summary.stamps)
    yield "trajectory root", summary.trajectory_root
    yield "suite hash", identity.suite_hash
    yield "manifest hash", identity.wm_manifest_hash


def _alike(row: Row, board: Board) -> Iterator[tuple[str, str]]:
    ranked = board.ranked
    for index in row.standing.alike if row.standing is not None else ():
        other = ranked[index].entry
        yield shown_name(other.manifest.model), f"submissions/{other.ident}/index.html"


def _episode(shown: Shown) -> SiteEpisode:
    return SiteEpisode(shown.name, shown.state, shown.prompt, shown.strips, shown.video)
