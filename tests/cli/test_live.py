"""A live line never wraps: what is cut off first is what matters least."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.live import fitted

PLAYING = "17/24 episodes · 13 solved · 4 failed · 21.4/min · 0:20 left"
PREPARING = "0/3 episodes · 0 solved · 0 failed · compiling and preparing homes, 0 of 3 0:05"


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        (PLAYING, 79, PLAYING),
        (PLAYING, 39, "17/24 episodes · 13 solved · 0:20 left"),
        (PLAYING, 12, "0:20 left"),
        (PREPARING, 60, "0/3 episodes · compiling and preparing homes, 0 of 3 0:05"),
        (PREPARING, 39, "…iling and preparing homes, 0 of 3 0:05"),
        ("wm_base 1:02 3/8 RUN pip install torch", 20, "wm_base 1:02 3/8 RU…"),
    ],
)
def test_the_first_part_and_the_last_stay_longest(text: str, width: int, shown: str) -> None:
    assert fitted(text, width) == shown and len(shown) <= width


CODE = """
from harness.cli.live import LiveBar
with LiveBar() as bar:
    bar.show("1/3 clips · [red]2[/red] processes", 1, 3)
    bar.say("a sentence that stays")
    bar.show("3/3 clips · 2 processes", 3, 3, force=True)
"""


def test_a_terminal_gets_a_bar_and_a_log_file_the_same_words(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    subprocess.run([sys.executable, "-c", CODE], stderr=theirs, env=environment, check=True)
    os.close(theirs)
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "━" in drawn and "1/3 clips · [red]2[/red] processes" in drawn and "3/3 clips · 2 processes" in drawn
    assert drawn.count("a sentence that stays\r\n") == 1
    assert drawn.rindex("\x1b[?25h") > drawn.rindex("\x1b[?25l"), "the cursor is there again"
    plain = subprocess.run([sys.executable, "-c", CODE], stderr=subprocess.PIPE, check=True).stderr.decode()
    assert plain.splitlines() == [
        "1/3 clips · [red]2[/red] processes", "a sentence that stays", "3/3 clips · 2 processes",
    ]  # fmt: skip
