"""Verifies a bundle: signature, contents, and every number worked out again from the records.

Nothing of a bundle is believed: what its manifest says of a run is compared with what its files give, and the files
with each other. Whether its records were ever played is another question, which only playing them again answers.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional, Sequence

from harness.auditing.audit import Audited, audit
from harness.contracts.errors import Refusal, WiwError
from harness.leaderboard.admission import Reason, image_reasons, reasons, together
from harness.leaderboard.bundle import CARD, RUNS, BadBundle, Bundle, Manifest, RunFact, read_bundle
from harness.leaderboard.submitting import run_fact
from harness.records.folder import RunFolder
from harness.worldmodels.cards import read_card

TOLERANCE = 1e-9
"""Between a number of the manifest and the same worked out again: both are sums of the same floats in one order."""


@dataclass(frozen=True)
class Verification:
    """What verifying found.

    ``reasons`` are empty for a bundle that holds; ``unchecked`` are sentences about what could not be looked at here,
    such as fresh homes that were not made on this machine; ``trusted`` says whether its signer is one of those that the
    verifier named, None where none was named.
    """

    bundle: str
    manifest: Optional[Manifest]
    signer: str
    trusted: Optional[bool]
    reasons: tuple[Reason, ...]
    unchecked: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Say whether nothing speaks against the bundle."""
        return not self.reasons and self.trusted is not False


def verify(path: Path, signers: Sequence[str] = ()) -> Verification:
    """Return what is wrong with the bundle at ``path``; ``signers`` are the ids of the keys that are known.

    Raises Refusal where there is no such file.
    """
    with tempfile.TemporaryDirectory(prefix="wiw-verify-") as scratch:
        try:
            bundle = read_bundle(path, Path(scratch))
        except BadBundle as bad:
            return Verification(str(path), None, "", None, (Reason(bad.code, path.name, bad.what, bad.next_step),))
        trusted = None if not signers else bundle.signed.key_id in signers
        runs: list[Audited] = []
        found = tuple(_findings(bundle, runs))
        unchecked = tuple(f"{run.folder.record.run_id}: {said}" for run in runs for said in run.findings.unchecked)
        return Verification(str(path), bundle.manifest, bundle.signed.key_id, trusted, found, unchecked)


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
            yield Reason("unreadable-run", fact.run_id, error.what, error.next_step)
            continue
        runs.append(run)
        yield from _differences(fact, again)
        yield from reasons(run, manifest.image)
    yield from together(runs)
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


def _card(bundle: Bundle) -> Iterator[Reason]:
    file = bundle.folder / CARD
    try:
        read_card(file.parent)
    except Refusal as refusal:
        yield Reason("uncarded", CARD, refusal.what, refusal.next_step)
