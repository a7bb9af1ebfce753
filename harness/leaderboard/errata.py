"""Errata: what a maintainer says of submissions after they were listed, in one TOML file.

    [[withdrawn]]
    submission = "0123456789abcdef"
    date = "2026-11-30"
    reason = "trained on the test homes, as its authors say"

    [[corrected]]
    submission = "00112233445566aa"
    date = "2026-11-30"
    reason = "played with other weights than the card names"
    replaced_by = "fedcba9876543210"

Nothing is deleted: a withdrawn submission, and one that another has replaced, stay visible with the reason, without a
rank. A correction without ``replaced_by`` is a note, and leaves the rank as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Union

import tomllib

from harness.contracts.errors import Refusal
from harness.contracts.field_limits import Text
from harness.contracts.wrong_fields import checked

WITHDRAWN, CORRECTED, REPLACED = "withdrawn", "corrected", "replaced"
IDENT = "[0-9a-f]{16}"
"""What names a submission: the first digits of the SHA-256 of its signed manifest."""

_NEXT = "docs/leaderboard.md (Errata) shows such a file."
_Ident = Annotated[str, Text(pattern=IDENT)]
_Date = Annotated[str, Text(pattern="[0-9]{4}-[0-9]{2}-[0-9]{2}")]
_Reason = Annotated[str, Text(2000, least=1)]


@dataclass(frozen=True)
class Withdrawn:
    """A submission that counts no more, and why."""

    submission: _Ident
    date: _Date
    reason: _Reason


@dataclass(frozen=True)
class Corrected:
    """A submission that something has to be said about; ``replaced_by`` is the one that counts in its place."""

    submission: _Ident
    date: _Date
    reason: _Reason
    replaced_by: Annotated[str, Text(pattern=f"(?:{IDENT})?")] = ""


@dataclass(frozen=True)
class _File:
    withdrawn: tuple[Withdrawn, ...] = ()
    corrected: tuple[Corrected, ...] = ()


@dataclass(frozen=True)
class Erratum:
    """What is said of a submission: ``kind`` is withdrawn, replaced (by ``replaced_by``) or corrected."""

    kind: str
    date: str
    reason: str
    replaced_by: str = ""

    @property
    def ranked(self) -> bool:
        """Say whether the submission keeps its rank."""
        return self.kind == CORRECTED


def read_errata(path: Path, known: Collection[str]) -> Mapping[str, Erratum]:
    """Return what a file says, by submission; Refusal for a damaged file, for a submission that is not among ``known``,
    and for two entries about one."""
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be read: {error}.", _NEXT) from error
    file = checked(_File, plain, f"{path}: ", _NEXT)
    found: dict[str, Erratum] = {}
    entries: list[Union[Withdrawn, Corrected]] = [*file.withdrawn, *file.corrected]
    for entry in entries:
        by = entry.replaced_by if isinstance(entry, Corrected) else ""
        for named in (entry.submission, *filter(None, (by,))):
            if named not in known:
                raise Refusal(f"{path}: {named} is none of the submissions here.", "Give its bundle too.")
        if entry.submission in found or by == entry.submission:
            raise Refusal(f"{path}: {entry.submission} is named twice.", "Say one thing of each submission.")
        kind = WITHDRAWN if isinstance(entry, Withdrawn) else REPLACED if by else CORRECTED
        found[entry.submission] = Erratum(kind, entry.date, entry.reason, by)
    for name, erratum in found.items():
        if erratum.replaced_by in found and not found[erratum.replaced_by].ranked:
            raise Refusal(
                f"{path}: {name} is replaced by {erratum.replaced_by}, which counts no more itself.",
                "Name the one that counts, or withdraw both.",
            )
    return found
