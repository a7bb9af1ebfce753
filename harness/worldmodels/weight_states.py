"""Whether the files of a model's weights are still what they were.

Weights are tens of gigabytes: only a file whose size, inode or times have changed is read again. Its content is known
by its SHA-256, or in the hub's cache by the name of its blob.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.worldmodels.digests import weights_files
from harness.worldmodels.file_hashes import State, hash_files, state_of

_SHA256, _GIT = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class KnownFile:
    """A file of weights as it is when a run begins to play; ``content`` is its hash, "" where nothing says it."""

    path: Path
    state: State
    content: str


def known_files(manifest: ModelManifest) -> tuple[KnownFile, ...]:
    """Return the files that a model's weights consist of; () for a model that loads none. Refusal where one is gone."""
    found = weights_files(manifest)
    try:
        hashes = hash_files([file for file in found if not _blob(file)])
        return tuple(KnownFile(file, state_of(file), hashes.get(file) or _blob(file)) for file in found)
    except OSError as error:
        raise Refusal(f"{error.filename} cannot be read ({error.strerror}).", "Put the weights back.") from error


def changed_files(known: Sequence[KnownFile]) -> tuple[Path, ...]:
    """Return the files that are gone, or hold something else than when they were known."""
    return tuple(file.path for file in known if not _is_same(file))


def _is_same(file: KnownFile) -> bool:
    try:
        return state_of(file.path) == file.state or _content(file.path, len(file.content)) == file.content
    except OSError:
        return False


def _content(path: Path, length: int) -> Optional[str]:
    """Return the hash of a file, of the kind that has this length."""
    if length != 40:
        return hash_files([path])[path]
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _blob(file: Path) -> str:
    """Return the name of the blob that a file of the hub's cache links to, which is its hash; "" for other files."""
    name = file.resolve().name
    return name if file.is_symlink() and (_SHA256.fullmatch(name) or _GIT.fullmatch(name)) else ""
