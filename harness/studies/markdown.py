"""The tables as one Markdown page. Numbers are only written here; what they are is worked out elsewhere."""

from __future__ import annotations

from typing import Iterator, List, Sequence, Tuple

from harness.contracts.metrics import Column, MetricSpec
from harness.contracts.results import Metric
from harness.studies.all_tables import Tables
from harness.studies.markdown_sections import (
    NOTHING,
    WHEN,
    at_start,
    bank_section,
    cell,
    code_block,
    columns,
    grid,
    in_points,
    overview,
    p_value,
    percent,
    ratio,
    seconds,
)
from harness.studies.rank_agreement import Agreement, MiniTable
from harness.studies.reference_table import RangeLine, ReferenceLine, table_columns
from harness.studies.resolution import Family
from harness.studies.run_selection import ORACLE, SELF


def page(tables: Tables) -> str:
    """Return the whole page."""
    parts: List[str] = [
        f"# Tables of `{tables.suite}`, task `{tables.task}`, {tables.split} split",
        "Numbers are per cent of episodes, or points of it, with 95 % intervals clustered by home. No digit is "
        f"written by hand; more of them are in `{tables.suite}.json`.",
        code_block([tables.command]),
        f"Commits of the runs: {', '.join(tables.commits) or NOTHING}. Missing: {len(tables.missing)} "
        f"({'listed [below](#missing)' if tables.missing else 'nothing'}); runs that were not used: "
        f"{len(tables.passed_over)}.",
        *overview(tables),
        *_tiers(tables),
        *_references(tables),
        *_ranges(tables),
        *_resolution(tables),
        *_curves(tables),
        *_mini(tables),
        *bank_section(tables),
        *_timings(tables),
        *_missing(tables),
    ]
    return "\n\n".join(parts) + "\n"


def _tiers(tables: Tables) -> Iterator[str]:
    yield "## Tiers"
    yield "Solved at the start: per cent of episodes that an agent which never moves solves."
    yield columns(
        tables.tiers,
        ("tier", lambda t: f"`{t.name}`"),
        ("status", lambda t: t.status),
        ("episodes", lambda t: str(t.episodes)),
        ("homes", lambda t: str(t.homes)),
        ("solved at the start", at_start),
        ("suite hash", lambda t: f"`{t.suite_hash}`"),
    )


def _references(tables: Tables) -> Iterator[str]:
    columns = table_columns(tables.task)
    meanings = "".join(f"; *{column.label}*: {column.meaning}" for _, column in columns if column.meaning)
    yield "## References"
    with_both = tables.stop == SELF
    how = "the agent's own stop and with the oracle's" if with_both else "the oracle's stop"
    yield (
        f"Success with {how}{meanings}. n counts episodes times seeds. "
        "`--references` plays all of a tier and stop rule by one command; each line's own command is below its table."
    )
    for tier in tables.tiers:
        lines = [line for line in tables.references if line.tier == tier.name]
        names = list(dict.fromkeys(line.name for line in lines))
        yield f"### `{tier.name}`"
        rows = [_reference_row(tables.stop, [line for line in lines if line.name == name], columns) for name in names]
        own = [f"{column.label}, {tables.stop}-stop" for _, column in columns]
        further = ["success, oracle stop"] if with_both else []
        head = ["reference", f"success, {tables.stop}-stop", *own, *further, "n", "homes"]
        yield grid(head, rows) if rows else "No reference was played."
        if lines:
            yield code_block([line.command for line in lines])


def _reference_row(
    stop: str, lines: Sequence[ReferenceLine], columns: Sequence[Tuple[MetricSpec, Column]]
) -> List[str]:
    own = next((line for line in lines if line.stop == stop), None)
    oracle = next((line for line in lines if line.stop == ORACLE), None)
    counts = [str(line.success.n) for line in (own, oracle) if line is not None]
    homes = [str(line.homes) for line in (own, oracle) if line is not None]
    return [
        f"`{lines[0].name}`",
        percent(own.success if own else None),
        *(cell(own.metrics.get(spec.name) if own else None, spec, column) for spec, column in columns),
        *([percent(oracle.success if oracle else None)] if stop == SELF else []),
        " / ".join(dict.fromkeys(counts)),
        " / ".join(dict.fromkeys(homes)),
    ]


def _ranges(tables: Tables) -> Iterator[str]:
    yield "## Range"
    yield (
        "Points that `gtsim` solves more than another reference on the same episodes (t interval over homes; a "
        "reference of several seeds is averaged by episode first). The commands are those of the references above."
    )
    yield columns(
        tables.ranges,
        ("tier", lambda r: f"`{r.tier}`"),
        ("stop", lambda r: r.stop),
        ("difference", lambda r: f"`gtsim` − `{r.other}`"),
        ("points", lambda r: percent(r.points)),
        ("declared", _wanted),
        ("n", lambda r: str(r.points.n)),
        ("homes", lambda r: str(r.homes)),
    )


def _wanted(line: RangeLine) -> str:
    if line.wanted is None:
        return NOTHING
    return f"≥ {in_points(line.wanted)}: {'yes' if line.points.value >= line.wanted else '**no**'}"


def _resolution(tables: Tables) -> Iterator[str]:
    yield "## Resolution"
    yield (
        "What each planted error costs `gtsim` on the one tier that was named for it beforehand (`resolution.toml` in "
        f"the suite's folder): success lost {WHEN[tables.stop]}, on the same episodes. p: exact sign-flip test "
        "over homes, then Holm's over all declared errors (one that was not played counts as p = 1). p within ±8: "
        "small means that the difference is less than 8 points. Detectable: the smallest true difference found with "
        "80 % power."
    )
    yield from _family(tables.resolution)
    if tables.later.declared:
        yield "### Declared later"
        yield "Errors that nobody had thought of when those above were declared; a family of its own."
        yield from _family(tables.later)
    if tables.repeats.declared:
        yield "### Repeated on other tiers"
        yield "The same errors looked for again where the suite declares it; a family of its own."
        yield from _family(tables.repeats)


def _family(family: Family) -> Iterator[str]:
    if len(family.findings) < family.declared:
        yield f"**Incomplete: {len(family.findings)} of {family.declared} declared errors were played.**"
    yield columns(
        family.findings,
        ("error", lambda f: f"`{f.wm}`"),
        ("tier", lambda f: f"`{f.tier}`"),
        ("`gtsim`", lambda f: percent(f.clean)),
        ("with the error", lambda f: percent(f.success)),
        ("cost, points", lambda f: percent(f.cost.points)),
        ("p", lambda f: p_value(f.cost.p)),
        ("p, Holm", lambda f: p_value(f.adjusted_p)),
        ("p within ±8", lambda f: p_value(f.cost.equivalence_p)),
        ("detectable", lambda f: in_points(f.cost.detectable)),
        ("n", lambda f: str(f.cost.points.n)),
        ("homes", lambda f: str(f.cost.homes)),
        ("expected", lambda f: f.expected),
        ("as expected?", lambda f: f"{'yes' if f.as_expected else '**no**'}: {f.verdict}"),
    )
    if family.findings:
        yield code_block([finding.command for finding in family.findings])


def _curves(tables: Tables) -> Iterator[str]:
    yield "## Dose curves"
    yield f"What each dose of a planted error leaves of the success of `gtsim` {WHEN[tables.stop]}."
    points = [(curve, point) for curve in tables.curves for point in curve["points"]]
    yield columns(
        points,
        ("tier", lambda at: f"`{at[0]['tier']}`"),
        ("setting", lambda at: f"`{at[0]['setting']}`"),
        ("dose", lambda at: f"{at[1]['dose']:g}"),
        ("success", lambda at: percent(Metric(*(at[1][name] for name in ("success", "low", "high", "n"))))),
        ("n", lambda at: str(at[1]["n"])),
        ("homes", lambda at: str(at[1]["homes"])),
    )
    if points:
        yield code_block(list(dict.fromkeys(point["command"] for _, point in points)))


def _mini(tables: Tables) -> Iterator[str]:
    yield "## Does `mini` keep the order?"
    yield (
        f"The same runs, {tables.stop}-stop, with only the 96 episodes of `--episodes mini` counted. Intervals of rank "
        "correlations are percentiles of a bootstrap over homes, which adds noise to both sides: they lie low, at "
        "times below the value itself. The subset is a part of the whole, so the correlation with the *other* "
        "episodes is the honest one. Made by the command at the top; each run's own is in the JSON."
    )
    for table in tables.mini:
        yield f"### `{table.tier}`"
        yield from _mini_table(table)


def _mini_table(table: MiniTable) -> Iterator[str]:
    if table.agreement is not None:
        yield _agreement(table.agreement)
    yield columns(
        table.lines,
        ("world model", lambda line: f"`{line.name}`"),
        ("all", lambda line: percent(line.full)),
        ("n", lambda line: str(line.full.n)),
        ("homes", lambda line: str(line.homes)),
        ("mini", lambda line: percent(line.mini)),
        ("n", lambda line: str(line.mini.n)),
        ("homes", lambda line: str(line.mini_homes)),
    )


def _agreement(found: Agreement) -> str:
    rows = [
        ["all episodes", ratio(found.kendall), ratio(found.spearman), str(found.kendall.n)],
        ["the other episodes", ratio(found.kendall_rest), ratio(found.spearman_rest), str(found.kendall_rest.n)],
    ]
    return grid(["mini with", "Kendall's tau-b", "Spearman's rho", "world models"], rows)


def _timings(tables: Tables) -> Iterator[str]:
    yield "## What playing costs"
    yield (
        "Seconds of one worker an episode (its services answer while it waits, so about one core's, where there were "
        "no more workers than cores); hours of the whole test split, and minutes of `mini`, on 2 such cores. "
        f"{tables.stop.capitalize()}-stop; the runs are those of the commands above and in the JSON."
    )
    yield columns(
        tables.timings,
        ("tier", lambda t: f"`{t.tier}`"),
        ("world model", lambda t: f"`{t.name}`"),
        ("s an episode", lambda t: seconds(t.seconds)),
        ("n", lambda t: str(t.seconds.n)),
        ("homes", lambda t: str(t.homes)),
        ("hours, 2 cores", lambda t: f"{t.hours:.2f}"),
        ("mini, minutes", lambda t: f"{t.mini_minutes:.1f}"),
        ("workers on cores", lambda t: f"{t.workers} on {t.cores}, {t.cpu or 'unknown'}"),
    )
    whole = tables.whole
    if whole.hours is not None and whole.mini_minutes is not None:
        yield (
            f"All {whole.tiers} tiers with `gtsim`, {tables.stop}-stop: **{whole.hours:.2f} hours** on 2 cores, "
            f"**{whole.mini_minutes:.1f} minutes** for their `mini` subsets."
        )


def _missing(tables: Tables) -> Iterator[str]:
    yield "## Missing"
    told = [f"- {x.what}" + (f": `{x.command}`" if x.command else "") for x in tables.missing]
    yield "\n".join(told) if told else "Nothing."
    yield "## Runs not used"
    yield "\n".join(f"- `{x.run_id}`: {x.reason}" for x in tables.passed_over) or "None."
