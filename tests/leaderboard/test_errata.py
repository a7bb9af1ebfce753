"""Errata: read strictly, about submissions that are there, and never two things of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.leaderboard.errata import read_errata

A, B, C = "0" * 16, "1" * 16, "2" * 16


def entry(kind: str, submission: str = A, more: str = "") -> str:
    return f'[[{kind}]]\nsubmission = "{submission}"\ndate = "2026-11-30"\nreason = "<b>why</b>"\n{more}\n'


def replaced(submission: str, by: str) -> str:
    return entry("corrected", submission, f'replaced_by = "{by}"')


def test_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "errata.toml"
    file.write_text(entry("withdrawn") + replaced(B, C) + entry("corrected", C))
    found = read_errata(file, {A, B, C})
    assert {name: (each.kind, each.ranked) for name, each in found.items()} == {
        A: ("withdrawn", False), B: ("replaced", False), C: ("corrected", True),
    }  # fmt: skip
    assert found[B].replaced_by == C


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "cannot be read"),
        ("retracted = 1", "Extra inputs"),
        ("[[withdrawn]]\nsubmission = 7", "valid string"),
        (entry("withdrawn", "../../x"), "submission"),
        (entry("withdrawn", "3" * 16), "none of the submissions"),
        (replaced(A, "3" * 16), "none of the submissions"),
        (entry("withdrawn") + entry("corrected"), "named twice"),
        (replaced(A, A), "named twice"),
        (replaced(A, B) + replaced(B, A), "counts no more"),
        (replaced(A, B) + entry("withdrawn", B), "counts no more"),
        (entry("withdrawn").replace("2026-11-30", "yesterday"), "date"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "errata.toml"
    file.write_text(text)
    with pytest.raises(Refusal, match=said):
        read_errata(file, {A, B})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be read"):
        read_errata(tmp_path / "none.toml", set())
