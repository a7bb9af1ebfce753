"""Cards: what a checkpoint must say about itself before it is evaluated.

A number without the data it was trained on, or of weights that nobody can name, cannot be compared with another. So a
checkpoint of the user's own and every post-trained one carry a ``README.md`` in the hub's format (YAML between two
lines of three dashes) with the hub's ``license`` and a table ``wiw`` of ours, and the hashes in it are compared with
the files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Mapping, Optional, Union

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.contracts.wrong_fields import wrong_fields
from harness.worldmodels.digests import Progress, hash_files, quiet
from harness.worldmodels.file_limits import parse_yaml
from harness.worldmodels.hub_cache import weight_files

CARD = "README.md"
MARK = "---"
MAX_BYTES = 262144
HELP = "docs/worldmodels.md (Cards) shows one; --allow-uncarded plays without and stamps the result."
IGNORES_ACTIONS = "ignores-actions"
"""Stamps results of a checkpoint whose loss on held-out clips was no lower with the right actions than with others."""
SETTINGS = "settings."
"""Begins the names of hyperparameters that are settings of the trainee."""
_SHA256 = r"^[0-9a-f]{64}$"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _TrainingData(_Table):
    """One set that the checkpoint was trained on; ``clips`` and ``frames`` count what was used of it."""

    name: str = Field(min_length=1)
    sha256: str = Field(pattern=_SHA256)
    clips: int = Field(default=0, ge=0)
    frames: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _counted(self) -> _TrainingData:
        if self.clips + self.frames == 0:
            raise ValueError("says neither clips nor frames")
        return self


class _ActionUse(BaseModel):
    """What `posttrain` found of the model's use of its actions; its numbers are for readers."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    uses_actions: bool


class _OwnTable(_Table):
    action_use: Optional[_ActionUse] = None
    training_data: list[_TrainingData] = Field(min_length=1)
    steps: int = Field(ge=1)
    hyperparameters: dict[str, Union[bool, int, float, str]] = Field(min_length=1)
    weights: dict[str, str] = Field(min_length=1)
    sha256: str = Field(default="", pattern=_SHA256)

    @model_validator(mode="after")
    def _hashed(self) -> _OwnTable:
        for name, sha256 in self.weights.items():
            if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
                raise ValueError(f"weights.{name} is no SHA-256 (64 lower-case hex digits)")
        return self


class _FrontMatter(BaseModel):
    """The hub's own keys are many; only ``license`` is asked for."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    license: str = Field(min_length=1)
    base_model: Optional[Union[str, list[str]]] = None
    wiw: _OwnTable


@dataclass(frozen=True)
class Card:
    """A complete card. ``weights`` maps each file of the checkpoint to its SHA-256.

    ``clips`` counts those of all training data, 0 where one of them says its frames alone.
    ``stamps`` are what the card itself says that no reader of a result must overlook.
    """

    licence: str
    steps: int
    training_data: tuple[str, ...]
    hyperparameters: Mapping[str, Any]
    weights: Mapping[str, str]
    clips: int = 0
    stamps: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the recipe that trained the checkpoint, by their names without the table's."""
        return {
            name.removeprefix(SETTINGS): value
            for name, value in self.hyperparameters.items()
            if name.startswith(SETTINGS)
        }


def read_card(folder: Path) -> Card:
    """Return the card of a checkpoint's folder; Refusal says what is missing or wrong in it."""
    file = folder / CARD
    try:
        with file.open("rb") as source:
            content = source.read(MAX_BYTES + 1) if file.is_file() else b""
    except OSError as error:
        raise Refusal(f"{folder} has no card: {CARD} cannot be read ({error.strerror}).", HELP) from error
    front = _front_matter(content, file)
    try:
        parsed = _FrontMatter.model_validate(front)
    except ValidationError as error:
        raise Refusal(f"the card {file} is not complete: {wrong_fields(error.errors())}.", HELP) from error
    own = parsed.wiw
    written = front["wiw"]
    if own.sha256 and own.sha256 != table_digest(written):
        raise Refusal(
            f"the table wiw of the card {file} was changed after it was written: its digest is another than it says.",
            "Take the card back as it was written; what lies outside the table may be changed.",
        )
    data = tuple(item.name for item in own.training_data)
    ignores = own.action_use is not None and not own.action_use.uses_actions
    counts = [item.clips for item in own.training_data]
    clips = sum(counts) if all(counts) else 0
    stamps = (IGNORES_ACTIONS,) * ignores
    return Card(parsed.license, own.steps, data, own.hyperparameters, own.weights, clips, stamps)


def check_card(checkpoint: Path, progress: Progress = quiet) -> Card:
    """Return the card of a checkpoint (a folder, or a file in one); Refusal unless it is complete and tells the truth.

    Of a card beside a file only what it says of that file is returned: others may lie there.
    Completeness is checked first, since it costs nothing; hashing reads every byte of weights that changed since they
    were hashed last.
    """
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    card = read_card(folder)
    names = {str(path.relative_to(folder)) for path in weight_files(checkpoint)}
    listed = set(card.weights) if checkpoint.is_dir() else set(card.weights) & names
    if listed != names or not names:
        odd = sorted(listed ^ names)
        raise Refusal(
            f"the card of {folder} lists {len(listed)} files of weights, {len(names)} are there"
            + (f" (only one side has {odd[0]!r})." if odd else "."),
            HELP,
        )
    for name, sha256 in file_hashes(checkpoint, progress).items():
        if card.weights[name] != sha256:
            raise Refusal(
                f"{folder / name} is not what its card says: SHA-256 {sha256}, card {card.weights[name]}.",
                "Fetch the file again, or write a card for the weights that are there.",
            )
    return replace(card, weights={name: card.weights[name] for name in sorted(names)})


def file_hashes(checkpoint: Path, progress: Progress = quiet) -> dict[str, str]:
    """Return the SHA-256 of each file of weights by its path below the checkpoint's folder."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    hashes = hash_files(weight_files(checkpoint), progress)
    return {str(path.relative_to(folder)): sha256 for path, sha256 in hashes.items()}


def table_digest(table: Mapping[str, Any]) -> str:
    """Return the hash of a card's table ``wiw``, which may stand in it as ``sha256``."""
    return digest({name: value for name, value in table.items() if name != "sha256"})


def weights_digest(hashes: Mapping[str, str]) -> str:
    """Return one SHA-256 that stands for all files of a checkpoint."""
    return digest(dict(hashes))


def _front_matter(content: bytes, file: Path) -> Any:
    if len(content) > MAX_BYTES:
        raise Refusal(f"{file} is too long: a card has at most {MAX_BYTES} bytes.", "Shorten it.")
    lines = content.decode("utf-8", "replace").splitlines()
    marks = [number for number, line in enumerate(lines) if line.rstrip() == MARK][:2]
    if len(marks) < 2 or marks[0] != 0:
        raise Refusal(f"{file} does not begin with front matter (YAML between two lines {MARK!r}).", HELP)
    try:
        return parse_yaml("\n".join(lines[1 : marks[1]]))
    except ValueError as error:
        raise Refusal(f"the front matter of {file} is no YAML of a card: {error}.", "Fix it.") from error
