"""The runs and the measurements on decision banks that tables may be made of, and the commands that play them again.

Runs are complete, of the whole test split, of the suite's own hash. What is passed over is kept with the reason: a
table that leaves out a run without a word can be made to say anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from harness.auditing.audit import audit
from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.contracts.manifests import Setting
from harness.records.banks import BANK_HASH, bank_hash, measurement, read_measurements
from harness.records.damage import DAMAGED
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity
from harness.records.listing import PassedFolder, read_runs
from harness.scoring.data import RunData, checked_run
from harness.scoring.metrics import state_counts
from harness.scoring.next_commands import setting_text
from harness.scoring.references import row_name
from tasks.bank_files import bank_path, read_bank
from tasks.subsets import ALL
from tasks.suite import Suite

SPLIT = "test"
SELF, ORACLE = "self", "oracle"


def table_stop(suite: Suite, tier: str) -> str:
    """Return the stop rule of the runs that a tier's tables are made of: the first that the tier allows."""
    return suite.tier(tier).loop.stop_rules[0]


@dataclass(frozen=True)
class PassedOver:
    """A run that enters no table, and why."""

    run_id: str
    reason: str


@dataclass(frozen=True)
class Missing:
    """Something that a table lacks, and the command that would play it ("" where playing does not help)."""

    what: str
    command: str


@dataclass(frozen=True)
class Found:
    """The usable runs of one suite by (tier, stop, name), where a name says what was changed of a world model too."""

    suite: Suite
    runs: Mapping[Tuple[str, str, str], RunData]
    passed_over: Tuple[PassedOver, ...]

    def stop(self, tier: str) -> str:
        """Return the stop rule of the runs that a tier's tables are made of."""
        return table_stop(self.suite, tier)

    def run(self, wm: str, tier: str, stop: str = "") -> RunData | None:
        """Return the run of a world model as its plugin declares it, None where there is none.

        ``stop`` is that of the tables where none is named.
        """
        return self.runs.get((tier, stop or self.stop(tier), wm))

    def of_tier(self, tier: str) -> Tuple[RunData, ...]:
        """Return every run of a tier with the tables' stop rule, by name."""
        wanted = (tier, self.stop(tier))
        return tuple(run for (at, rule, _), run in sorted(self.runs.items()) if (at, rule) == wanted)


def by_command(missing: Sequence[Missing]) -> Tuple[Missing, ...]:
    """Return what is missing with everything that one command would play in one entry, in order."""
    merged: Dict[str, List[str]] = {}
    for lacking in missing:
        merged.setdefault(lacking.command or lacking.what, []).append(lacking.what)
    commands = {lacking.command for lacking in missing}
    return tuple(
        Missing("; ".join(dict.fromkeys(whats)), key if key in commands else "") for key, whats in merged.items()
    )


def find_runs(roots: Sequence[Path], suite: Suite) -> Found:
    """Return the usable runs below ``roots``; Refusal where a folder holds no run at all.

    Of several runs of one world model, tier and stop rule, that with most seeds is taken, then the latest.
    """
    checker = Checker(suite)
    runs: Dict[Tuple[str, str, str], RunData] = {}
    passed: List[PassedOver] = []
    listed, unread = run_folders(roots)
    passed += [PassedOver(folder.path.name, folder.why) for folder in unread]
    for folder in listed:
        run, reason = sound_run(folder, checker.reason)
        if run is None:
            passed.append(PassedOver(folder.record.run_id, reason))
            continue
        key = (run.identity.tier, run.identity.stop, row_name(run))
        kept, other = _better(run, runs.get(key))
        runs[key] = kept
        if other is not None:
            passed.append(PassedOver(other.record.run_id, f"{kept.record.run_id} is taken in its place"))
    return Found(suite, runs, tuple(passed))


def sound_run(folder: RunFolder, reason_of: Callable[[RunFolder], str]) -> Tuple[RunData | None, str]:
    """Return the data of a run that may be used, or None and why it may not: ``reason_of`` it, or its damage.

    A run without any episode's files is one of an archive of records, whose bytes are those of the project's history;
    its journal is taken as it is.
    """
    reason = reason_of(folder)
    if reason:
        return None, reason
    found = audit(folder, with_files=folder.episodes.exists())
    if found.findings.damage:
        return None, f"{DAMAGED}: {found.findings.damage[0]}"
    return checked_run(folder, found.rows, found.findings, found.metrics), ""


def not_of_suite(identity: RunIdentity, suite: Suite) -> str:
    """Return why a run was not played on the suite as it is, "" where it was, on whatever split."""
    if BANK_HASH in identity.specs:
        return "a measurement on a decision bank"
    if (identity.suite, identity.task) != (suite.name, suite.task) or identity.tier not in suite.tiers:
        return f"played on {identity.suite}, {identity.task}, {identity.tier}"
    present = suite.hash(identity.tier)
    if identity.suite_hash != present:
        return f"suite hash {identity.suite_hash[:12]}, and the tier's is {present[:12]}"
    return ""


def run_folders(roots: Sequence[Path]) -> Tuple[Tuple[RunFolder, ...], Tuple[PassedFolder, ...]]:
    """Return the runs below ``roots``, oldest first, and those that cannot be read."""
    folders: Dict[Path, RunFolder] = {}
    unread: Dict[Path, PassedFolder] = {}
    for root in roots:
        below = read_runs(root)
        if not below.runs and not below.passed_over and not read_measurements(root).runs:
            raise Refusal(f"{root} holds no run folder.", "Give the folder that the runs' --out named.")
        folders.update({folder.path.resolve(): folder for folder in below.folders})
        unread.update({passed.path.absolute(): passed for passed in below.passed_over})
    ordered = sorted(folders.values(), key=lambda folder: folder.record.provenance.created_at)
    return tuple(ordered), tuple(unread.values())


def _better(run: RunData, other: RunData | None) -> Tuple[RunData, RunData | None]:
    """Return the run to keep, then the other one."""
    if other is None or _rank(run) >= _rank(other):
        return run, other
    return other, run


def _rank(run: RunData) -> Tuple[int, float]:
    return len(run.identity.seeds), run.record.provenance.created_at


class Checker:
    """Says why a run cannot be used; each tier's hash and episodes are worked out once.

    Runs of the whole test split are used, and those of all episodes of a split that ``further`` takes.
    """

    def __init__(self, suite: Suite, further: Callable[[str], bool] = lambda split: False) -> None:
        self._suite = suite
        self._further = further
        self._hashes: Dict[str, str] = {}
        self._episodes: Dict[str, frozenset[str]] = {}

    def reason(self, folder: RunFolder) -> str:
        """Return why a run is passed over, "" where it is used."""
        identity = folder.identity
        known = f"{self._suite.name}, {self._suite.task}"
        if (identity.suite, identity.task) != (self._suite.name, self._suite.task):
            return f"played on {identity.suite}, {identity.task}, not on {known}"
        if identity.tier not in self._suite.tiers:
            return f"{known} has no tier {identity.tier!r}"
        if identity.split != SPLIT and not self._further(identity.split):
            return f"played on the {identity.split} split"
        return self._data_reason(identity) or incomplete(folder)

    def _data_reason(self, identity: RunIdentity) -> str:
        tier = identity.tier
        if tier not in self._hashes:
            self._hashes[tier] = self._suite.hash(tier)
            self._episodes[tier] = frozenset(episode.id for episode in self._suite.episodes(tier, SPLIT))
        if identity.suite_hash != self._hashes[tier]:
            return f"suite hash {identity.suite_hash[:12]}, and the tier's is {self._hashes[tier][:12]}"
        ids = {episode.id for episode in identity.episodes}
        whole = ids == self._episodes[tier] if identity.split == SPLIT else identity.episodes_subset == ALL
        if not whole:
            return f"{len(ids)} episodes, not the split's {len(self._episodes[tier])}"
        declared = to_plain(self._suite.tier(tier).loop_for(identity.wm))
        if identity.specs.get("loop", declared) != declared:
            return "played with another loop than the tier's"
        return f"played with {' '.join(identity.loop_words)}" if identity.loop_words else ""


def incomplete(folder: RunFolder) -> str:
    """Return that some row was not played to its end, "" where all were."""
    counts = state_counts([row.result for row in folder.rows()])
    played = counts["ok"] + counts["failed"]
    return "" if played == counts["planned"] else f"PARTIAL: {played} of {counts['planned']} played to their end"


def play_command(suite: Suite, tier: str, wm: str, stop: str, settings: Optional[Mapping[str, Setting]] = None) -> str:
    """Return the command that plays a world model on the whole test split of a tier."""
    return (
        f"python benchmark.py --wm {wm} --task {suite.task} --suite {suite.name} --tier {tier} --split {SPLIT} "
        f"--episodes all --stop {stop}{_changes(settings)}"
    )


def bank_command(suite: Suite, tier: str, wm: str, settings: Optional[Mapping[str, Setting]] = None) -> str:
    """Return the command that measures a world model on the decision bank of a tier."""
    return f"python benchmark.py bank --wm {wm} --suite {suite.name} --tier {tier}{_changes(settings)}"


def command_of(identity: RunIdentity, suite: Suite) -> str:
    """Return the command that plays a run of the whole test split again."""
    seeds = identity.seeds
    several = f" --seeds {','.join(map(str, seeds))}" if seeds != (0,) else ""
    if len(seeds) > 1 and seeds == tuple(range(seeds[0], seeds[-1] + 1)):
        several = f" --seeds {seeds[0]}-{seeds[-1]}"
    return play_command(suite, identity.tier, identity.wm, identity.stop, identity.wm_overrides) + several


def _changes(settings: Optional[Mapping[str, Setting]]) -> str:
    return "".join(f" --set {name}={setting_text(value)}" for name, value in (settings or {}).items())


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
    checker = _BankChecker(suite)
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


class _BankChecker:
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
