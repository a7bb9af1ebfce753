"""What is wrong with a record: the rows and files that contradict each other, and what nobody could check."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

from harness.contracts.digest import to_plain
from harness.contracts.from_plain import from_plain
from harness.records.atomic import write_atomic
from harness.records.errors import RecordError
from harness.records.safe_files import read_json_inside, reason

DAMAGED = "DAMAGED"
FOUND = "damage.json"
"""Keeps what the process that played a run found wrong at its end: it alone knows what it had committed."""

_FOUND_BYTES = 4 << 20
SHOWN = 5


@dataclass(frozen=True)
class Damage:
    """One thing that cannot be true: ``where`` names the row (episode and seed) or the file, ``what`` says why."""

    where: str
    what: str

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Findings:
    """What looking at a record found: its damage, and in sentences what could not be checked here."""

    damage: Tuple[Damage, ...] = ()
    unchecked: Tuple[str, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        """Return both, each finding once, in order."""
        damage = tuple(dict.fromkeys((*self.damage, *other.damage)))
        return Findings(damage, tuple(dict.fromkeys((*self.unchecked, *other.unchecked))))

    @property
    def where(self) -> Tuple[str, ...]:
        """Return the names of the damaged rows and files, each once."""
        return tuple(dict.fromkeys(damage.where for damage in self.damage))

    def raise_damage(self, path: Path) -> None:
        """Raise RecordError with the first findings where there is damage."""
        if self.damage:
            more = len(self.damage) - SHOWN
            lines = "; ".join(map(str, self.damage[:SHOWN])) + (f"; and {more} more" if more > 0 else "")
            raise RecordError(f"{path} is {DAMAGED}: {lines}.", f"python benchmark.py report {path} shows everything.")


NOTHING_FOUND = Findings()


def lines_of(findings: Findings, shown: int = SHOWN) -> List[str]:
    """Return what a person has to know before any number of a run, one finding a line."""
    told = [f"{DAMAGED} {damage}" for damage in findings.damage[:shown]]
    if len(findings.damage) > shown:
        told.append(f"{DAMAGED} and {len(findings.damage) - shown} more")
    return told + [f"note    {sentence}" for sentence in findings.unchecked]


def write_damage(folder: Path, damage: Tuple[Damage, ...]) -> None:
    """Keep what was found at the end of a run; nothing found removes nothing that was kept before."""
    if damage:
        kept = read_damage(folder)
        found = list(dict.fromkeys((*kept, *damage)))
        write_atomic(folder / FOUND, json.dumps(to_plain(found), indent=1).encode())


def read_damage(folder: Path) -> Tuple[Damage, ...]:
    """Return what was kept in a run folder, nothing where nothing was; an unreadable file is a finding itself."""
    try:
        return from_plain(Kept, {"damage": read_json_inside(folder, FOUND, _FOUND_BYTES)}).damage
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, RecordError) as error:
        return (Damage(FOUND, f"cannot be read: {reason(error)}"),)


@dataclass(frozen=True)
class Kept:
    """The content of `FOUND`."""

    damage: Tuple[Damage, ...]
