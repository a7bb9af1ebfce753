"""The torch stage of the plugin base holds what the `models` extra holds, in the versions that the project tests."""

from __future__ import annotations

import re
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "images/wm_base"


def pins(file: Path) -> dict[str, str]:
    """Return versions by normalised name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\]+)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in found}


def test_the_torch_stage_asks_for_the_models_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in project["optional-dependencies"]["models"]}
    assert set(pins(FOLDER / "torch.in")) == extra


def test_the_torch_stage_has_the_versions_of_the_constraints() -> None:
    constraints, locked = pins(ROOT / "constraints.txt"), pins(FOLDER / "torch.lock")
    assert pins(FOLDER / "torch.in").items() <= constraints.items()
    other = {name: (version, constraints[name]) for name, version in locked.items() if name in constraints}
    assert all(here == tested for here, tested in other.values()), other


def test_what_both_locks_hold_they_hold_alike() -> None:
    base, torch = pins(FOLDER / "requirements.lock"), pins(FOLDER / "torch.lock")
    assert {name: base[name] for name in base.keys() & torch.keys()}.items() <= torch.items()
