"""The build context: the few files that an image is made of, packed the same way on every machine.

Owners, permissions and order do not depend on the checkout: another umask must not make files that the container's
user cannot read, and equal sources must give equal digests. Times are kept, since compiled code is looked up by them.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from harness.contracts.errors import Refusal
from harness.runtimes.images.declared import CHECKOUT, DeclaredImage

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
