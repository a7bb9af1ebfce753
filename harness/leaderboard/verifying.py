"""Verifies a bundle: signature, contents, and every number worked out again from the records.

Nothing of a bundle is believed: what its manifest says of a run is compared with what its files give, and the files
with each other. Whether its records were ever played is another question, which only playing them again answers.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator, Optional, Sequence

from harness.auditing.audit import Audited, audit
from harness.contracts.errors import Refusal, WiwError
from harness.leaderboard.admission import CARD_HELP, Reason, image_reasons, reasons, together
from harness.leaderboard.bundle import CARD, RUNS, BadBundle, Bundle, Manifest, RunFact, read_bundle
from harness.leaderboard.comparing import Replay, refutations
from harness.leaderboard.drawing import are_made, check_randomness, image_digest, make_drawn_homes, other_homes, undrawn
from harness.leaderboard.probing import Probed
from harness.leaderboard.submitting import provenance_facts, run_fact
from harness.records.folder import EPISODES, RunFolder
from harness.worldmodels.cards import read_card

TOLERANCE = 1e-9
"""Between a number of the manifest and the same worked out again: both are sums of the same floats in one order."""


CLOCKS_S = 86400.0
"""How far the clock of who played may be ahead of the clock here."""


@dataclass(frozen=True)
class Known:
    """What the verifier knows beside the bundle; empty: nothing.

    ``signers`` are the ids of the keys whose bundles are taken, ``image`` is the one that was registered
    (``NAME@sha256:...``), ``randomness`` the public text that fresh homes are drawn with. ``workers``
    processes make the drawn homes where they are not here yet, so that they can be looked at; 0: nobody does.
    """

    signers: Sequence[str] = ()
    image: str = ""
    randomness: str = ""
    workers: int = 0


NOTHING = Known()


@dataclass(frozen=True)
class Verification:
    """What verifying found.

    ``reasons`` are empty for a bundle that holds; ``unchecked`` are sentences about what could not be looked at here,
    such as fresh homes that were not made on this machine; ``trusted`` says whether its signer is one of those that the
    verifier named, None where none was named. ``digest`` is the SHA-256 of what was signed, "" where that was not read.
    ``replay`` is what playing drawn episodes again found, ``probed`` what probing the image did; None where that was
    not asked for. ``randomness`` is what fresh homes were compared with the draw of, "" where they were not, or
    where the episodes of those homes could not be looked at: whoever names a drawn seed has not played its homes.
    """

    bundle: str
    manifest: Optional[Manifest]
    signer: str
    trusted: Optional[bool]
    reasons: tuple[Reason, ...]
    unchecked: tuple[str, ...] = ()
    digest: str = ""
    replay: Optional[Replay] = None
    probed: Optional[Probed] = None
    randomness: str = ""

    @property
    def holds(self) -> bool:
        """Say whether nothing speaks against the bundle."""
        return not self.reasons and self.trusted is not False

    @property
    def complete(self) -> bool:
        """Say whether everything that was to be played again, or probed, could be."""
        return all(each is None or each.complete for each in (self.replay, self.probed))


@dataclass(frozen=True)
class Opened:
    """A bundle that was looked at, with its runs that could be read, while their files are unpacked."""

    verification: Verification
    runs: tuple[Audited, ...]


def verify(path: Path, known: Known = NOTHING) -> Verification:
    """Return what is wrong with the bundle at ``path``. Raises Refusal where there is no such file."""
    with opened(path, known) as found:
        return found.verification


@contextmanager
def opened(path: Path, known: Known = NOTHING) -> Iterator[Opened]:
    """Unpack the bundle at ``path``, look at it, and keep its files until the context ends."""
    if known.randomness:
        check_randomness(known.randomness)
    if known.image:
        image_digest(known.image)
    with tempfile.TemporaryDirectory(prefix="wiw-verify-") as scratch:
        try:
            bundle = read_bundle(path, Path(scratch))
        except BadBundle as bad:
            reason = Reason(bad.code, path.name, bad.what, bad.next_step)
            yield Opened(Verification(str(path), None, "", None, (reason,)), ())
            return
        if known.workers and known.randomness:
            make_drawn_homes(bundle.manifest, known.randomness, known.workers)
        yield _opened(path, bundle, known)


def with_probes(verification: Verification, probed: Probed, reasons: Sequence[Reason]) -> Verification:
    """Return what verifying found together with what probing the image did."""
    return replace(verification, reasons=(*verification.reasons, *reasons), probed=probed)


def replayed(verification: Verification, replay: Replay) -> Verification:
    """Return what verifying found together with what playing episodes again did."""
    return replace(verification, reasons=(*verification.reasons, *refutations(replay)), replay=replay)


def _opened(path: Path, bundle: Bundle, known: Known) -> Opened:
    runs: list[Audited] = []
    found = (*_findings(bundle, runs), *_unlike(bundle, runs, known))
    told = [f"{run.folder.record.run_id}: {said}" for run in runs for said in run.findings.unchecked]
    if known.image not in ("", bundle.manifest.image):
        told.append(f"manifest: why it is called {bundle.manifest.image[:120]} and was registered as {known.image}")
    verification = Verification(
        str(path),
        bundle.manifest,
        bundle.signed.key_id,
        bundle.signed.key_id in known.signers if known.signers else None,
        found,
        (*told, *undrawn(runs, known.randomness)),
        hashlib.sha256(bundle.signed.payload).hexdigest(),
        randomness=known.randomness if are_made(runs) else "",
    )
    return Opened(verification, tuple(runs))


def _unlike(bundle: Bundle, runs: Sequence[Audited], known: Known) -> Iterator[Reason]:
    """Yield where a bundle is not that of the image, or of the homes, that the verifier knows."""
    image = bundle.manifest.image
    if known.image and not image.endswith(f"@{image_digest(known.image)}"):
        yield Reason("other-image", "manifest", f"it names {image[:120]}, and {known.image} was registered.", "")
    if known.randomness and not list(image_reasons(image)):
        yield from other_homes(runs, image, known.randomness)


def _findings(bundle: Bundle, runs: list[Audited]) -> Iterator[Reason]:
    """Yield what speaks against a bundle; the runs that could be read are added to ``runs``."""
    manifest = bundle.manifest
    yield from image_reasons(manifest.image)
    yield from _card(bundle)
    for fact in manifest.runs:
        try:
            run = audit(RunFolder.open(bundle.folder / RUNS / fact.run_id))
            again = run_fact(run)
        except WiwError as error:
            yield Reason("unreadable-run", fact.run_id, _inside(bundle, error.what), "")
            continue
        runs.append(run)
        yield from _differences(fact, again)
        yield from reasons(run, manifest.image)
        yield from _strays(run)
    yield from together(runs)
    if len(runs) == len(manifest.runs):
        yield from _provenance(manifest, runs)
    names = {run.folder.identity.wm for run in runs}
    if names - {manifest.model}:
        yield Reason("false-claim", "manifest", f"it names {manifest.model}, its runs {', '.join(sorted(names))}.", "")


def _differences(claimed: RunFact, found: RunFact) -> Iterator[Reason]:
    """Yield what the manifest says of a run that its files do not give."""
    for name, value in vars(found).items():
        said = getattr(claimed, name)
        equal = abs(said - value) <= TOLERANCE if isinstance(value, float) else said == value
        if not equal:
            yield Reason("false-claim", claimed.run_id, f"{name} is {value!r}, and the manifest says {said!r}.", "")


def _strays(run: Audited) -> Iterator[Reason]:
    """Yield what a bundle carries along under a run's name and no row of the run accounts for."""
    planned = {row.key.folder_name for row in run.rows}
    there = {folder.name for folder in run.folder.episodes.iterdir()} if run.folder.episodes.is_dir() else set()
    for name in sorted(there - planned)[:1]:
        what = f"{EPISODES}/{name} is of no episode that it planned ({len(there - planned)} of them)."
        yield Reason("added-file", run.folder.record.run_id, what, "")


def _provenance(manifest: Manifest, runs: Sequence[Audited]) -> Iterator[Reason]:
    """Yield what the manifest says of code, hardware and time that its runs do not say."""
    facts = provenance_facts(runs)
    if facts["created_at"] > time.time() + CLOCKS_S:
        yield Reason("false-claim", "manifest", f"its runs began in the future ({facts['created_at']:.0f}).", "")
    for name, value in facts.items():
        if getattr(manifest, name) != value:
            what = f"its {name} is not that of its runs ({str(value)[:60]})."
            yield Reason("false-claim", "manifest", what, "")


def _card(bundle: Bundle) -> Iterator[Reason]:
    file = bundle.folder / CARD
    try:
        read_card(file.parent)
    except Refusal as refusal:
        yield Reason("uncarded", CARD, _inside(bundle, refusal.what), CARD_HELP)


def _inside(bundle: Bundle, what: str) -> str:
    """Return a sentence in which files have the names that they have in the bundle."""
    return what.replace(f"{bundle.folder}/", "")
