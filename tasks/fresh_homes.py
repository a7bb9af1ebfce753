"""Fresh homes: a split whose homes and episodes are made from digits that nobody knew when a model was trained.

``--split fresh --fresh-seed HEX`` plays as many homes and episodes as the test split of the tier has, drawn by the same
rules and filters. The split is called ``fresh-HEX``, so that whatever names a result's split names its seed. What was
made is kept in the cache, one folder a split, which appears whole or not at all; equal digits make equal bytes.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Mapping, Tuple

from harness.contracts.digest import digest
from harness.contracts.episodes import Episode
from harness.contracts.errors import MachineError, Refusal
from harness.contracts.folders import cache_root
from harness.runtimes.environments import MADE
from tasks.registry import load_task
from tasks.suite_files import read_episodes, read_homes, write_episodes, write_json

if TYPE_CHECKING:
    from tasks.suite import Suite, Tier

FRESH, TEST = "fresh", "test"
DIGITS = 16
_NAMED = re.compile(rf"{FRESH}-[0-9a-f]{{{DIGITS}}}")
_EPISODES, _SCENES = "episodes.json.gz", "homes.json"


@dataclass(frozen=True)
class FreshHomes:
    """The episodes of a fresh split of a tier, in order, and the digests of their scenes by name."""

    split: str
    episodes: Tuple[Episode, ...]
    scenes: Mapping[str, str]

    def digest(self) -> str:
        """Return the hash of all that such a split adds to its tier's suite hash."""
        return digest({"split": self.split, "episodes": [e.digest() for e in self.episodes], "scenes": self.scenes})


def is_fresh(split: str) -> bool:
    """Say whether a split is one of fresh homes, with its seed in its name."""
    return _NAMED.fullmatch(split) is not None


def named_split(split: str, seed: str) -> str:
    """Return the name of the split that ``--split`` and ``--fresh-seed`` ask for; Refusal where they do not fit."""
    if split != FRESH:
        if seed:
            raise Refusal(f"--fresh-seed {seed} is for fresh homes.", f"Add --split {FRESH}, or leave it out.")
        return split
    named = f"{FRESH}-{seed.lower()}"
    if not is_fresh(named):
        given = f"--fresh-seed {seed!r} is not {DIGITS} hexadecimal digits" if seed else "--fresh-seed is missing"
        raise Refusal(
            f"{given}: fresh homes are made from a seed.",
            f"Give digits that nobody could know before, such as --fresh-seed {os.urandom(DIGITS // 2).hex()}.",
        )
    return named


def is_made(suite: Suite, tier: Tier, split: str) -> bool:
    """Say whether a fresh split was made here."""
    return _folder(suite, tier, split).exists()


def read(suite: Suite, tier: Tier, split: str) -> FreshHomes:
    """Return what was made of a fresh split; Refusal where it was not made here."""
    folder = _folder(suite, tier, split)
    if not folder.exists():
        raise Refusal(
            f"the homes of split {split} of {suite.name}/{tier.name} are not made here.",
            f"A run on them makes them: --tier {tier.name} --split {FRESH} --fresh-seed {split.partition('-')[2]}.",
        )
    return FreshHomes(
        split,
        read_episodes(folder / _EPISODES, suite.task, suite.name),
        read_homes(folder / _SCENES, suite.task, suite.name),
    )


def make(suite: Suite, tier: Tier, split: str, workers: int) -> None:
    """Make a fresh split where it is not here yet, with so many processes; what it draws is said on stderr.

    Refusal where the task or the suite has no homes that can be made.
    """
    draw_fresh = load_task(suite.task).draw_fresh
    if draw_fresh is None or suite.played_by.scenes != MADE or TEST not in tier.splits:
        raise Refusal(
            f"{suite.name}/{suite.task}/{tier.name} has no fresh homes: its scenes cannot be made here.",
            "Use one of its own splits.",
        )
    folder = _folder(suite, tier, split)
    if folder.exists():
        return
    episodes, scenes = draw_fresh(suite, suite.tier(tier.episodes_of), split, workers)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
        try:
            write_episodes(partial / _EPISODES, episodes)
            write_json(partial / _SCENES, dict(scenes))
            _move(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise MachineError(
            f"cannot write fresh homes to {folder}: {error}.", "Set WIW_CACHE to a folder that you can write."
        ) from error


def _move(partial: Path, folder: Path) -> None:
    """Rename a folder; where another process was first, its equal one stays."""
    try:
        partial.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def _folder(suite: Suite, tier: Tier, split: str) -> Path:
    name = tier.episodes_of
    return cache_root() / FRESH / f"{suite.name}-{suite.hash(name)[:16]}" / f"{name}-{split}"
