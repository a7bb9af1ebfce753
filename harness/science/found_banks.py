"""The measurements on decision banks that tables may be made of, by tier and name; the others with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

from harness.records.banks import bank_hash, list_measurements, measurement
from harness.records.folder import RunFolder
from harness.science.found import PassedOver, incomplete
from harness.scoring.data import RunData, load_run
from harness.scoring.references import row_name
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
    folders = {folder.path.resolve(): folder for root in roots for folder in list_measurements(root)}
    ordered = sorted(folders.values(), key=lambda folder: folder.record.provenance.created_at, reverse=True)
    tiers: Dict[str, Dict[str, Measured]] = {}
    passed: List[PassedOver] = []
    hashes: Dict[str, str] = {}
    for folder in ordered:
        name = measurement(folder).name
        reason = _reason(folder, suite, hashes)
        if not reason:
            found = Measured(name, bank_hash(folder), load_run(folder))
            of_tier = tiers.setdefault(folder.identity.tier, {})
            kept = of_tier.setdefault(row_name(found.data), found)
            reason = "" if kept is found else f"{kept.name} is taken in its place"
        if reason:
            passed.append(PassedOver(name, reason))
    return FoundBanks({name: tiers[name] for name in suite.tiers if name in tiers}, tuple(passed))


def _reason(folder: RunFolder, suite: Suite, hashes: Dict[str, str]) -> str:
    """Return why a measurement is passed over, "" where it is used.

    ``hashes`` holds the hash of each tier's states: those of the suite's bank, else of its latest measurement.
    """
    identity = folder.identity
    if (identity.suite, identity.task) != (suite.name, suite.task) or identity.tier not in suite.tiers:
        return f"measured on {identity.suite}, {identity.task}, tier {identity.tier}"
    if identity.suite_hash != suite.hash(identity.tier):
        return f"suite hash {identity.suite_hash[:12]}, and the tier's is {suite.hash(identity.tier)[:12]}"
    reason = incomplete(folder)
    if reason:
        return reason
    if identity.tier not in hashes:
        path = bank_path(suite)
        shipped = read_bank(suite, suite.tier(identity.tier), path).hash if path.is_file() else ""
        hashes[identity.tier] = shipped or bank_hash(folder)
    wanted = hashes[identity.tier]
    return "" if bank_hash(folder) == wanted else f"states {bank_hash(folder)[:12]}, and the bank's are {wanted[:12]}"
