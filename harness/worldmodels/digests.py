"""Digests of what a world model consists of: the code of its plugin, and its weights.

A name and a version say what was meant to run. Two results are of the same model only where the same bytes ran: the
files of the plugin's folders, or the image, and the resolved commits or the file hashes of its weights.

Checkpoints are tens of gigabytes and every run asks for their hashes. So a file's digest is kept beside the size, the
inode and the times of the last change of content and of status that it had; when one of them differs, it is read again.
The last of them nobody sets: a file that was written over and given its old time is read again too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, Mapping, Optional, Sequence, Tuple

from harness.contracts.code_files import SMALL, code_files
from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.contracts.folders import user_cache
from harness.contracts.manifests import FROM_HUB, RANDOM, Checkpoint, ModelManifest
from harness.contracts.sources import CHECKOUT, imported_from
from harness.worldmodels.hub_cache import data_files, find_snapshot, is_hub_id
from harness.worldmodels.weights import place_of, used_checkpoints

Progress = Callable[[int, int], None]
"""Called now and then with the bytes that are done and the bytes in all."""

_CHUNK = 2**22
_SETTLED_NS = 2_000_000_000
"""A file that changed less than two seconds ago may change again within one tick of its clock: it is not remembered."""


def quiet(done: int, total: int) -> None:
    """Show nothing."""


def hash_files(files: Sequence[Path], progress: Progress = quiet, cache: Optional[Path] = None) -> dict[Path, str]:
    """Return the SHA-256 of each file; ``cache`` is the folder of remembered digests (default: the user's)."""
    folder = user_cache() / "hashes" if cache is None else cache
    total = sum(file.stat().st_size for file in files)
    done = 0
    hashes: dict[Path, str] = {}
    for file in files:
        before = state_of(file)
        known = _remembered(folder, file, before)
        hashes[file] = known or _read(file, lambda read, start=done: progress(start + read, total))  # type: ignore[misc]
        if not known and state_of(file) == before and time.time_ns() - before[1] > _SETTLED_NS:
            _remember(folder, file, before, hashes[file])
        done += before[0]
        if known:
            progress(done, total)
    return hashes


State = tuple[int, int, int, int]
"""Of a file: size in bytes, time of the last change of its content in nanoseconds, inode, and that of its status."""


def state_of(file: Path) -> State:
    """Return what tells whether a file may have changed; OSError where it is gone."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def _read(file: Path, on_read: Callable[[int], None]) -> str:
    result = hashlib.sha256()
    read = 0
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            result.update(chunk)
            read += len(chunk)
            on_read(read)
    return result.hexdigest()


def _entry(folder: Path, file: Path) -> Path:
    return folder / f"{hashlib.sha256(os.fsencode(file.resolve())).hexdigest()}.json"


def _remembered(folder: Path, file: Path, state: State) -> str:
    """Return the digest of ``file`` in this state, "" where it is not known."""
    try:
        entry = json.loads(_entry(folder, file).read_text(encoding="utf-8"))
        return str(entry["sha256"]) if tuple(entry["state"]) == state else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _remember(folder: Path, file: Path, state: State, sha256: str) -> None:
    """Write an entry whole or not at all; a cache that cannot be written costs time, and no run."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder)
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            json.dump({"path": str(file.resolve()), "state": state, "sha256": sha256}, target)
        Path(name).replace(_entry(folder, file))


CODE, AUTHORS_CODE, IMPORTED_CODE = "code", "authors' code", "imported code"
"""How the parts are called: ``code NAME`` for each folder of a plugin, ``authors' code`` for a checkout, ``imported
code`` for what a plugin's sources import from the folders that the user's ``PYTHONPATH`` names."""

IMAGE = "image "
"""Stands before the id of the image that the code of a world model in a container is."""

COMMIT = "commit "
_HASH = re.compile("[0-9a-f]{40}")
_COMMIT = re.compile(f"{COMMIT}({_HASH.pattern})")
CARD = "README.md"


def code_digests(folders: Sequence[Path], checkout: str = "") -> Dict[str, str]:
    """Return the digest of each folder of a plugin (its own and those it shares), and of other code that it runs."""
    return {part: digest(files) for part, files in files_by_part(folders, checkout).items()}


def files_by_part(folders: Sequence[Path], checkout: str = "") -> Dict[str, Dict[str, str]]:
    """Return by the same parts the digest of each file."""
    parts: Dict[str, Dict[str, str]] = {}
    for folder in folders:
        name = f"{CODE} {folder.name}"
        parts[name if name not in parts else f"{CODE} {folder}"] = file_digests(folder)
    if checkout:
        parts[AUTHORS_CODE] = file_digests(Path(checkout))
    imported = _imported_files(folders)
    return {**parts, IMPORTED_CODE: imported} if imported else parts


def _imported_files(folders: Sequence[Path]) -> Dict[str, str]:
    """Return the digest of each source that the code in ``folders`` imports from the user's ``PYTHONPATH``, by name.

    Installed packages are not looked into; the checkout is the harness's own.
    """
    named = {Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    named -= {CHECKOUT, *(folder.resolve() for folder in folders)}
    if not named:
        return {}
    sources = [path for folder in folders for path in code_files(folder) if path.suffix == ".py"]
    try:
        return {name: _sha256(path) for name, path in imported_from(named, sources, folders)}
    except OSError as error:
        raise Refusal(f"{error.filename} cannot be read ({error.strerror}).", "Fix its permissions.") from error


def weights_digests(manifest: ModelManifest, progress: Progress = quiet) -> Dict[str, str]:
    """Return the digests of a model's weights: the commit of what is from the hub, the hashes of what is a folder.

    Everything in a folder counts, since configurations decide as much as weights do, but not its card.
    """
    parts: Dict[str, str] = {}
    if manifest.weights not in ("", FROM_HUB, RANDOM):
        parts["checkpoint"] = _content(Path(manifest.weights), progress)
    for name, checkpoint in used_checkpoints(manifest).items():
        found = _checkpoint(checkpoint, progress)
        if found:
            parts[name] = found
    return parts


def weights_files(manifest: ModelManifest) -> Tuple[Path, ...]:
    """Return the files of a model's weights that are on this machine, those of the hub's cache as well."""
    chosen = [] if manifest.weights in ("", FROM_HUB, RANDOM) else [Path(manifest.weights)]
    places = [*chosen, *map(place_of, used_checkpoints(manifest).values())]
    return tuple(sorted({file for place in places if place is not None for file in _parts(place).values()}))


def with_commits(manifest: ModelManifest, began: Mapping[str, str]) -> ModelManifest:
    """Return the manifest with the commit that each hub reference stands for here in place of a branch or tag.

    So the commit is in the manifest's hash. ``began`` holds the commits, by field, that a continued run began with:
    those are loaded, wherever the branch has moved to.
    """
    resolved = {
        name: replace(checkpoint, revision=began[name]) if name in began else _resolved(checkpoint)
        for name, checkpoint in used_checkpoints(manifest).items()
    }
    return replace(manifest, **resolved)  # type: ignore[arg-type]


def unpinned(manifest: ModelManifest) -> Tuple[str, ...]:
    """Return the fields of a manifest that name a repository of the hub, and no commit of it."""
    used = used_checkpoints(manifest).items()
    return tuple(name for name, of in used if is_hub_id(of.source) and not _HASH.fullmatch(of.revision))


def commits_of(digests: Mapping[str, str]) -> Dict[str, str]:
    """Return the commits, by field of a manifest, among the digests of a run."""
    found = {name: _COMMIT.fullmatch(value) for name, value in digests.items()}
    return {name: match[1] for name, match in found.items() if match is not None}


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of a folder of code: names and contents of its files, caches left out.

    Links are followed. A file that cannot be read raises Refusal.
    """
    return digest(file_digests(folder))


def file_digests(folder: Path) -> Dict[str, str]:
    """Return the SHA-256 of each file that `folder_digest` counts, by its path in the folder."""
    files = {str(path.relative_to(folder)): path for path in code_files(folder)}
    try:
        large = [path for path in files.values() if path.stat().st_size > SMALL]
        hashes = hash_files(large)
        return {name: hashes.get(path) or _sha256(path) for name, path in sorted(files.items())}
    except OSError as error:
        raise Refusal(f"{error.filename} cannot be read ({error.strerror}).", "Fix its permissions.") from error


def _checkpoint(checkpoint: Checkpoint, progress: Progress) -> str:
    place = place_of(checkpoint)
    if place is None:
        return ""
    return f"{COMMIT}{place.name}" if is_hub_id(checkpoint.source) else _content(place, progress)


def _parts(path: Path) -> Dict[str, Path]:
    """Return the files by name that a folder or file of weights consists of."""
    if path.is_dir():
        return {str(file.relative_to(path)): file for file in code_files(path) if str(file.relative_to(path)) != CARD}
    beside = (*data_files(path), *(path.parent.glob("adapter_config.json")))
    return {file.name: file for file in (path, *beside)}


def _content(path: Path, progress: Progress) -> str:
    """Return the digest of a chosen folder or file of weights."""
    files = _parts(path)
    hashes = hash_files(sorted(files.values()), progress)
    return f"files {digest({name: hashes[file] for name, file in files.items()})}"


def _resolved(checkpoint: Checkpoint) -> Checkpoint:
    found = find_snapshot(checkpoint.source, checkpoint.revision) if is_hub_id(checkpoint.source) else None
    return checkpoint if found is None else replace(checkpoint, revision=found.name)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
        return state_of(file.path) == file.state or _hash_of(file.path, len(file.content)) == file.content
    except OSError:
        return False


def _hash_of(path: Path, length: int) -> Optional[str]:
    """Return the hash of a file, of the kind that has this length."""
    if length != 40:
        return hash_files([path])[path]
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _blob(file: Path) -> str:
    """Return the name of the blob that a file of the hub's cache links to, which is its hash; "" for other files."""
    name = file.resolve().name
    return name if file.is_symlink() and (_SHA256.fullmatch(name) or _GIT.fullmatch(name)) else ""
