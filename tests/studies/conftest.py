"""The small suite that tests of the tables share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.studies.all_tables import Tables
from tasks.suite import Suite
from tests.studies.small_suite import small_suite, small_tables


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return small_suite(tmp_path / "suite")


@pytest.fixture(scope="module")
def tables(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The tables of what a module has ``written``, made once for all tests that only look at them."""
    return small_tables(small_suite(tmp_path_factory.mktemp("tables") / "suite"), written)


@pytest.fixture
def runs(tmp_path: Path, written: Path) -> Path:
    """A copy of what a module has ``written`` once, for a test to add to or to break."""
    return Path(shutil.copytree(written, tmp_path / "runs"))
