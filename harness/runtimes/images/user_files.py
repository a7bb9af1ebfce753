"""Files that only the user may bring into an image: consent, presence and checksum, checked before any build."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.contracts.errors import Refusal
from harness.runtimes.images.declared import DeclaredImage, Supply

_CHUNK = 4 * 1024**2


@dataclass(frozen=True)
class Supplied:
    """What the user said about one supply: the file, the consent to its licence, the checksum to expect."""

    path: Path | None = None
    accepted: bool = False
    sha256: str = ""


def check_supplies(image: DeclaredImage, given: Mapping[str, Supplied]) -> dict[str, Path]:
    """Return the user's files by their names in the build context; Refusal says which one is missing or wrong."""
    return {supply.file: _check(image, supply, given.get(supply.name, Supplied())) for supply in image.supplies}


def supply_arguments(image: DeclaredImage, given: Mapping[str, Supplied]) -> dict[str, str]:
    """Return the build arguments by which a Dockerfile checks consent and checksums itself, after `check_supplies`."""
    found = {}
    for supply in image.supplies:
        user = given.get(supply.name, Supplied())
        found[f"{supply.name.upper()}_SHA256"] = expected_sha256(supply, user)
        found[f"ACCEPT_{supply.name.upper()}_LICENCE"] = "yes" if user.accepted else "no"
    return found


def expected_sha256(supply: Supply, given: Supplied) -> str:
    """Return the checksum that the file must have; "" if neither the project nor the user knows one."""
    return supply.sha256 or given.sha256.lower()


def _check(image: DeclaredImage, supply: Supply, given: Supplied) -> Path:
    option = f"--{supply.name}"
    if given.path is None:
        raise Refusal(
            f"image {image.name} needs {supply.name}, which the project may not distribute ({supply.licence}).",
            f"Get it from {supply.source} and give it: {option} PATH {option}-sha256 SUM "
            f"--accept-{supply.name}-licence",
        )
    if not given.accepted:
        raise Refusal(
            f"image {image.name} holds {supply.name} under its owner's licence: {supply.licence}.",
            f"Read it; if you accept it, add --accept-{supply.name}-licence.",
        )
    if not given.path.is_file():
        raise Refusal(f"there is no file {given.path}.", f"Give the archive of {supply.name}: {option} PATH")
    expected = expected_sha256(supply, given)
    if not re.fullmatch(r"[0-9a-f]{64}", expected):
        raise Refusal(
            f"no SHA-256 of {supply.name} is known: its owner publishes none that the project could verify.",
            f"Take it from a source that you trust and give it: {option}-sha256 SUM (64 hexadecimal digits).",
        )
    found = file_sha256(given.path)
    if found != expected:
        raise Refusal(
            f"{given.path} has the SHA-256 {found}, but {expected} was expected.",
            f"Get {supply.name} again from {supply.source}.",
        )
    return given.path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()
