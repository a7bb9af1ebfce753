"""Records of earlier verifications: what `verify --json` printed, above all where episodes were played again.

Playing episodes again takes a GPU and hours, and building a site takes neither: the verifier keeps what was printed,
and the site shows it beside the bundle that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain
from harness.leaderboard.verifying import Verification
from harness.records.safe_files import parse_json, read_inside, reason

MAX_BYTES = 64 << 20
_NEXT = "Keep what `verify BUNDLE --json` printed, a file each."


def read_verified(folder: Path) -> Mapping[str, Verification]:
    """Return the records in the JSON files of a folder, by the digest of what was signed.

    Refusal for a file that is no record, for one of a bundle that could not be read, and for two about one bundle.
    """
    if not folder.is_dir():
        raise Refusal(f"there is no folder {folder}.", _NEXT)
    found: dict[str, Verification] = {}
    for file in sorted(folder.glob("*.json")):
        record = _read(file)
        if not record.digest or record.manifest is None:
            raise Refusal(f"{file} is about a bundle that could not be read.", "Remove it.")
        if record.digest in found:
            raise Refusal(f"{file} and another file are about one bundle.", "Keep one of them.")
        found[record.digest] = replace(record, bundle=file.name)
    return found


def _read(file: Path) -> Verification:
    try:
        plain = parse_json(read_inside(file.parent, file.name, MAX_BYTES))
        if not isinstance(plain, dict):
            raise ValueError("it holds no object")
        said = plain.pop("holds", None)
        record = from_plain(Verification, plain)
    except (OSError, ValueError, Refusal) as error:
        raise Refusal(f"{file} is no record of a verification: {reason(error)}.", _NEXT) from error
    if said is not record.holds:
        raise Refusal(
            f"{file} says that its bundle {'holds' if said else 'does not hold'}, and its reasons not.", _NEXT
        )
    return record
