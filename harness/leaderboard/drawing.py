"""What a leaderboard draws from public randomness: the fresh homes of a submission, and the episodes played again.

Both are drawn after what they are about was registered, from a text that nobody could know before: the round of a
randomness beacon, the closing numbers of a lottery. Every digest is SHA-256 of lines, each ended by a newline; no part
can hold one, so that no two draws have the same lines. Of fresh homes there are three, so that anybody can draw:

    printf '%s\\n' "$RANDOMNESS" sha256:IMAGE_DIGEST SUITE_HASH | sha256sum | cut -c1-16
"""

from __future__ import annotations

import hashlib
import re
from typing import Iterator, Sequence

from harness.auditing.audit import Audited
from harness.contracts.commands import command
from harness.contracts.errors import Refusal
from harness.leaderboard.admission import Reason, image_reasons
from harness.leaderboard.bundle import Manifest
from harness.records.identity import RunIdentity
from harness.records.journal import JournalRow
from tasks import fresh_homes
from tasks.fresh_homes import DIGITS, FRESH, is_fresh, named_split
from tasks.subsets import ALL
from tasks.suite import load_suite

_TEXT = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,998}[\x21-\x7e])?")
_BEACON = "Give what was published after the submission was registered, such as the value of a round of a beacon."


def check_randomness(text: str, option: str = "--randomness") -> None:
    """Raise Refusal for a text that two people could write differently: 1 to 1,000 ASCII characters, none of control,
    no space at an end."""
    if not _TEXT.fullmatch(text):
        raise Refusal(f"{option} {text[:80]!r} is not 1 to 1,000 printable ASCII characters in one line.", _BEACON)


def image_digest(image: str) -> str:
    """Return the digest (``sha256:...``) of an image named ``NAME@sha256:...``; Refusal for another name."""
    for reason in image_reasons(image):
        raise Refusal(reason.what, reason.remedy)
    return image.rpartition("@")[2]


def fresh_seed(randomness: str, image: str, suite_hash: str) -> str:
    """Return the 16 hex digits that the fresh homes of ``image`` (``NAME@sha256:...``) are made from in a tier."""
    check_randomness(randomness)
    return _digest(randomness, image_digest(image), suite_hash)[:DIGITS]


def fresh_command(image: str, wm: str, suite: str, task: str, tier: str, seed: str, stop: str = "") -> str:
    """Return the command that plays all of them; ``wm`` is "" where the image has one model alone."""
    named = ("--wm", wm) if wm else ()
    stopping = ("--stop", stop) if stop else ()
    where = ("--task", task, "--suite", suite, "--tier", tier)
    homes = ("--split", FRESH, "--fresh-seed", seed, "--episodes", ALL)
    return command("--wm-image", image, *named, *where, *homes, *stopping)


def other_homes(runs: Sequence[Audited], image: str, randomness: str) -> Iterator[Reason]:
    """Yield the runs on fresh homes that are not those that were drawn for ``image``."""
    for run in runs:
        identity = run.folder.identity
        drawn = named_split(FRESH, fresh_seed(randomness, image, identity.suite_hash))
        if is_fresh(identity.split) and identity.split != drawn:
            what = f"it was played on {identity.split}, and {drawn} was drawn for its image and tier."
            yield Reason("other-homes", run.folder.record.run_id, what, "Play it on the homes that were drawn.")


def make_drawn_homes(manifest: Manifest, randomness: str, workers: int) -> None:
    """Make the homes that were drawn for a bundle's image and that its runs name, where they are not here yet.

    Those of another version of a suite cannot be made, and others than drawn are refused anyway.
    """
    if list(image_reasons(manifest.image)):
        return
    for run in manifest.runs:
        drawn = named_split(FRESH, fresh_seed(randomness, manifest.image, run.suite_hash))
        try:
            suite = load_suite(run.suite, run.task)
            tier = suite.tier(run.tier)
        except Refusal:
            continue
        if run.split == drawn and suite.hash(tier.name) == run.suite_hash:
            fresh_homes.make(suite, tier, drawn, workers)


def are_made(runs: Sequence[Audited]) -> bool:
    """Say whether all fresh homes that runs name are here, so that their episodes were looked at."""
    return all(_is_made(run.folder.identity) for run in runs if is_fresh(run.folder.identity.split))


def _is_made(identity: RunIdentity) -> bool:
    try:
        suite = load_suite(identity.suite, identity.task)
        return fresh_homes.is_made(suite, suite.tier(identity.tier), identity.split)
    except Refusal:
        return False


def undrawn(runs: Sequence[Audited], randomness: str) -> Iterator[str]:
    """Yield a sentence for each run whose homes no draw decided, as far as ``randomness`` ("": not given) tells."""
    tiers = {_tier(run.folder.identity) for run in runs if is_fresh(run.folder.identity.split)}
    for run in runs:
        identity, name = run.folder.identity, run.folder.record.run_id
        if is_fresh(identity.split) and not randomness:
            yield f"{name}: whether its homes are those that were drawn (--randomness)"
        elif randomness and not is_fresh(identity.split) and _tier(identity) not in tiers:
            yield f"{name}: what its model solves in fresh homes; it was played in public ones alone"


def drawn_rows(
    runs: Sequence[Audited], bundle_digest: str, randomness: str, count: int
) -> tuple[tuple[Audited, JournalRow], ...]:
    """Return ``count`` rows of all runs, each with its run: those of lowest digest, so that each is equally likely.

    Neither the order of files nor that of runs matters. Refusal where there are fewer rows.
    """
    check_randomness(randomness, "--replay-randomness")
    ranked = sorted(
        (_digest(randomness, bundle_digest, run.folder.record.run_id, row.key.folder_name), number, run, row)
        for number, run in enumerate(runs)
        for row in run.rows
    )
    if not 1 <= count <= len(ranked):
        raise Refusal(f"--replay {count} is not in 1..{len(ranked)}: so many rows has the bundle.", "Give fewer.")
    return tuple((run, row) for _, _, run, row in ranked[:count])


def _tier(identity: RunIdentity) -> tuple[str, str]:
    return identity.suite_hash, identity.tier


def _digest(*lines: str) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
