"""Entries: bundles that hold, reduced to what a site says of them; nothing else of a bundle is kept.

A bundle is unpacked, verified and read once, and its pictures are copied while its files are there: hundreds of bundles
are never unpacked together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from harness.auditing.audit import Audited
from harness.contracts.commands import command
from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.contracts.results import OK, PLAYED
from harness.leaderboard.bundle import CARD, Manifest
from harness.leaderboard.submitting import shown_episodes
from harness.leaderboard.verifying import Known, Verification, opened
from harness.records.episode_files import PROMPT, VIDEO, read_picture
from harness.records.errors import RecordError
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity
from harness.records.pictures import is_small_jpeg
from harness.records.safe_files import read_inside
from harness.scoring.comparing_matching import FIELDS
from harness.scoring.data import RunData, checked_run, no_trajectory
from harness.scoring.next_commands import identity_words
from harness.scoring.references import CEILING
from harness.scoring.summary import Context, Summary, summarise
from harness.worldmodels import cards
from tasks.fresh_homes import FRESH

SURROUNDINGS = Callable[[RunFolder, RunData], Context]
"""Returns what the suite says beside a run: references, baseline, dose curves."""

IDENT_DIGITS = 16
"""How many digits of the SHA-256 of what was signed name a submission."""
MOST_STRIPS = 40
VIDEO_BYTES = 8 << 20
"""What a page shows of an episode at most; ours have a dozen decisions and a video of some hundred kilobytes."""


@dataclass(frozen=True)
class Shown:
    """An episode whose pictures a bundle holds; the files are names below the media folder, "" for none."""

    name: str
    state: str
    prompt: str
    strips: tuple[str, ...]
    video: str


@dataclass(frozen=True, eq=False)
class Result:
    """One run of an entry.

    ``place`` is what two runs have to share to stand in one table, ``keys`` the digest of its (episode, seed) rows,
    ``played`` that of how each ended, with all metrics: equal ones were played alike, whatever the model is called.
    ``solved`` bool [rows] and ``homes`` [rows] what they gave. ``seconds`` is how long the agent waited for the world
    model in a decision, as the run recorded it; None where it did not. ``command`` plays it again.
    """

    summary: Summary
    place: str
    keys: str
    played: str
    solved: npt.NDArray[np.bool_]
    homes: tuple[str, ...]
    seconds: Optional[float]
    command: str
    shown: tuple[Shown, ...]

    @property
    def identity(self) -> RunIdentity:
        """Return what the run asks, without its episodes."""
        return self.summary.identity

    @property
    def broken(self) -> int:
        """Return how many rows ended in an error or a timeout."""
        return self.summary.episodes["error"] + self.summary.episodes["timeout"]


@dataclass(frozen=True, eq=False)
class Entry:
    """A submission: its name (`IDENT_DIGITS` digits), the SHA-256 and bytes of its file, what verifying said (without
    the file's path), the text of its card, and its runs."""

    ident: str
    file_sha256: str
    size: int
    verification: Verification
    card: str
    results: tuple[Result, ...]

    @property
    def manifest(self) -> Manifest:
        """Return the signed manifest."""
        if self.verification.manifest is None:
            raise AssertionError("a bundle that holds has a manifest")
        return self.verification.manifest

    def verified_as(self, record: Verification) -> Entry:
        """Return the entry with a record of another verification of the same content; Refusal where that is not so."""
        own = self.verification
        if (record.digest, record.manifest, record.signer) != (own.digest, own.manifest, own.signer):
            raise Refusal(f"{record.bundle} is about another bundle than {own.bundle}.", "Verify the bundle again.")
        trusted = record.trusted if own.trusted is None else own.trusted
        return replace(self, verification=replace(record, bundle=own.bundle, trusted=trusted))


def read_entry(
    path: Path, known: Known, surroundings: SURROUNDINGS, media: Path
) -> tuple[Verification, Optional[Entry]]:
    """Return what verifying a bundle says, and its entry where it holds; pictures are copied below ``media``.

    Raises Refusal where there is no such file.
    """
    with opened(path, known) as found:
        verification = found.verification
        if not verification.holds:
            return verification, None
        ident = verification.digest[:IDENT_DIGITS]
        first = found.runs[0].folder.path
        card = (first.parent.parent / CARD).read_bytes()[: cards.MAX_BYTES].decode(errors="replace")
        results = tuple(
            _result(run, verification, surroundings, media / ident, f"run-{number}")
            for number, run in enumerate(found.runs, 1)
        )
        anonymous = replace(verification, bundle=f"{ident}.zip")
        return verification, Entry(ident, _sha256(path), path.stat().st_size, anonymous, card, results)


def place_of(identity: RunIdentity) -> str:
    """Return what two runs have to share to stand in one table: all that `compare` wants equal but the split, and the
    class of views."""
    specs: dict[str, Any] = {name: value for name, value in identity.specs.items() if name != FRESH}
    asked = {name: getattr(identity, name) for name in FIELDS if name != "split"}
    return digest({**asked, "view": identity.view, "planner": identity.planner, "specs": specs})


def _result(run: Audited, verification: Verification, surroundings: SURROUNDINGS, media: Path, name: str) -> Result:
    data = checked_run(run.folder, run.rows, run.findings, run.metrics)
    # Nothing is shown that only trajectories say, and reading them again takes as long as verifying did.
    unread = replace(data, trajectory=no_trajectory)
    identity = run.folder.identity
    context = replace(surroundings(run.folder, data), test_runs=0)
    if identity.wm in (context.baseline, CEILING):  # it would be taken for an end of its own scale
        context = replace(context, reference_runs={}, frozen_references={})
    summary = summarise(unread, context)
    rows = sorted(run.rows, key=lambda row: (row.key.episode, row.key.seed))  # in whatever order they were planned
    image = verification.manifest.image if verification.manifest else ""
    return Result(
        summary=replace(summary, identity=replace(identity, episodes=())),
        place=place_of(identity),
        keys=digest([(row.key.episode, row.key.seed) for row in rows]),
        played=digest([(row.key.episode, row.key.seed, row.result.state, dict(row.result.metrics)) for row in rows]),
        solved=np.array([row.result.state == OK for row in rows]),
        homes=tuple(f"{identity.split} {row.result.home}" for row in rows),
        seconds=_seconds(data),
        command=command("--wm-image", image, *identity_words(identity, identity.split, identity.episodes_subset)),
        shown=tuple(_shown(run, media, name)),
    )


def _seconds(data: RunData) -> Optional[float]:
    """Return the seconds of waiting for rollouts by decision, over the episodes that say both."""
    told = [r for r in data.results if r.state in PLAYED and "imagine" in r.timings and r.metrics.get("decisions")]
    decisions = sum(result.metrics["decisions"] for result in told)
    return sum(result.timings["imagine"] for result in told) / decisions if decisions else None


def _shown(run: Audited, media: Path, name: str) -> Iterator[Shown]:
    """Copy the pictures of the episodes that the root chooses, under names of our own; yield what there is.

    A bundle may hold pictures of others too: those were chosen by somebody.
    """
    chosen = set(shown_episodes(run))
    for row in (row for row in run.rows if row.key.folder_name in chosen):
        folder = run.folder.episode_folder(row.key)
        if not (folder / PROMPT).is_file() and not (folder / VIDEO).is_file():
            continue
        target = f"{name}/{row.position}"
        strips = sorted(file.name for file in folder.glob("decision-*.jpg"))[:MOST_STRIPS]
        yield Shown(
            row.key.folder_name,
            row.result.state,
            _copied(folder, PROMPT, media, f"{target}/prompt.jpg"),
            tuple(
                filter(None, (_copied(folder, strip, media, f"{target}/{n:02d}.jpg") for n, strip in enumerate(strips)))
            ),
            _copied_video(folder, media, f"{target}/video.mp4"),
        )


def _copied(folder: Path, file: str, media: Path, name: str) -> str:
    """Copy a picture and return its name; "" for what is no small JPEG."""
    data = read_picture(folder, file)
    return _written(media, name, data) if data is not None and is_small_jpeg(data) else ""


def _copied_video(folder: Path, media: Path, name: str) -> str:
    """Copy a video and return its name; "" where there is none, or something else or far too large in its place."""
    try:
        data = read_inside(folder.parent, f"{folder.name}/{VIDEO}", VIDEO_BYTES)
    except (OSError, RecordError):
        return ""
    return _written(media, name, data) if data[4:8] == b"ftyp" else ""


def _written(media: Path, name: str, data: bytes) -> str:
    target = media / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
