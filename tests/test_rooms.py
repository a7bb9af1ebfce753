"""Arrows between rooms point one way: every import in the tree is checked against the design."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ALLOWED = {
    "harness.contracts": set(),
    "harness.wire": {"harness.contracts"},
    "harness.runtimes": {"harness.wire", "harness.contracts"},
    "harness.worldmodels": {"harness.runtimes", "harness.wire", "harness.contracts"},
    "harness.planning": {"harness.worldmodels", "harness.wire", "harness.contracts"},
    "harness.records": {"harness.contracts"},
    "harness.scoring": {"harness.records", "harness.contracts"},
    "harness.reporting": {"harness.scoring", "harness.records", "harness.contracts"},
    "harness.studies": {
        "harness.auditing", "harness.banking", "tasks", "harness.planning", "harness.worldmodels", "harness.reporting",
        "harness.scoring", "harness.records", "harness.throughput", "harness.contracts",
    },
    "harness.auditing": {
        "harness.banking", "tasks", "harness.worldmodels", "harness.records", "harness.contracts",
    },
    "harness.running": {
        "tasks", "harness.planning", "harness.worldmodels", "harness.runtimes", "harness.wire", "harness.records",
        "harness.contracts",
    },
    "harness.banking": {
        "harness.running", "tasks", "harness.planning", "harness.worldmodels", "harness.wire", "harness.records",
        "harness.contracts",
    },
    "harness.diagnosing": {
        "harness.running", "tasks", "harness.worldmodels", "harness.runtimes", "harness.wire", "harness.contracts",
    },
    "harness.conformance": {
        "harness.running", "tasks", "harness.worldmodels", "harness.runtimes", "harness.wire", "harness.records",
        "harness.contracts",
    },
    "harness.throughput": {
        "harness.worldmodels", "harness.runtimes", "harness.wire", "harness.contracts",
    },
    "harness.collecting": {
        "harness.running", "tasks", "harness.runtimes", "harness.wire", "harness.records", "harness.contracts",
    },
    "harness.posttraining": {
        "harness.banking", "harness.collecting", "harness.running", "harness.worldmodels", "harness.wire",
        "tasks", "harness.scoring", "harness.records", "harness.contracts",
    },
    "harness.leaderboard": {
        "harness.conformance", "harness.running", "harness.auditing", "tasks", "harness.worldmodels",
        "harness.reporting", "harness.scoring", "harness.records", "harness.contracts",
    },
    "harness.cli": {
        "harness.auditing", "harness.banking", "harness.leaderboard",
        "harness.collecting", "harness.posttraining", "harness.throughput",
        "harness.conformance", "harness.runtimes",
        "harness.diagnosing", "harness.running", "harness.reporting", "harness.studies", "harness.scoring",
        "harness.records", "harness.worldmodels", "tasks", "harness.contracts",
    },
    "tasks": {
        "harness.planning", "harness.worldmodels", "harness.runtimes", "harness.wire", "harness.contracts",
    },
    "images": {"harness.wire", "harness.contracts"},
    "wm_plugins": {"harness.wire", "harness.contracts"},
}  # fmt: skip

AUTHORING = {
    "tasks/ignav/make_bank.py": {"images"},
    "tasks/ignav/make_episodes.py": {"images"},
    "tasks/manip/make_episodes.py": {"images"},
    "tasks/manip/mistakes.py": {"images"},
    "tasks/manip/solving.py": {"images"},
    "harness/collecting/in_process.py": {"images"},
    "harness/studies/constant_depth.py": {"images", "wm_plugins"},
    "harness/studies/learnt_score/make_data.py": {"images"},
}
"""Tools that make suite data and training data look into the simulator; nothing that runs an episode may."""


def room_of(module: str) -> str:
    """Return the room that a dotted module name belongs to, or ''."""
    parts = module.split(".")
    if parts[0] == "harness":
        return ".".join(parts[:2]) if ".".join(parts[:2]) in ALLOWED else ""
    return parts[0] if parts[0] in ALLOWED else ""


def imports_of(path: Path) -> set[str]:
    """Return every module that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


@pytest.mark.parametrize("folder", ["harness", "images", "tasks", "wm_plugins"])
def test_imports_follow_the_arrows(folder: str) -> None:
    wrong = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        room = room_of(name[:-3].replace("/", "."))
        allowed = ALLOWED[room] | {room} | AUTHORING.get(name, set()) if room else set()
        wrong += [
            f"{name} ({room}) may not import {module}"
            for module in sorted(imports_of(path))
            if room_of(module) and room_of(module) not in allowed
        ]
    assert not wrong, "\n".join(wrong)
