"""Makes a bundle of finished runs, after looking at everything that a leaderboard will look at."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Sequence

from harness.auditing.audit import Audited, audit
from harness.contracts.errors import Refusal
from harness.contracts.metrics import SUCCESS
from harness.leaderboard.admission import CARD_HELP, Reason, image_reasons, reasons, together
from harness.leaderboard.bundle import (
    CARD,
    MAX_FILE_BYTES,
    RUNS,
    SCHEMA,
    FileFact,
    Manifest,
    RunFact,
    fact_of,
    payload_of,
    takes,
    write_bundle,
)
from harness.leaderboard.signing import sign
from harness.records.episode_files import TRAJECTORY
from harness.records.folder import EPISODES, JOURNAL, RECORD, RunFolder
from harness.records.roots import trajectory_root
from harness.scoring.data import checked_run
from harness.scoring.metrics import metrics_table
from harness.worldmodels import cards

SHOWN = 4
"""Episodes of a run whose pictures and video go into its bundle."""


@dataclass(frozen=True)
class Submission:
    """To be submitted: run folders, the image that they were played with, and the checkpoint's folder or card."""

    runs: Sequence[Path]
    image: str
    card: Path

    @property
    def card_folder(self) -> Path:
        """Return the folder that holds the card."""
        return self.card.parent if self.card.is_file() else self.card


@dataclass(frozen=True)
class Examined:
    """Runs that were read with all that is wrong with them, and why the submission is not accepted (empty: it is)."""

    runs: tuple[Audited, ...]
    reasons: tuple[Reason, ...]


def examine(asked: Submission) -> Examined:
    """Return everything that is missing or wrong; a folder that is no run raises Refusal."""
    runs = tuple(audit(RunFolder.open(path)) for path in asked.runs)
    found = [*image_reasons(asked.image), *together(runs)]
    for run in runs:
        found += reasons(run, asked.image)
    try:
        cards.read_card(asked.card_folder)
    except Refusal as refusal:
        found.append(Reason("uncarded", str(asked.card), refusal.what, CARD_HELP))
    return Examined(runs, tuple(found))


def submit(asked: Submission, examined: Examined, key: Path, out: Path) -> Manifest:
    """Write the signed bundle of an accepted submission to ``out`` and return its manifest; Refusal otherwise."""
    if examined.reasons:
        raise Refusal(f"not submitted: {examined.reasons[0]}", "See all with --dry-run.")
    with tempfile.TemporaryDirectory(prefix="wiw-bundle-") as scratch:
        files = [(CARD, asked.card_folder / cards.CARD)]
        for run in examined.runs:
            files += _files_of(run, Path(scratch))
        facts = {name: _fact(file) for name, file in files}
        manifest = _manifest(asked, examined.runs, facts)
        write_bundle(out, sign(payload_of(manifest), key), files)
    return manifest


def _manifest(asked: Submission, runs: Sequence[Audited], facts: dict[str, FileFact]) -> Manifest:
    return Manifest(
        schema=SCHEMA,
        model=runs[0].folder.identity.wm,
        image=asked.image,
        runs=tuple(run_fact(run) for run in runs),
        files=facts,
        **provenance_facts(runs),
    )


def provenance_facts(runs: Sequence[Audited]) -> dict[str, Any]:
    """Return what a manifest says of code, time and hardware: code and hardware of the first run, the latest time."""
    provenances = [run.folder.record.provenance for run in runs]
    return {
        "code": provenances[0].git_commit,
        "created_at": max(provenance.created_at for provenance in provenances),
        "hardware": provenances[0].hardware,
    }


def run_fact(run: Audited) -> RunFact:
    """Return what a bundle says of a run, worked out from its rows."""
    identity = run.folder.identity
    data = checked_run(run.folder, run.rows, run.findings, run.metrics)
    return RunFact(
        run_id=run.folder.record.run_id,
        suite=identity.suite,
        suite_hash=identity.suite_hash,
        task=identity.task,
        tier=identity.tier,
        split=identity.split,
        stop=identity.stop,
        trajectory_root=trajectory_root(run.rows),
        success=metrics_table(data.results, data.metrics)[SUCCESS.name].value,
        episodes=len(run.rows),
    )


def _files_of(run: Audited, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a run by their names in a bundle; its journal as a copy that no process writes to."""
    folder, name = run.folder, f"{RUNS}/{run.folder.record.run_id}"
    yield f"{name}/{RECORD}", folder.path / RECORD
    yield f"{name}/{JOURNAL}", _journal_copy(folder, scratch)
    played = [row.key.folder_name for row in run.rows if (folder.episodes / row.key.folder_name).is_dir()]
    shown = set(shown_episodes(run))
    for key in played:
        for file in sorted((folder.episodes / key).iterdir()):
            named = f"{name}/{EPISODES}/{key}/{file.name}"
            if file.name == TRAJECTORY or (key in shown and takes(named)):
                yield named, file


def shown_episodes(run: Audited) -> tuple[str, ...]:
    """Return the folder names of the episodes whose pictures are shown: the trajectory root chooses, nobody else."""
    root = trajectory_root(run.rows)
    keys = [row.key.folder_name for row in run.rows if (run.folder.episodes / row.key.folder_name).is_dir()]
    return tuple(sorted(keys, key=lambda key: hashlib.sha256(f"{root} {key}".encode()).digest())[:SHOWN])


def _journal_copy(folder: RunFolder, scratch: Path) -> Path:
    """Write the journal anew: one file, without what a writer leaves beside it, and equal for equal rows."""
    copy = scratch / f"{folder.record.run_id}.sqlite"
    source = (folder.path / JOURNAL).absolute().as_uri()
    with closing(sqlite3.connect(f"{source}?mode=ro", uri=True)) as database:
        database.execute("VACUUM INTO ?", (str(copy),))
    return copy


def _fact(file: Path) -> FileFact:
    size = file.stat().st_size
    if size > MAX_FILE_BYTES:
        raise Refusal(f"{file} has {size} bytes; a bundle takes at most {MAX_FILE_BYTES} a file.", "Remove it.")
    return fact_of(file.read_bytes())
