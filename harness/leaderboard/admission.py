"""What a run has to be before anybody is asked to believe it: looked at by who submits, and again by who verifies.

Each reason has a code, so that a leaderboard can count them. Everything is looked at, not only the first fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator, Optional, Sequence

from harness.auditing.audit import Audited
from harness.contracts.errors import Refusal
from harness.contracts.manifests import PLUGIN
from harness.contracts.results import PLANNED
from harness.records.banks import BANK_HASH
from harness.records.identity import ImageRecord, RunIdentity
from harness.scoring.data import stamps_of
from tasks.fresh_homes import FRESH, TEST, is_fresh
from tasks.subsets import ALL
from tasks.suite import load_suite

IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,200}@sha256:[0-9a-f]{64}")
HARMLESS = frozenset({"retried", "ignores-actions", "approximate"})
"""Stamps that a submitted result may carry: they are shown beside it."""

CARD_HELP = "docs/worldmodels.md (Cards) shows a complete one."

SPECS = frozenset({"rig", "action_space", "loop", FRESH})
"""What a run of the whole search declares: with anything else it would have a table of its own."""


@dataclass(frozen=True)
class Reason:
    """Why a run is not accepted: a code, what was found where, and what to do."""

    code: str
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """Return all of it in one line."""
        return f"{self.code}: {self.where}: {self.what} {self.remedy}"


def image_reasons(image: str) -> Iterator[Reason]:
    """Yield why an image is not named well enough to be found again."""
    if not IMAGE.fullmatch(image):
        yield Reason(
            "no-digest",
            "--image",
            f"{image[:120]!r} names no digest, and a tag can be moved.",
            "Give NAME@sha256:DIGEST.",
        )


def together(runs: Sequence[Audited]) -> Iterator[Reason]:
    """Yield why runs are not one submission."""
    identities = [run.folder.identity for run in runs]
    names = sorted({identity.wm for identity in identities})
    if len(names) > 1 or len({identity.wm_manifest_hash for identity in identities}) > 1:
        yield Reason("several-models", "runs", f"they are of {', '.join(names)}.", "Submit each model apart.")
    commits = sorted({run.folder.record.provenance.git_commit for run in runs})
    if len(commits) > 1:
        what = f"they were played by {len(commits)} commits of the harness: {', '.join(c[:12] for c in commits)}."
        yield Reason("several-commits", "runs", what, "Play all of them at one commit.")
    asked = [(i.suite_hash, i.tier, i.split, i.stop, i.seeds) for i in identities]
    if len(set(asked)) < len(asked):
        yield Reason("twice", "runs", "two of them ask the same.", "Submit one of them.")


def reasons(run: Audited, image: str) -> tuple[Reason, ...]:
    """Return every reason why a run with a plugin image is not accepted; () for one that is."""
    identity = run.folder.identity
    where = run.folder.record.run_id
    found = (
        *_of_identity(identity),
        *_of_model(identity),
        *_of_image(identity.wm_image, image),
        *_of_rows(run),
        *_of_code(run),
    )
    return tuple(Reason(code, where, what, remedy) for code, what, remedy in found)


_Found = Iterator[tuple[str, str, str]]


def _of_identity(identity: RunIdentity) -> _Found:
    if BANK_HASH in identity.specs:
        yield "no-run", "it is a measurement on a decision bank.", "Submit runs."
        return
    present: Optional[str] = None
    try:
        suite = load_suite(identity.suite, identity.task)
        present = suite.hash(identity.tier)
        if suite.name != identity.suite:  # another name of it would have a table of its own
            yield "other-suite", f"its suite is called {identity.suite}, and that is {suite.name}.", "Play it again."
    except Refusal as refusal:
        yield "other-suite", f"{refusal.what}", "Play it on a suite of this version."
    if present is not None and present != identity.suite_hash:
        hashes = f"suite hash {identity.suite_hash[:12]}, and that of {identity.tier} is {present[:12]}."
        yield "other-suite", hashes, "Play it on the suite of this version."
    if identity.split != TEST and not is_fresh(identity.split):
        yield "not-test", f"it was played on the {identity.split} split.", "Play --split test, or fresh homes."
    if identity.episodes_subset != ALL:
        played = f"it plans {len(identity.episodes)} episodes of the split ({identity.episodes_subset or 'unnamed'})."
        yield "partial", played, "Play --episodes all."
    strange = sorted(set(identity.specs) - SPECS)
    if strange and not identity.loop_words:
        yield "other-loop", f"its specs hold {strange[0][:60]!r}, which no such run has.", "Play it again."
    if identity.seeds != tuple(range(len(identity.seeds))):
        yield (
            "chosen-seeds",
            f"its seeds are {_listed(identity.seeds)}: who chooses seeds can choose lucky ones.",
            "Play with --seeds 0, or 0-4 and the like.",
        )
    if identity.loop_words:
        yield "other-loop", f"it was played with {' '.join(identity.loop_words)}.", "Play the tier's own loop."


def _of_model(identity: RunIdentity) -> _Found:
    kind = identity.wm_manifest.get("kind")
    if kind != PLUGIN:
        what = f"its world model is of kind {str(kind)[:60]!r}: nothing of an image imagined."
        yield "no-model", what, "Submit runs of a plugin."


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds[:5])) + (", ..." if len(seeds) > 5 else "")


def _of_image(played: Optional[ImageRecord], image: str) -> _Found:
    if played is None:
        yield (
            "process-runtime",
            "its world model ran as a process, which can read every file of the harness.",
            "Play it with --wm-image.",
        )
        return
    digest = image.rpartition("@")[2]
    if digest not in (played.id, played.repo_digest.rpartition("@")[2]):
        there = played.repo_digest or played.id
        yield "other-image", f"it was played with {there}.", "Name the image that it was played with."
    elif played.repo_digest.endswith(f"@{digest}") and played.repo_digest != image:
        yield "other-image", f"its image is {played.repo_digest[:200]}.", "Name the repository that it is from."


def _of_rows(run: Audited) -> _Found:
    damage = run.findings.damage
    if damage:
        yield "damaged", f"{damage[0]}{f' ({len(damage)} findings)' if len(damage) > 1 else ''}", "Play it again."
    if not run.folder.is_chained():
        yield (
            "unchained",
            "its journal has no chain: a row that was edited would not be found.",
            "Play it again with this version.",
        )
    unplayed = sum(row.result.state == PLANNED for row in run.rows)
    if unplayed:
        yield "partial", f"{unplayed} of {len(run.rows)} rows were never played.", "Resume it to its end."
    stamps = [stamp for stamp in stamps_of(run.folder.identity, run.rows) if stamp not in HARMLESS]
    if stamps:
        yield "stamped", f"its result is stamped {', '.join(stamps)}.", "Remove the cause and play it again."


def _of_code(run: Audited) -> _Found:
    commit = run.folder.record.provenance.git_commit
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        said = f"commit {commit!r}" if commit else "no commit"
        yield (
            "dirty-tree",
            f"the harness that played it was at {said}, not at one that can be fetched.",
            ("Play it from a clean checkout."),
        )
