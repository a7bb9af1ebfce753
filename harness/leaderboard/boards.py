"""Boards: a table for each task, tier and class of views, with the ranks that the tests leave open.

All that stands in one table was played on the same test homes, so that every two are compared by pairs. Fresh homes
are drawn for each submission apart: what was solved there stands beside it, and the difference is its contamination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from harness.contracts.metrics import SUCCESS
from harness.contracts.results import Metric
from harness.leaderboard.entries import Entry, Result
from harness.leaderboard.errata import WITHDRAWN, Erratum
from harness.records.identity import RunIdentity
from harness.scoring.comparing_power import ALPHA
from harness.scoring.comparing_tests import holm
from harness.scoring.independent import welch
from harness.scoring.intervals import Sample
from harness.scoring.metrics import rate
from harness.scoring.ranking import Standing, standings
from harness.scoring.references import ReferenceRow
from tasks.fresh_homes import is_fresh
from tasks.suite import load_suite


@dataclass(frozen=True, eq=False)
class Row:
    """One submission in a table.

    ``test`` is its run on the test homes, ``fresh`` its success in all its fresh homes; ``excess`` is test − fresh with
    ``excess_p``, Holm's over the table. ``standing`` is None where it has no rank, and ``unranked`` says why.
    ``copies`` names the submissions whose test episodes ended as its own, each with the same metrics.
    """

    entry: Entry
    test: Optional[Result]
    fresh: Optional[Metric]
    fresh_runs: tuple[Result, ...]
    excess: Optional[Metric] = None
    excess_p: float = float("nan")
    standing: Optional[Standing] = None
    unranked: str = ""
    copies: tuple[str, ...] = ()

    @property
    def shown(self) -> Result:
        """Return the run that the row is about: that on test homes where there is one."""
        return self.test or self.fresh_runs[0]

    @property
    def success(self) -> Metric:
        """Return what it solved there."""
        return self.shown.summary.metrics[SUCCESS.name]


@dataclass(frozen=True, eq=False)
class Board:
    """A table: what its runs share, its rows (ranked ones by falling success, then the others), and the references that
    were played on the same test homes. `Standing`s index ``ranked``."""

    place: str
    identity: RunIdentity
    rows: tuple[Row, ...]
    references: tuple[ReferenceRow, ...]

    @property
    def ranked(self) -> tuple[Row, ...]:
        """Return the rows that have a rank."""
        return tuple(row for row in self.rows if row.standing is not None)


def make_boards(entries: Sequence[Entry], errata: Mapping[str, Erratum]) -> tuple[Board, ...]:
    """Return a board for each place that entries were played at, in the order of tasks and of their suites' tiers."""
    found: dict[str, list[Row]] = {}
    for entry in entries:
        for place in sorted({result.place for result in entry.results}):
            found.setdefault(place, []).append(_row(entry, place))
    boards = [_board(place, rows, errata) for place, rows in found.items()]
    return tuple(sorted(boards, key=_order))


def _order(board: Board) -> tuple[object, ...]:
    identity = board.identity
    tiers = list(load_suite(identity.suite, identity.task).tiers)
    return (
        identity.task,
        identity.suite,
        tiers.index(identity.tier),
        identity.view,
        identity.stop,
        identity.seeds,
        board.place,
    )


def _row(entry: Entry, place: str) -> Row:
    here = [result for result in entry.results if result.place == place]
    tested = [result for result in here if not is_fresh(result.identity.split)]
    fresh = tuple(result for result in here if is_fresh(result.identity.split))
    sample = _pooled(fresh)
    row = Row(entry, tested[0] if tested else None, None if sample is None else rate(sample), fresh)
    if row.test is None or sample is None:
        return row
    excess, p = welch(_sample(row.test), sample)
    return replace(row, excess=excess, excess_p=p)


def _sample(result: Result) -> Sample:
    return Sample.of(result.solved.astype(float).tolist(), result.homes)


def _pooled(results: Sequence[Result]) -> Optional[Sample]:
    if not results:
        return None
    solved = np.concatenate([result.solved for result in results]).astype(float)
    return Sample.of(solved.tolist(), [home for result in results for home in result.homes])


def _board(place: str, rows: Sequence[Row], errata: Mapping[str, Erratum]) -> Board:
    rows = _with_copies(_corrected(rows))
    keys = next((row.test.keys for row in rows if row.test is not None), "")
    judged = [replace(row, unranked=_why_unranked(row, errata, keys)) for row in rows]
    ranked = sorted((row for row in judged if not row.unranked), key=_falling)
    others = sorted((row for row in judged if row.unranked), key=_falling)
    if ranked:
        solved = np.array([row.test.solved for row in ranked if row.test is not None])
        found = standings(solved, ranked[0].shown.homes)
        ranked = [replace(row, standing=standing) for row, standing in zip(ranked, found, strict=True)]
    everyone = (*ranked, *others)
    return Board(place, everyone[0].shown.identity, everyone, max(map(_references, everyone), key=len))


def _references(row: Row) -> tuple[ReferenceRow, ...]:
    """Return the references beside a run on the test homes; one with the name of a reference stands for it there."""
    found = () if row.test is None else row.test.summary.references
    return tuple(reference for reference in found if not reference.is_this_run)


def _falling(row: Row) -> tuple[float, str]:
    return (-row.success.value, row.entry.ident)


def _corrected(rows: Sequence[Row]) -> list[Row]:
    """Return rows with Holm's p-values of their excess, over those that have one."""
    known = [row for row in rows if row.excess_p == row.excess_p]
    adjusted = dict(zip((row.entry.ident for row in known), holm([row.excess_p for row in known]), strict=True))
    return [replace(row, excess_p=adjusted.get(row.entry.ident, row.excess_p)) for row in rows]


def _with_copies(rows: Sequence[Row]) -> list[Row]:
    """Return rows that name who played the same as they did."""
    alike: dict[str, list[str]] = {}
    for row in rows:
        if row.test is not None:
            alike.setdefault(row.test.played, []).append(row.entry.ident)
    return [
        row
        if row.test is None
        else replace(row, copies=tuple(name for name in alike[row.test.played] if name != row.entry.ident))
        for row in rows
    ]


def _why_unranked(row: Row, errata: Mapping[str, Erratum], keys: str) -> str:
    erratum = errata.get(row.entry.ident)
    if erratum is not None and not erratum.ranked:
        return erratum.kind
    if row.test is None:
        return "no run on the test homes"
    withdrawn = [name for name in row.copies if name in errata and errata[name].kind == WITHDRAWN]
    if withdrawn and erratum is None:  # a correction says that somebody looked at it
        return f"the same episodes as {withdrawn[0]}, which is withdrawn"
    if row.fresh is None:
        return "no fresh homes were played: nobody knows whether it knows the test homes by heart"
    if not row.entry.verification.complete:
        return "what was to be played again or probed could not all be"
    if row.test.keys != keys:
        return "played on other episodes than the first of this table"
    if row.excess is not None and row.excess.value > 0.0 and row.excess_p <= ALPHA:
        return "solves more in test homes than in fresh ones"
    return ""
