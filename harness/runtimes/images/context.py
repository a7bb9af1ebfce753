"""The build context: the few files that an image is made of, packed the same way on every machine.

Owners, permissions and order do not depend on the checkout: another umask must not make files that the container's
user cannot read, and equal sources must give equal digests. Times are kept, since compiled code is looked up by them.
Files that only the user may bring are checked before any build: consent, presence, checksum.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.contracts.errors import Refusal
from harness.runtimes.images.declared import CHECKOUT, DeclaredImage, Supply

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


SOURCE_LABEL = "wiw.source"
"""Label with the digest of the context that an image was built from."""

_LEFT_OUT = ("__pycache__", ".git")
_DOCUMENTS = ".md"
"""Suffix of files that no image needs: a changed README must not make an image outdated."""


def context_files(image: DeclaredImage, checkout: Path = CHECKOUT) -> list[str]:
    """Return the files of an image's context as sorted paths of the checkout, its Dockerfile among them."""
    files = {image.dockerfile}
    for entry in image.context:
        path = checkout / entry
        if path.is_file():
            files.add(entry)
        elif path.is_dir():
            files.update(_files_below(path, checkout))
        else:
            raise Refusal(f"image {image.name} needs {entry}, which is not in {checkout}.", "Fix its image.toml.")
    return sorted(files)


def _files_below(folder: Path, checkout: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        relative = path.relative_to(checkout)
        left_out = path.suffix == _DOCUMENTS or any(part in _LEFT_OUT for part in relative.parts)
        if path.is_file() and not path.is_symlink() and not left_out:
            yield relative.as_posix()


def source_digest(image: DeclaredImage, checkout: Path = CHECKOUT) -> str:
    """Return the SHA-256 of names and bytes of the context, without what the user supplies."""
    total = hashlib.sha256()
    for name in context_files(image, checkout):
        content = (checkout / name).read_bytes()
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def write_context(
    image: DeclaredImage, supplied: Mapping[str, Path], out: IO[bytes], checkout: Path = CHECKOUT
) -> None:
    """Write the context as a tar archive; ``supplied`` maps names in the context's root to the user's files."""
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in context_files(image, checkout):
            _add(archive, name, checkout / name)
        for name, path in sorted(supplied.items()):
            _add(archive, name, path)


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    entry = tarfile.TarInfo(name)
    status = path.stat()
    entry.size = status.st_size
    entry.mtime = int(status.st_mtime)
    entry.mode = 0o755 if name.endswith(".sh") else 0o644
    with path.open("rb") as file:
        archive.addfile(entry, file)
