"""A printed command means the same in a shell, whatever its paths are called."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.commands import command


@given(st.lists(st.text(min_size=1)))
def test_a_shell_reads_the_words_back(words: list[str]) -> None:
    assert shlex.split(command(*words))[2:] == words
