"""The card of trained weights: what they were made from, how, and how well they do."""

from __future__ import annotations

from typing import Any, Mapping

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
