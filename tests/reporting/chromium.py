"""A headless Chromium for tests of the report: what the page really does, not what its source says."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)

PATH = next((found for found in map(shutil.which, NAMES) if found), None)
needs_chromium = pytest.mark.skipif(PATH is None, reason=f"no browser found: install one of {', '.join(NAMES)}")


def dump_dom(page: Path, profile: Path, fragment: str = "", flags: Sequence[str] = ()) -> str:
    """Return the page's document after its scripts ran; ``fragment`` is the part after ``#``."""
    assert PATH is not None
    url = page.absolute().as_uri() + (f"#{fragment}" if fragment else "")
    command = (PATH, *FLAGS, *flags, f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--dump-dom", url)
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def print_pdf(page: Path, profile: Path, target: Path) -> Path:
    """Print a page with the browser's defaults; return the PDF."""
    assert PATH is not None
    flags = (*FLAGS, f"--user-data-dir={profile}", "--virtual-time-budget=5000", f"--print-to-pdf={target}")
    subprocess.run((PATH, *flags, page.absolute().as_uri()), capture_output=True, timeout=120, check=True)
    return target


def ready_ms(dom: str) -> float:
    """Return how long the page took to its first rendering; raises AssertionError when it never got there."""
    found = re.search(r'data-ready-ms="([0-9.]+)"', dom)
    assert found, "the report's script did not finish"
    return float(found.group(1))
