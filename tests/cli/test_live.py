"""A live line never wraps: what is cut off first is what matters least."""

from __future__ import annotations

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
