"""How the tables' page writes tables, code and numbers; its first section, and that of the decision bank."""

from __future__ import annotations

import math
from typing import Callable, Iterator, List, Optional, Sequence, Tuple, TypeVar

from harness.banking.measures import METRICS
from harness.contracts.metrics import OVER_PLANNED, SHARE, Column, MetricSpec
from harness.contracts.results import Metric
from harness.scoring.bank import Difference
from harness.scoring.references import CEILING
from harness.studies.all_tables import Tables, TierFact
from harness.studies.bank_agreement import HEADLINE, RANKING, BankLine, BankTable
from harness.studies.resolution import Finding
from harness.studies.run_selection import ORACLE, SELF

NOTHING = "–"

WHEN = {SELF: "when the agent stops itself", ORACLE: "when the oracle stops the agent"}

Line = TypeVar("Line")


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, or a sentence where there is no row."""
    lines = [cells(head), cells(["---"] * len(head)), *map(cells, rows)]
    return "\n".join(lines) if rows else "Nothing to show."


def columns(lines: Sequence[Line], *of: Tuple[str, Callable[[Line], str]]) -> str:
    """Return a table of one row a line: each column has a head and what it says of a line."""
    return grid([head for head, _ in of], [[say(line) for _, say in of] for line in lines])


def cells(row: Sequence[str]) -> str:
    """Return one row of a table."""
    return f"| {' | '.join(text.replace('|', '/') for text in row)} |"


def code_block(lines: Sequence[str]) -> str:
    """Return lines of code."""
    return "\n".join(["```", *lines, "```"])


def percent(metric: Optional[Metric]) -> str:
    """Return a share per cent with its interval."""
    return NOTHING if metric is None else with_interval(metric, 100.0, 1)


def ratio(metric: Optional[Metric]) -> str:
    """Return a number without a unit with its interval."""
    return NOTHING if metric is None else with_interval(metric, 1.0, 2)


def seconds(metric: Metric) -> str:
    """Return seconds with their interval."""
    return with_interval(metric, 1.0, 2)


def cell(metric: Optional[Metric], spec: MetricSpec, column: Column) -> str:
    """Return a metric in its column, a share per cent, with its interval."""
    scale = 100.0 if spec.bounds == SHARE else 1.0
    return NOTHING if metric is None else with_interval(metric, scale, column.digits)


def with_interval(metric: Metric, scale: float, digits: int) -> str:
    """Return ``value [low, high]``."""
    value, low, high = (number(x * scale, digits) for x in (metric.value, metric.low, metric.high))
    return f"{value} [{low}, {high}]"


def number(value: float, digits: int) -> str:
    """Return a number with a minus sign that is one, and a dash for one that does not exist."""
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else NOTHING


def in_points(share: Optional[float]) -> str:
    """Return a share as points of a hundred."""
    return NOTHING if share is None else f"{100 * share:.1f}"


def p_value(p: float) -> str:
    """Return a p-value, a small one by its power of ten."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def at_start(tier: TierFact) -> str:
    """Return per cent of episodes that are solved at the start."""
    return NOTHING if tier.solved_at_start is None else number(100.0 * tier.solved_at_start, 1)


HEADING = "## Overview"

IN_OVERVIEW = tuple(spec for spec in RANKING if spec is HEADLINE or spec.pooling == OVER_PLANNED)
"""The bank's headline, and its rates, in which a state without an answer counts."""


def overview(tables: Tables) -> Iterator[str]:
    """Yield what each reference solves on each tier, and how well each tier tells world models apart."""
    if not tables.references:
        return
    yield HEADING
    yield f"Success {WHEN[tables.stop]}, per cent; a reference of several seeds plays all n episodes with each."
    yield _references(tables)
    yield (
        f"What a tier tells apart: points that `{CEILING}` solves more than others on the same episodes; rank "
        "agreement (Kendall's tau-b, number of world models) of `mini` with the other episodes, and of the decision "
        f"bank's {' and '.join(spec.label for spec in IN_OVERVIEW)} with success; what all test episodes and `mini` "
        "take on two cores."
    )
    yield _resolving(tables)
    yield (
        "What planted errors cost, in points of success, with Holm's p over all of a column; what is expected was "
        "written down before."
    )
    yield _errors(tables)
    if tables.later.findings:
        yield (
            "Errors that were thought of later, and what they cost; Holm's p over all of this table. Of every tier, "
            "the share of episodes that is solved at the start: "
            + ", ".join(f"`{tier.name}` {at_start(tier)} %" for tier in tables.tiers)
            + "."
        )
        yield grid(
            ["error", "expected", "tier", "cost", "p"],
            [[f"`{f.wm}`", f.expected, *_cost(f)] for f in tables.later.findings],
        )


def _references(tables: Tables) -> str:
    own = {(line.tier, line.name): line for line in tables.references if line.stop == tables.stop}
    names = list(dict.fromkeys(name for _, name in own))
    rows = [
        [
            f"`{tier.name}`",
            *(percent(own[tier.name, name].success) if (tier.name, name) in own else NOTHING for name in names),
            str(tier.episodes),
            str(tier.homes),
        ]
        for tier in tables.tiers
    ]
    return grid(["tier", *(f"`{name}`" for name in names), "n", "homes"], rows)


def _resolving(tables: Tables) -> str:
    ranges = {(line.tier, line.other): line.points for line in tables.ranges if line.stop == tables.stop}
    others = list(dict.fromkeys(other for _, other in ranges))
    rows: List[List[str]] = []
    for tier in tables.tiers:
        mini = next((table.agreement for table in tables.mini if table.tier == tier.name), None)
        bank = {a.measure: a.kendall for table in tables.bank if table.tier == tier.name for a in table.agreements}
        cost = next((line for line in tables.timings if (line.tier, line.name) == (tier.name, CEILING)), None)
        rows.append(
            [
                f"`{tier.name}`",
                *(percent(ranges.get((tier.name, other))) for other in others),
                _agreement(mini.kendall_rest if mini else None),
                *(_agreement(bank.get(spec.name)) for spec in IN_OVERVIEW),
                f"{cost.hours:.2f} h, {cost.mini_minutes:.1f} min" if cost else NOTHING,
            ]
        )
    head = [
        "tier",
        *(f"− `{other}`" for other in others),
        "`mini`",
        *(f"bank, {spec.label}" for spec in IN_OVERVIEW),
        f"`{CEILING}` takes",
    ]
    return grid(head, rows)


def _errors(tables: Tables) -> str:
    repeats = {finding.wm: finding for finding in tables.repeats.findings}
    rows = [
        [f"`{finding.wm}`", finding.expected, *_cost(finding), *_cost(repeats.get(finding.wm))]
        for finding in tables.resolution.findings
    ]
    return grid(["error", "expected", "tier", "cost", "p", "again on", "cost", "p"], rows)


def _cost(finding: Optional[Finding]) -> List[str]:
    if finding is None:
        return [NOTHING, NOTHING, NOTHING]
    doubt = "" if finding.as_expected else ", **not as expected**"
    return [f"`{finding.tier}`", percent(finding.cost.points), p_value(finding.adjusted_p) + doubt]


def _agreement(metric: Optional[Metric]) -> str:
    return NOTHING if metric is None else f"{ratio(metric)}, {metric.n}"


COLUMNS = tuple((spec, spec.table) for spec in METRICS if spec.table is not None)
LABELS = {spec.name: spec.label for spec in METRICS}


def bank_section(tables: Tables) -> Iterator[str]:
    """Yield the section on the decision bank."""
    if not tables.bank:
        return
    yield "## Does the decision bank rank as the loop does?"
    yield (
        f"Frozen decisions of the validation homes beside success, {tables.stop}-stop, in the test homes. "
        "Regret: metres that the best end would have come nearer to the goal, where the agent has to move, and where "
        "it may stay. Top-1: share of choices that are a truly best end. Order: Spearman's rho of scores and nearness "
        "over the ends of a state. "
        "− `gtsim`: paired difference of regret on the same states, p by flipping whole homes. Agreement: measures "
        "turned so that more is better; percentiles of a bootstrap that draws the homes of both sides."
    )
    for table in tables.bank:
        yield f"### `{table.tier}` on the bank"
        yield from _table(table)


def _table(table: BankTable) -> Iterator[str]:
    yield (
        f"{table.states} states in {table.bank_homes} homes (`{table.states_hash[:12]}…`); {table.episodes} test "
        f"episodes in {table.homes} homes."
    )
    if table.agreements:
        rows = [[LABELS[a.measure], ratio(a.kendall), ratio(a.spearman), str(a.kendall.n)] for a in table.agreements]
        yield grid(["success with", "Kendall's tau-b", "Spearman's rho", "world models"], rows)
    head = ["world model"]
    for spec, column in COLUMNS:
        unit = f", {spec.unit}" if spec.unit and spec.bounds != SHARE else ""
        head += [f"{column.label}{unit}", *([f"− `{CEILING}`{unit}", "p"] if column.paired else [])]
    yield grid([*head, "success"], [_row(line) for line in table.lines])
    yield code_block([line.commands[0] for line in table.lines])


def _row(line: BankLine) -> List[str]:
    row = [f"`{line.name}`"]
    for spec, column in COLUMNS:
        row.append(cell(line.measures[spec.name], spec, column))
        row += _beside(line.over_ceiling[spec.name], spec, column) if column.paired else []
    return [*row, percent(line.success)]


def _beside(difference: Optional[Difference], spec: MetricSpec, column: Column) -> List[str]:
    """Return the cells of a paired difference and its p-value."""
    if difference is None:
        return [NOTHING, NOTHING]
    return [cell(difference.value, spec, column), p_value(difference.p)]
