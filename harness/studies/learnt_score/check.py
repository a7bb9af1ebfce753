"""Held-out errors of a weights file as it plays: ``python -m harness.studies.learnt_score.check FILE --data DIR``.

Needs no GPU: the score runs from the file, without the network that was trained. Every split in DIR is measured, save
for training homes; print the table, and put it into the FILE.json and the card beside the weights.
The card says what weights were made from, how, and how well they do.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np
import torch

from harness.contracts.errors import Refusal, WiwError
from harness.studies.learnt_score.batches import TRAIN, Homes, as_images, halved, homes_by_split
from harness.studies.learnt_score.fit import CONDITIONS, Errors, by_band
from tasks.ignav.scores.learnt_file import read_tensors
from tasks.ignav.scores.learnt_network import Network, network_from

LICENCE = "Apache-2.0"

_CARD = """# {name}: learnt score of image-goal navigation

Predicts the geodesic distance (m) between a goal view (128 x 128, 90 degrees) and a panorama (128 x 256), whatever
their headings. Trained on real views of training homes alone; `docs/learnt_score.md` describes it.

| | |
|---|---|
| SHA-256 | `{sha256}` |
| parameters, bytes | {parameters:,}, {bytes:,} |
| licence | {licence} |
| command | `{command}` |
| device, torch | {device}, {torch} |
| training | {steps} steps in {seconds} s; step {chosen_step} was chosen on the validation homes |
| largest difference of the score from torch | {difference_m:.1e} m |

## Data
| split | homes | names | used to | digest |
|---|---|---|---|---|
{data}

## Settings
{settings}

## Mean absolute error (m) by true distance
{errors}

`guess` is the error of the best constant. Conditions are done to the panorama; the goal stays clean.
{notes}"""
_USES = {"train": "train", "validation": "choose the checkpoint"}


def card_of(record: Mapping[str, Any]) -> str:
    """Return the card as Markdown, from the record that the training writes as JSON."""
    data = [
        f"| {split} | {of['homes']} | {of['first']} to {of['last']} | {_USES.get(split, 'report')} "
        f"| `{of['digest'][:16]}` |"
        for split, of in record["data"].items()
    ]
    settings = ", ".join(f"{name} {value}" for name, value in record["settings"].items())
    plain = {name: record[name] for name in _FIELDS}
    return _CARD.format(
        **plain,
        licence=LICENCE,
        data="\n".join(data),
        settings=settings,
        errors=error_table(record["errors"]),
        notes=_notes(record),
    )


_FIELDS = (
    "name", "sha256", "parameters", "bytes", "command", "device", "torch", "steps", "seconds", "chosen_step",
    "difference_m",
)  # fmt: skip


def _notes(record: Mapping[str, Any]) -> str:
    """Return what else has to be said: on which homes the errors were measured afterwards, and remarks."""
    notes = list(record.get("notes", ()))
    for split, names in record.get("checked_on", {}).items():
        notes.append(f"Errors on {split}: measured on the file as it plays, on a CPU, homes {names[0]} to {names[-1]}.")
    return "".join(f"\n{note}\n" for note in notes)


def error_table(errors: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one row a split and condition, one column a band."""
    rows = []
    for split, conditions in errors.items():
        for condition, of in conditions.items():
            cells = [f"{band['error_m']:.2f}" if band["pairs"] else "-" for band in of["bands"]]
            rows.append(f"| {split} | {condition} | {' | '.join(cells)} | {of['all_m']:.2f} | {of['guess_m']:.2f} |")
    bands = next(iter(next(iter(errors.values())).values()))["bands"]
    titles = " | ".join(f"{band['low_m']:g}-{band['high_m']:g} m" for band in bands)
    return "\n".join([f"| split | panoramas | {titles} | all | guess |", "|---" * (len(bands) + 4) + "|", *rows])


GOALS, EACH = 8, 16


def errors_as_played(score: Network, homes: Homes, condition: str, batches: int) -> Errors:
    """Return the errors on ``batches`` of `GOALS` x `EACH` pairs: the same pairs for every file and condition."""
    generator = torch.Generator().manual_seed(1)
    truths: List[torch.Tensor] = []
    guesses: List[float] = []
    for _ in range(batches):
        goals, panoramas, distances = homes.pairs(GOALS, EACH, generator)
        spoilt = CONDITIONS[condition](as_images(panoramas.flatten(0, 1))).permute(0, 2, 3, 1)
        bands = (spoilt * 255.0).numpy().reshape(GOALS, EACH, *spoilt.shape[1:])
        views = (halved(as_images(goals)).permute(0, 2, 3, 1) * 255.0).numpy()
        for view, seen in zip(views, bands):
            features = score.goal_features(np.ascontiguousarray(view, np.float32))
            guesses += [score.distance_m(features, np.ascontiguousarray(band, np.float32)) for band in seen]
        truths.append(distances.flatten())
    return by_band(torch.cat(truths).double(), torch.tensor(guesses, dtype=torch.float64))


def check(path: Path, data: Path, batches: int, conditions: Sequence[str]) -> Dict[str, Any]:
    """Return the errors by split and condition, with the homes that they were measured on."""
    score = network_from(read_tensors(path).tensors)
    held_out = {split: homes for split, homes in homes_by_split(data, "cpu").items() if split != TRAIN}
    if not held_out:
        raise Refusal(f"{data} has no homes but those of training.", "Make some: --split validation (make_data).")
    errors: Dict[str, Any] = {}
    for split, homes in held_out.items():
        errors[split] = {}
        for condition in conditions:
            print(f"{split}, {condition}: {len(homes.names)} homes", file=sys.stderr, flush=True)
            errors[split][condition] = errors_as_played(score, homes, condition, batches).plain()
    return {"errors": errors, "checked_on": {split: list(homes.names) for split, homes in held_out.items()}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2: refused)."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.studies.learnt_score.check", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("file", type=Path, help="weights, .safetensors")
    parser.add_argument("--data", type=Path, required=True, help="folder that make_data filled")
    parser.add_argument("--batches", type=int, default=64, help=f"of {GOALS * EACH} pairs")
    parser.add_argument("--conditions", nargs="+", choices=tuple(CONDITIONS), default=tuple(CONDITIONS))
    parser.add_argument("--write", action="store_true", help="put the errors into the record and card beside FILE")
    chosen = parser.parse_args(arguments)
    try:
        found = check(chosen.file, chosen.data, chosen.batches, chosen.conditions)
        if chosen.write:
            _write(chosen.file, found)
    except WiwError as error:
        print(error, file=sys.stderr)
        return 2
    print(error_table(found["errors"]))
    return 0


def _write(path: Path, found: Dict[str, Any]) -> None:
    beside = path.with_suffix(".json")
    if not beside.exists():
        raise Refusal(f"{beside} does not exist.", "Train first, or leave out --write.")
    record = {**json.loads(beside.read_text(encoding="utf-8")), **found, "sha256": read_tensors(path).sha256}
    beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(card_of(record), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
