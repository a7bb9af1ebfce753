"""Trying solutions: the order of scenes decides, never the number of workers, and what was tried is kept."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

from tasks.manip import solving
from tests.images.tabletop.needs import needs_the_arm

SCENES = [f"push_buttons/variation{number}/episode0" for number in range(4)]


@needs_the_arm
def test_two_workers_find_what_one_does_and_an_outcome_that_is_known_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = list(solving.outcomes(iter(SCENES), 2, tmp_path / "two"))
    assert [scene for scene, _ in two] == SCENES and all(solved for _, solved in two)
    assert list(solving.outcomes(iter(SCENES), 1, tmp_path / "one")) == two
    monkeypatch.setattr(solving, "is_solved", None)
    assert list(solving.outcomes(iter(SCENES), 1, tmp_path / "one")) == two


def test_a_line_that_was_cut_off_is_tried_again_and_other_code_begins_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: List[str] = []

    def is_solved(scene: str) -> bool:
        tried.append(scene)
        return scene != SCENES[1]

    monkeypatch.setattr(solving, "is_solved", is_solved)
    monkeypatch.setattr(solving, "_digest_of_the_code", lambda: "1" * 64)
    endless = (scene for scene in SCENES * 9)
    first = next(iter(solving.outcomes(endless, 1, tmp_path)))
    assert first == (SCENES[0], True) and tried == SCENES[:1] and next(endless)
    (kept,) = tmp_path.iterdir()
    kept.write_text(kept.read_text() + '{"scene": "push_buttons/varia')
    assert [solved for _, solved in solving.outcomes(SCENES[:2], 1, tmp_path)] == [True, False]
    assert tried == SCENES[:2]
    monkeypatch.setattr(solving, "_digest_of_the_code", lambda: "2" * 64)
    list(solving.outcomes(SCENES[:1], 1, tmp_path))
    assert tried == [*SCENES[:2], SCENES[0]] and len(list(tmp_path.iterdir())) == 2
