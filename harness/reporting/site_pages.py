"""The pages of a leaderboard: numbers and names in, HTML out; no script, nothing loaded from elsewhere.

Every name and text of a submission is a stranger's: the templates escape all of it, and what a browser would obey
(control characters, overrides of the writing direction) is shown as text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from harness.contracts.printing import one_line
from harness.contracts.results import Metric
from harness.reporting.pareto import BOTTOM as PLOT_BOTTOM
from harness.reporting.pareto import HEIGHT, LEFT, RIGHT, WIDTH, ParetoPlot
from harness.reporting.pareto import TOP as PLOT_TOP
from harness.reporting.report import page_environment

NAME_CHARACTERS = 60
"""Names are cut to this length in tables and titles; a submission's own page shows them whole."""
_MARKS = 2
"""Combining marks that stay on a character: more of them paint over the neighbouring lines."""


@dataclass(frozen=True)
class SiteRow:
    """A line of a table. ``kind`` is ranked, unranked or reference; ``first`` and ``last`` are its ranks, 0 for none.

    ``seconds`` are those of a decision, ``worth`` the planted error that costs as much ("": unknown), ``reason`` why it
    has no rank or what is said of it. ``grave`` marks an excess in test homes that is no luck. ``again`` says what
    playing episodes again found ("": nobody did), ``drawn`` that its fresh homes are those that a draw decided.
    """

    kind: str
    ranks: str
    first: int
    last: int
    model: str
    ident: str
    href: str
    success: Metric
    gain: Optional[Metric] = None
    fresh: Optional[Metric] = None
    excess: Optional[Metric] = None
    grave: bool = False
    broken: Optional[int] = None
    planned: int = 0
    seconds: Optional[float] = None
    worth: str = ""
    again: str = ""
    drawn: bool = False
    stamps: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class SiteBoard:
    """A table with its plot: ``href`` is its file, ``facts`` are (name, value) of what its runs share."""

    title: str
    view: str
    href: str
    facts: tuple[tuple[str, str], ...]
    rows: tuple[SiteRow, ...]
    ranked: int
    submissions: int
    leaders: str
    plot: Optional[ParetoPlot]


@dataclass(frozen=True)
class SiteEpisode:
    """An episode with pictures: names of files seen from the submission's page."""

    name: str
    state: str
    prompt: str
    strips: tuple[str, ...]
    video: str


@dataclass(frozen=True)
class SiteRun:
    """A run on a submission's page; ``rows`` are (label, number, interval, meaning) of its metrics, ``alike`` the names
    and pages of those that it is not told apart from."""

    title: str
    board: str
    ranks: str
    of: int
    row: SiteRow
    verdict: str
    worth: tuple[str, ...]
    metrics: tuple[tuple[str, str, str, str], ...]
    failures: tuple[tuple[str, int], ...]
    facts: tuple[tuple[str, str], ...]
    alike: tuple[tuple[str, str], ...]
    episodes: tuple[SiteEpisode, ...]
    command: str


@dataclass(frozen=True)
class SiteSubmission:
    """A submission's page; ``notice`` is (kind, sentence) of an erratum or (), ``verification`` what `verify --json`
    prints."""

    ident: str
    model: str
    image: str
    notice: tuple[str, ...]
    replaced_by: str
    facts: tuple[tuple[str, str], ...]
    runs: tuple[SiteRun, ...]
    card: str
    verification: Mapping[str, Any]
    commands: tuple[str, ...]


def shown_name(text: str) -> str:
    """Return a stranger's name as it may stand in a line of ours: short, without line ends, and with few marks a
    character."""
    kept: list[str] = []
    marks = 0
    for character in one_line(text):
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MARKS:
            kept.append(character)
    name = "".join(kept).strip() or "(no name)"
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 1]}\u2026"


def index_html(title: str, boards: Sequence[SiteBoard], submissions: int, notes: Sequence[str]) -> str:
    """Return the first page: a short table of every board."""
    return _page("site_index.html.j2", title=title, boards=boards, submissions=submissions, notes=tuple(notes), up="")


def board_html(title: str, board: SiteBoard) -> str:
    """Return the page of one board."""
    return _page("site_board.html.j2", title=title, board=board, up="../")


def submission_html(title: str, submission: SiteSubmission) -> str:
    """Return the page of one submission."""
    return _page("site_submission.html.j2", title=title, submission=submission, up="../../")


def verification_html(verification: Mapping[str, Any]) -> str:
    """Return the page of one verification, ``verification`` as `verify --json` prints it."""
    return _page("verification.html.j2", title="Verification", verification=verification, up="")


def _page(template: str, **values: Any) -> str:
    return page_environment().get_template(template).render(
        size={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": PLOT_TOP,
              "bottom": HEIGHT - PLOT_BOTTOM},
        **values,
    )  # fmt: skip
