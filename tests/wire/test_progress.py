"""What a service says of its start, read from its log: the last line, short and plain, whatever else stands there."""

from __future__ import annotations

import sys
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import progress
from harness.wire.host import ENVIRONMENT, HostSpec, construct
from tests.wire.objects import GridEnvironment


class Compiling(GridEnvironment):
    """Says what it prepares."""

    def prepare(self, report: Callable[[str], None]) -> None:
        """Pretend to compile."""
        report("compiling kernels, 1 of 1")


def test_the_last_line_that_tells_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        progress.tell(f"compiling kernels, {number} of 60")
        print("something else: progress: no", file=sys.stderr)
    assert progress.last_told(capsys.readouterr().err) == "compiling kernels, 2 of 60"
    assert progress.last_told("nothing\n") == ""


@given(st.text())
def test_what_a_stranger_says_is_short_and_plain(text: str) -> None:
    told = progress.last_told(f"progress: {text}\n")
    assert len(told) <= progress.MOST_CHARACTERS and told.isascii() and (told.isprintable() or not told)


def test_an_environment_prepares_before_it_can_be_reached(capsys: pytest.CaptureFixture[str]) -> None:
    construct(HostSpec(ENVIRONMENT, f"{__name__}:Compiling", "", 0))
    assert progress.last_told(capsys.readouterr().err) == "compiling kernels, 1 of 1"
