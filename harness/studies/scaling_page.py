"""The curves of `harness.studies.scaling` as one HTML page that needs nothing beside it and runs no script."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Sequence, Tuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Verdict:
    """What a curve shows, in words; ``grave`` where more made it worse."""

    text: str
    grave: bool = False


@dataclass(frozen=True)
class Section:
    """One figure: ``picture`` is SVG, ``rows`` are the cells of its table, ``played`` says of which runs it is."""

    anchor: str
    title: str
    played: str
    picture: str
    verdicts: Tuple[Verdict, ...]
    heads: Tuple[str, ...]
    rows: Tuple[Tuple[str, ...], ...]
    commands: Tuple[str, ...]


def html_page(
    title: str, note: str, sections: Sequence[Section], passed: Sequence[Tuple[str, str]], command: str
) -> str:
    """Return the page; ``passed`` are runs that are on no curve, with the reason."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    template = environment.get_template("scaling.html.j2")
    page: str = template.render(title=title, note=note, sections=sections, passed=passed, command=command)
    return page
