"""A pytest plugin, ``-p tests.e2e.skipped``: writes which tests were skipped into the file that WIW_SKIPPED names.

One node id a line, or the path of a module that is skipped as a whole, as ``pytest @FILE`` reads it: so another machine
tests what this one cannot, and nothing twice.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_skipped: dict[str, None] = {}


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a module that is skipped as a whole."""
    if report.skipped:
        _skipped[report.nodeid] = None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that is skipped; one that fails as expected is not."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped[report.nodeid] = None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file; of several processes the one does that hears of all tests."""
    if not hasattr(session.config, "workerinput"):
        Path(os.environ["WIW_SKIPPED"]).write_text("".join(f"{name}\n" for name in _skipped), encoding="utf-8")
