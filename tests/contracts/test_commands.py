"""A printed command means the same in a shell, whatever its paths are called."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.commands import command, resume_command


@given(st.lists(st.text(min_size=1)))
def test_a_shell_reads_the_words_back(words: list[str]) -> None:
    assert shlex.split(command(*words))[2:] == words


def test_errors_are_only_played_again_where_that_is_said() -> None:
    assert resume_command("my runs/a", {"planned": 2}) == "python benchmark.py --resume 'my runs/a'"
    assert resume_command("a", {"error": 1}).endswith("--resume a --retry-errors")
    assert resume_command("a", {"planned": 3, "timeout": 1}).endswith("--retry-errors")
