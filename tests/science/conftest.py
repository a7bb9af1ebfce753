"""The small suite that tests of the tables share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.suite import Suite
from tests.science.small_suite import small_suite


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return small_suite(tmp_path / "suite")


@pytest.fixture
def runs(tmp_path: Path, written: Path) -> Path:
    """A copy of what a module has ``written`` once, for a test to add to or to break."""
    return Path(shutil.copytree(written, tmp_path / "runs"))
