"""The measurements on decision banks that tables may be made of, by tier and name; the others with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Sequence, Tuple

from harness.contracts.digest import to_plain
from harness.records.banks import bank_hash, measurement, read_measurements
from harness.records.folder import RunFolder
from harness.scoring.data import RunData
from harness.scoring.references import row_name
from harness.studies.run_selection import PassedOver, incomplete, sound_run
from tasks.bank_files import bank_path, read_bank
from tasks.suite import Suite


@dataclass(frozen=True)
class Measured:
    """One complete measurement: the folder's name, the hash of its states, and its rows."""

    name: str
    states_hash: str
    data: RunData


@dataclass(frozen=True)
class FoundBanks:
    """The usable measurements by tier and by name, where a name says what was changed of a world model too."""

    tiers: Mapping[str, Mapping[str, Measured]]
    passed_over: Tuple[PassedOver, ...]


def find_banks(roots: Sequence[Path], suite: Suite) -> FoundBanks:
    """Return the usable measurements below ``roots``; of several of one world model and tier, the latest."""
    listings = [read_measurements(root) for root in roots]
    folders = {folder.path.resolve(): folder for listing in listings for folder in listing.folders}
    ordered = sorted(folders.values(), key=lambda folder: folder.record.provenance.created_at, reverse=True)
    tiers: Dict[str, Dict[str, Measured]] = {}
    unread = {folder.path.absolute(): folder for listing in listings for folder in listing.passed_over}
    passed = [PassedOver(folder.path.parent.name, folder.why) for folder in unread.values()]
    checker = _Checker(suite)
    for folder in ordered:
        name = measurement(folder).name
        run, reason = sound_run(folder, checker.reason)
        if run is not None:
            found = Measured(name, bank_hash(folder), run)
            of_tier = tiers.setdefault(folder.identity.tier, {})
            kept = of_tier.setdefault(row_name(found.data), found)
            reason = "" if kept is found else f"{kept.name} is taken in its place"
        if reason:
            passed.append(PassedOver(name, reason))
    return FoundBanks({name: tiers[name] for name in suite.tiers if name in tiers}, tuple(passed))


class _Checker:
    """Says why a measurement cannot be used; each tier's hashes are worked out once.

    The states of a tier are those of the suite's bank, where it has none those of the latest measurement.
    """

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._suite_hashes: Dict[str, str] = {}
        self._states_hashes: Dict[str, str] = {}

    def reason(self, folder: RunFolder) -> str:
        """Return why a measurement is passed over, "" where it is used; to be asked of the latest first."""
        identity, suite = folder.identity, self._suite
        tier = identity.tier
        if (identity.suite, identity.task) != (suite.name, suite.task) or tier not in suite.tiers:
            return f"measured on {identity.suite}, {identity.task}, tier {tier}"
        if tier not in self._suite_hashes:
            self._suite_hashes[tier] = suite.hash(tier)
            self._states_hashes[tier] = self._shipped(tier)
        known = self._suite_hashes[tier]
        if identity.suite_hash != known:
            return f"suite hash {identity.suite_hash[:12]}, and the tier's is {known[:12]}"
        if identity.specs.get("loop") != to_plain(suite.tier(tier).loop_for(identity.wm)):
            return "asked with another loop than the tier's"
        reason = incomplete(folder)
        if reason:
            return reason
        found = bank_hash(folder)
        wanted = self._states_hashes[tier] = self._states_hashes[tier] or found
        return "" if found == wanted else f"states {found[:12]}, and the bank's are {wanted[:12]}"

    def _shipped(self, tier: str) -> str:
        path = bank_path(self._suite)
        return read_bank(self._suite, self._suite.tier(tier), path).hash if path.is_file() else ""
