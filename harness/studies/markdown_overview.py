"""The page's first section: every tier in one line of each table."""

from __future__ import annotations

from typing import Iterator, List, Optional

from harness.contracts.results import Metric
from harness.scoring.references import CEILING
from harness.studies.all_tables import Tables
from harness.studies.markdown_parts import NOTHING, grid, number, p_value, percent, ratio
from harness.studies.resolution import Finding
from harness.studies.run_selection import SELF

HEADING = "## Overview"


def overview(tables: Tables) -> Iterator[str]:
    """Yield what each reference solves on each tier, and how well each tier tells world models apart."""
    if not tables.references:
        return
    yield HEADING
    yield "Success when the agent stops itself, per cent; a reference of several seeds plays all n episodes with each."
    yield _references(tables)
    yield (
        f"What a tier tells apart: points that `{CEILING}` solves more than others on the same episodes; rank "
        "agreement (Kendall's tau-b, number of world models) of `mini` with the other episodes, and of the decision "
        "bank's regret and top-1 with success; what all test episodes and `mini` take on two cores."
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
            + ", ".join(f"`{tier.name}` {number(100.0 * tier.solved_at_start, 1)} %" for tier in tables.tiers)
            + "."
        )
        yield grid(
            ["error", "expected", "tier", "cost", "p"],
            [[f"`{f.wm}`", f.expected, *_cost(f)] for f in tables.later.findings],
        )


def _references(tables: Tables) -> str:
    own = {(line.tier, line.name): line for line in tables.references if line.stop == SELF}
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
    ranges = {(line.tier, line.other): line.points for line in tables.ranges if line.stop == SELF}
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
                _agreement(bank.get("regret_m")),
                _agreement(bank.get("top_1")),
                f"{cost.hours:.2f} h, {cost.mini_minutes:.1f} min" if cost else NOTHING,
            ]
        )
    head = [
        "tier",
        *(f"− `{other}`" for other in others),
        "`mini`",
        "bank, regret",
        "bank, top-1",
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
