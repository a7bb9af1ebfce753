"""A suite's shipped reference results, ``references/<tier>-<split>.json``: read, and made from runs.

    python benchmark.py --wm gtsim --task ignav --tier easy --out refs/     # and none, look, homing, oracle, copy, warp
    python -m harness.studies.shipped_references refs/ --tier easy

The first report of a new user then says what a success rate means, without seven more runs. They belong to the suite's
data but to no hash: results are matched by the hash that they carry.

Every reference of the tier must be there, played to its end on the same episodes; else nothing is written, and the
commands that play what is missing are printed. ``--play`` plays those first. ``--check`` compares with what is shipped
and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Literal, Optional, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.auditing.audit import audit
from harness.contracts.commands import FIRST_TASK
from harness.contracts.digest import digest
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.results import FAILED, OK, PLAYED, EpisodeResult
from harness.contracts.wrong_fields import wrong_fields
from harness.records.atomic import write_atomic
from harness.records.identity import EpisodeKey, RunIdentity
from harness.records.journal import JournalRow
from harness.records.listing import read_runs
from harness.records.roots import trajectory_root
from harness.scoring.data import ReferencePoint, RunData, checked_run
from harness.scoring.metrics import rate, success_sample
from harness.studies.run_selection import SELF, Missing
from tasks.suite import Suite, load_suite

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
        """Say whether a run was played on some of these episodes, and no others, under the same hash and stop rule,
        with the tier's whole search."""
        mine = (self.suite_hash, self.task, self.tier, self.split, self.stop)
        asked = (identity.suite_hash, identity.task, identity.tier, identity.split, identity.stop)
        episodes, shipped = {e.id for e in identity.episodes}, {row[0] for row in self.references[0].rows}
        return mine == asked and episodes <= shipped and not identity.loop_words


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


VALIDATION = "validation"


def find_references(
    suite: Suite, tier: str, episodes: str, roots: Sequence[Path]
) -> Tuple[Dict[str, RunData], List[Missing]]:
    """Return the latest complete run of each reference with seed 0 below ``roots``, and what no run gives.

    ``episodes`` is what the runs' ``--episodes`` was: a number or ``all``.
    """
    wanted = {reference.wm for reference in suite.tier(tier).references}
    suite_hash = suite.hash(tier)
    found: Dict[str, RunData] = {}
    for folder in (folder for root in roots for folder in read_runs(root).folders):
        identity = folder.identity
        mine = (identity.suite_hash, identity.tier, identity.split, identity.stop, identity.seeds)
        as_shipped = not identity.wm_overrides and not identity.loop_words
        if identity.wm not in wanted or not as_shipped or mine != (suite_hash, tier, VALIDATION, SELF, (0,)):
            continue
        rows = audit(folder)
        rows.findings.raise_damage(folder.path)
        run = checked_run(folder, rows.rows, rows.findings, rows.metrics)
        if identity.episodes_subset == episodes and all(result.state in PLAYED for result in run.results):
            found[identity.wm] = run
    missing = [Missing(wm, _command(suite, tier, wm, episodes)) for wm in sorted(wanted - set(found))]
    return found, missing


def reference_file(suite: Suite, tier: str, runs: Dict[str, RunData]) -> ReferenceFile:
    """Return the file of a tier from one run of each of its references."""
    references = [_played(suite, tier, runs[reference.wm]) for reference in suite.tier(tier).references]
    return ReferenceFile(
        suite=suite.name,
        task=suite.task,
        tier=tier,
        suite_hash=suite.hash(tier),
        split=VALIDATION,
        stop=SELF,
        references=tuple(references),
    )


def _played(suite: Suite, tier: str, run: RunData) -> PlayedReference:
    identity = run.identity
    rows = tuple((r.episode, r.state == OK, r.trajectory_digest) for r in run.results)
    return PlayedReference(
        wm=identity.wm,
        planner=identity.planner,
        seed=identity.seeds[0],
        trajectory_root=trajectory_root(run.rows),
        command=_command(suite, tier, identity.wm, identity.episodes_subset),
        rows_digest=digest(rows),
        rows=rows,
    )


def _command(suite: Suite, tier: str, wm: str, episodes: str) -> str:
    return (
        f"python benchmark.py --wm {wm} --task {suite.task} --suite {suite.name} --tier {tier} --split {VALIDATION} "
        f"--episodes {episodes} --stop {SELF}"
    )


def _play(missing: Sequence[Missing], out: Path) -> None:
    """Play what is missing into ``out``, one command after the other; Refusal where one fails."""
    for lacking in missing:
        words = [sys.executable, *lacking.command.split()[1:], "--out", str(out)]
        print(" ".join(words), file=sys.stderr)
        if subprocess.run(words, check=False).returncode:
            raise Refusal(f"{lacking.what} was not played to its end.", f"Look at the runs in {out}.")


def _make(suite: Suite, tier: str, asked: argparse.Namespace) -> str:
    """Write or check the file of one tier; return what was done. Refusal where references are missing or differ."""
    runs, missing = find_references(suite, tier, asked.episodes, asked.runs)
    if missing and asked.play:
        _play(missing, asked.runs[0])
        runs, missing = find_references(suite, tier, asked.episodes, asked.runs)
    if missing:
        commands = "\n".join(lacking.command for lacking in missing)
        raise Refusal(f"{tier} lacks {', '.join(lacking.what for lacking in missing)}.", f"Play:\n{commands}")
    file = reference_file(suite, tier, runs)
    path = reference_path(suite, tier, VALIDATION)
    if not asked.check:
        write_references(path, file)
        return f"{path} written"
    shipped = read_references(path)
    if shipped != file:
        pairs = zip(shipped.references, file.references, strict=False)
        other = [mine.wm for mine, played in pairs if mine != played] or ["other episodes"]
        raise Refusal(f"{path} differs from what was played: {', '.join(other)}.", "One of them is not of this code.")
    return f"{path} is what was played"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Write the files that the command line asks for; return 0, or 2 after saying what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.studies.shipped_references",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--task", default=FIRST_TASK)
    parser.add_argument("--tier", action="append", help="repeatable; default: every tier")
    parser.add_argument("--episodes", default="24", help="what the runs' --episodes was: a number or all")
    parser.add_argument("--play", action="store_true", help="play what is missing into the first folder")
    parser.add_argument("--check", action="store_true", help="compare with what is shipped; write nothing")
    asked = parser.parse_args(arguments)
    try:
        suite = load_suite(asked.suite, asked.task)
        for tier in asked.tier or list(suite.tiers):
            print(_make(suite, tier, asked), flush=True)
    except WiwError as error:
        print(f"error: {error.what}\n{error.next_step}".rstrip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
