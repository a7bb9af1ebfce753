"""The tables of the decision bank on the page; nothing where no world model was measured on it."""

from __future__ import annotations

from typing import Iterator, List, Optional

from harness.scoring.bank import Difference
from harness.studies.all_tables import Tables
from harness.studies.bank_agreement import BankLine, BankTable
from harness.studies.markdown_parts import NOTHING, code_block, grid, metres, p_value, percent, ratio

NAMES = {"regret_m": "regret", "self_regret_m": "regret, may stay", "top_1": "top-1"}


def bank_section(tables: Tables) -> Iterator[str]:
    """Yield the section on the decision bank."""
    if not tables.bank:
        return
    yield "## Does the decision bank rank as the loop does?"
    yield (
        "Frozen decisions of the validation homes beside success, self-stop, in the test homes. Regret: metres that "
        "the best end would have come nearer to the goal, where the agent has to move, and where it may stay. Top-1: "
        "share of choices that are a truly best end. Order: Spearman's rho of scores and nearness over the ends of a "
        "state. "
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
        rows = [[NAMES[a.measure], ratio(a.kendall), ratio(a.spearman), str(a.kendall.n)] for a in table.agreements]
        yield grid(["success with", "Kendall's tau-b", "Spearman's rho", "world models"], rows)
    beside = ["− `gtsim`, m", "p"]
    head = ["world model", "regret, m", *beside, "regret, may stay, m", *beside, "top-1", "order", "success"]
    yield grid(head, [_row(line) for line in table.lines])
    yield code_block([line.commands[0] for line in table.lines])


def _row(line: BankLine) -> List[str]:
    return [
        f"`{line.name}`",
        metres(line.regret),
        *_beside(line.over_ceiling),
        metres(line.self_regret),
        *_beside(line.self_over_ceiling),
        percent(line.top_1),
        ratio(line.rank_correlation),
        percent(line.success),
    ]


def _beside(difference: Optional[Difference]) -> List[str]:
    """Return the cells of a paired difference and its p-value."""
    if difference is None:
        return [NOTHING, NOTHING]
    return [metres(difference.value), p_value(difference.p)]
