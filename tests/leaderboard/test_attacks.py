"""docs/leaderboard.md: every attack of its table names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}


def test_every_attack_names_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "leaderboard.md").read_text()
    section = page.partition("## Attacks, and the test of each")[2].partition("\n## ")[0]
    rows = [line.rstrip("| ").rpartition("|")[2] for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, test in named:
            assert test in functions_of(ROOT / file), f"{file}::{test}"
