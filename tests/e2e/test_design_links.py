"""The pages of the design lead to files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DESIGN = Path(__file__).parents[2] / "docs" / "design"
TOUR = DESIGN / "tour.md"
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")


@pytest.mark.parametrize("page", sorted(DESIGN.glob("*.md")), ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_the_tour_is_short_and_links_every_step() -> None:
    lines = TOUR.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80
    steps = re.split(r"\n(?=\d+\. )", "\n".join(lines))[1:]
    assert len(steps) > 15
    assert not [step for step in steps if not LINK.search(step)]
