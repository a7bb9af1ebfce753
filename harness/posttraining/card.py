"""The card of a checkpoint that was trained here: what `harness.worldmodels.cards` asks for, filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts.digest import to_plain
from harness.posttraining.recipe import Recipe
from harness.worldmodels.cards import CARD, MARK, file_hashes, table_digest


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
    code: str
    versions: Mapping[str, str]
    device: str
    command: str
    action_use: Mapping[str, Any] = field(default_factory=dict)


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
        **({"action_use": dict(facts.action_use)} if facts.action_use else {}),
    }
    front["wiw"]["sha256"] = table_digest(front["wiw"])
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
    flat["code"] = facts.code
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
        *_action_lines(facts),
    ]
    return "\n".join(lines)


def _action_lines(facts: Facts) -> list[str]:
    """Return what the gate found, for readers."""
    found = facts.action_use
    if not found:
        return []
    verdict = "uses its actions" if found["uses_actions"] else "**is not shown to use its actions**"
    lines = [
        f"The model {verdict}: loss on {found['clips']} held-out clips of {found['homes']} homes, with 95 % intervals",
        "",
        "| actions | loss |",
        "|---|---|",
        *(f"| {name} | {written(metric)} |" for name, metric in found["loss"].items()),
        f"| shuffled minus correct, paired | {written(found['shuffled_minus_correct'])} |",
        f"| none minus correct, paired | {written(found['none_minus_correct'])} |",
        "",
    ]
    bank = found.get("bank")
    if bank and "regret_m" in bank:
        lines += [f"Regret in {bank['states']} states of the decision bank (lower is better):", ""]
        lines += ["| world model | regret (m) | this one minus it, paired (m) |", "|---|---|---|"]
        for name, metric in bank["regret_m"].items():
            other = bank["regret_m_minus"].get(name)
            lines.append(f"| {name} | {written(metric)} | {written(other) if other else ''} |")
        lines.append("")
    return lines


def written(metric: Mapping[str, Any]) -> str:
    """Return a plain metric as ``0.123 [0.098, 0.148]``."""
    value, low, high = ("n/a" if metric[k] is None else f"{metric[k]:.4g}" for k in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
