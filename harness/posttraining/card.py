"""The card of a checkpoint that was trained here: what `harness.worldmodels.cards` asks for, filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts.digest import to_plain
from harness.posttraining.recipe import Recipe
from harness.worldmodels.cards import CARD, MARK, file_hashes


@dataclass(frozen=True)
class Facts:
    """What a card says. ``data`` are its entries (`clips.plain_data`), ``findings`` what the action-use gate found."""

    model: str
    licence: str
    base: str
    recipe: str
    settings: Recipe
    data: Sequence[Mapping[str, Any]]
    steps: int
    seed: int
    weights_from: str
    commit: str
    versions: Mapping[str, str]
    device: str
    command: str
    stamps: Sequence[str] = ()
    findings: Mapping[str, Any] = field(default_factory=dict)


def write_card(folder: Path, facts: Facts) -> None:
    """Write the card of the weights that lie in ``folder``."""
    import yaml  # type: ignore[import-untyped]

    front: dict[str, Any] = {"license": facts.licence or "other"}
    if facts.base:
        front["base_model"] = facts.base
    front["wiw"] = {
        "training_data": [dict(entry) for entry in facts.data],
        "steps": facts.steps,
        "hyperparameters": _hyperparameters(facts),
        "weights": file_hashes(folder),
    }
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)
    text = f"{MARK}\n{head}{MARK}\n{_body(facts)}"
    (folder / CARD).write_text(text, encoding="utf-8")


def _hyperparameters(facts: Facts) -> dict[str, Any]:
    """Return all that decided the result beside the data, flat: names as ``--set`` has them."""
    flat: dict[str, Any] = {"recipe": facts.recipe, "seed": facts.seed, "weights": facts.weights_from}
    for table, values in to_plain(facts.settings).items():
        if isinstance(values, dict):
            flat.update({f"{table}.{name}": _flat(value) for name, value in values.items()})
        elif values is not None:
            flat[table] = _flat(values)
    flat["commit"] = facts.commit or "unknown"
    flat["device"] = facts.device
    flat.update({f"version.{name}": version for name, version in facts.versions.items()})
    return flat


def _flat(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _body(facts: Facts) -> str:
    data = ", ".join(f"{entry['name']} ({entry['clips']} clips)" for entry in facts.data)
    lines = [
        f"# {facts.model}",
        "",
        f"Post-trained for {facts.steps} steps on {data}, by",
        "",
        f"    {facts.command}",
        "",
    ]
    return "\n".join(lines)
