"""A suite's shipped reference results, ``references/<tier>-<split>.json``: read and checked at the edge.

The first report of a new user then says what a success rate means, without seven more runs. They belong to the suite's
data but to no hash: results are matched by the hash that they carry. `harness.studies.shipped_references` writes them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Literal, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.contracts.results import FAILED, OK, EpisodeResult
from harness.contracts.wrong_fields import wrong_fields
from harness.records.atomic import write_atomic
from harness.records.identity import EpisodeKey, RunIdentity
from harness.records.journal import JournalRow
from harness.records.roots import trajectory_root
from harness.scoring.data import ReferencePoint
from harness.scoring.metrics import rate, success_sample
from tasks.suite import Suite

FOLDER = "references"
SHIPPED = "shipped with the suite"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlayedReference(_Part):
    """One reference on the episodes of its file: (episode, solved, trajectory digest) each, and what played it.

    ``trajectory_root`` is that of exactly these rows, and ``rows_digest`` covers what the root does not, so that any
    change is noticed when the file is read.
    """

    wm: str
    planner: str
    seed: int = Field(ge=0)
    trajectory_root: str
    rows_digest: str
    command: str
    rows: Tuple[Tuple[str, bool, str], ...] = Field(min_length=1)

    def results(self, homes: Dict[str, str]) -> Tuple[EpisodeResult, ...]:
        """Return the results of the episodes that ``homes`` (episode -> home) names, in the order of the file."""
        return tuple(
            EpisodeResult(episode, homes[episode], self.seed, OK if solved else FAILED, {}, trajectory)
            for episode, solved, trajectory in self.rows
            if episode in homes
        )


class ReferenceFile(_Part):
    """A whole file: every reference of one tier, split and stop rule, on the same episodes."""

    schema_version: Literal[1] = 1
    suite: str
    task: str
    tier: str
    suite_hash: str
    split: str
    stop: str
    references: Tuple[PlayedReference, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> ReferenceFile:
        episodes = {row[0] for row in self.references[0].rows}
        for reference in self.references:
            names = [row[0] for row in reference.rows]
            if len(set(names)) != len(names) or set(names) != episodes:
                raise ValueError(f"{reference.wm} was not played once on each of the {len(episodes)} episodes")
            if digest(reference.rows) != reference.rows_digest:
                raise ValueError(
                    f"the rows of {reference.wm} were changed: they have another digest than the file says"
                )
            if self.root(reference) != reference.trajectory_root:
                raise ValueError(f"the rows of {reference.wm} have another trajectory root than the file says")
        return self

    def root(self, reference: PlayedReference) -> str:
        """Return the trajectory root of a reference's rows."""
        results = reference.results({row[0]: "" for row in reference.rows})
        keys = [EpisodeKey(self.task, self.tier, result.episode, result.seed) for result in results]
        return trajectory_root(
            JournalRow(key, place, 1, result, None)
            for place, (key, result) in enumerate(zip(keys, results, strict=True))
        )

    def fits(self, identity: RunIdentity) -> bool:
        """Say whether a run was played on some of these episodes, and no others, under the same hash and stop rule."""
        mine = (self.suite_hash, self.task, self.tier, self.split, self.stop)
        asked = (identity.suite_hash, identity.task, identity.tier, identity.split, identity.stop)
        episodes, shipped = {e.id for e in identity.episodes}, {row[0] for row in self.references[0].rows}
        return mine == asked and episodes <= shipped


def reference_path(suite: Suite, tier: str, split: str) -> Path:
    """Return where the shipped results of a tier and split are kept."""
    return suite.folder / FOLDER / f"{tier}-{split}.json"


def shipped_references(suite: Suite, identity: RunIdentity) -> Dict[str, ReferencePoint]:
    """Return the shipped references of exactly a run's episodes by world model; none where the suite ships none.

    Refusal where a file is damaged.
    """
    path = reference_path(suite, identity.tier, identity.split)
    file = read_references(path) if path.exists() else None
    if file is None or not file.fits(identity):
        return {}
    homes = {episode.id: episode.home for episode in identity.episodes}
    points = {}
    for reference in file.references:
        results = reference.results(homes)
        points[reference.wm] = ReferencePoint(
            rate(success_sample(results)), f"{SHIPPED}, seed {reference.seed}", results
        )
    return points


def read_references(path: Path) -> ReferenceFile:
    """Return one file; Refusal where it is damaged."""
    restore = "Restore the file from the repository."
    try:
        return ReferenceFile.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        raise Refusal(f"{path}: {wrong_fields(error.errors())}.", restore) from error
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be read: {error}.", restore) from error


def write_references(path: Path, file: ReferenceFile) -> None:
    """Write a file, an older one replaced whole: one line an episode, and equal results give equal bytes."""
    plain = file.model_dump(mode="json")
    references = plain.pop("references")
    head = json.dumps(plain, indent=1)[:-2]
    text = f'{head},\n "references": [\n{",".join(map(_reference_text, references))} ]\n}}\n'
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, text.encode())


def _reference_text(reference: Dict[str, object]) -> str:
    rows = reference.pop("rows")
    assert isinstance(rows, Sequence)
    head = json.dumps(reference, indent=2)[:-2]
    lines = ",\n".join(f"   {json.dumps(row)}" for row in rows)
    return f'{head},\n  "rows": [\n{lines}\n  ]\n}}\n'
