"""The report on paper, printed with the browser's defaults: every bar, every row, every column."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.records.folder import RunFolder
from harness.reporting.details import EpisodeReader
from harness.reporting.report import report_html, write_report
from harness.scoring.summary import Context, summarise
from tests.reporting.chromium import needs_chromium, print_pdf
from tests.reporting.synthetic_folder import write_run
from tests.scoring.synthetic import synthetic_run

needs_poppler = pytest.mark.skipif(
    shutil.which("pdftotext") is None or shutil.which("pdftoppm") is None, reason="no poppler-utils"
)
pytestmark = [needs_chromium, needs_poppler]

SOLVED, FAILED, WAITING = (0x0A, 0x5E, 0xA8), (0xB3, 0x47, 0x0B), (0x6B, 0x72, 0x80)


def text_of(pdf: Path) -> str:
    return subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True).stdout


def pixels_of(pdf: Path, colour: tuple[int, int, int]) -> int:
    """Return how many pixels of all pages have nearly this colour."""
    subprocess.run(["pdftoppm", "-r", "60", str(pdf), str(pdf.with_suffix(""))], check=True)
    pages = [np.asarray(Image.open(page).convert("RGB"), dtype=int) for page in pdf.parent.glob("*.ppm")]
    return sum(int(np.sum(np.abs(page - np.array(colour)).max(axis=-1) < 12)) for page in pages)


def test_bars_dots_and_intervals_are_printed(tmp_path: Path) -> None:
    references = {wm: synthetic_run(wm, rate, homes=3, per_home=2) for wm, rate in (("homing", 0.2), ("gtsim", 0.9))}
    folder = write_run(tmp_path, synthetic_run(homes=3, per_home=2))
    page = write_report(folder, Context(references, {}, "homing", 0)).report
    pdf = print_pdf(page, tmp_path / "profile", tmp_path / "page.pdf")
    assert pixels_of(pdf, WAITING) > 100, "dots and whiskers of the references are drawn as backgrounds"
    assert pixels_of(pdf, SOLVED) > 100


def test_no_row_and_no_column_is_cut(tmp_path: Path) -> None:
    run = synthetic_run(homes=150, per_home=2, errors=2)
    folder = RunFolder.create(tmp_path, run.identity, {}, run.record.provenance)
    page = tmp_path / "report.html"
    page.write_text(report_html(folder, run, summarise(run), EpisodeReader(folder)), "utf-8")
    text = text_of(print_pdf(page, tmp_path / "profile", tmp_path / "page.pdf"))
    missing = [row.key.episode for row in run.rows if row.key.episode not in text]
    assert missing == [], "every row is on paper, not only those that were scrolled to"
    assert "did not answer Step within 30 s" in " ".join(text.split())
    last = text[text.index("Episodes") :]
    assert "SSIM" in last and "Rollouts" in last, "the last columns stand on the page"


def test_no_card_is_split_and_the_strips_of_decisions_are_printed(tmp_path: Path) -> None:
    folder = write_run(tmp_path, synthetic_run(homes=3, per_home=2))
    page = write_report(folder, Context({}, {}, "homing", 0)).report
    pdf = print_pdf(page, tmp_path / "profile", tmp_path / "page.pdf")
    pages = text_of(pdf).split("\f")
    for first, last in (
        ("Metrics", "Intervals take homes as the unit"),
        ("Timings", "took less time than"),
        ("Provenance", "Commit"),
    ):
        assert any(first in text and last in text for text in pages), f"{first} is split"
    assert sum(text.count("Decision 1") for text in pages) == 3, "the first three episodes"
    listed = subprocess.run(["pdfimages", "-list", str(pdf)], capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) > 2 + 3, "a strip or more an episode"
