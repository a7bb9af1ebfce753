"""Digests of what a world model consists of: the code of its plugin, and its weights.

A name and a version say what was meant to run. Two results are of the same model only where the same bytes ran: the
files of the plugin's folders, or the image, and the resolved commits or the file hashes of its weights.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB, RANDOM, Checkpoint, ModelManifest
from harness.worldmodels.file_hashes import Progress, hash_files, quiet
from harness.worldmodels.hub_cache import find_snapshot, is_hub_id
from harness.worldmodels.weight_files import data_files
from harness.worldmodels.weights import place_of, used_checkpoints

CODE, AUTHORS_CODE = "code", "authors' code"
"""How the parts are called: ``code NAME`` for each folder of a plugin, ``authors' code`` for a checkout."""

IMAGE = "image "
"""Stands before the id of the image that the code of a world model in a container is."""

NO_CODE = ("__pycache__", ".git", ".hg", ".svn", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints")
NO_CODE_ENDINGS = (".nbi", ".nbc", ".swp", "~", ".DS_Store")
"""What tools leave beside code: caches, which are made of it, and the history of a checkout. Bytecode counts where
Python plays it without a source: outside ``__pycache__``."""

MOST_FILES, DEEPEST = 20_000, 50

COMMIT = "commit "
_COMMIT = re.compile(f"{COMMIT}([0-9a-f]{{40}})")
CARD = "README.md"
_SMALL = 2**26
"""Files up to this size are read each time: code may change within one tick of a clock."""


def code_digests(folders: Sequence[Path], checkout: str = "") -> Dict[str, str]:
    """Return the digest of each folder of a plugin (its own and those it shares), and of the authors' code if any."""
    return {part: digest(files) for part, files in code_files(folders, checkout).items()}


def code_files(folders: Sequence[Path], checkout: str = "") -> Dict[str, Dict[str, str]]:
    """Return by the same parts the digest of each file."""
    parts: Dict[str, Dict[str, str]] = {}
    for folder in folders:
        name = f"{CODE} {folder.name}"
        parts[name if name not in parts else f"{CODE} {folder}"] = file_digests(folder)
    if checkout:
        parts[AUTHORS_CODE] = file_digests(Path(checkout))
    return parts


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
    files = {str(path.relative_to(folder)): path for path in _files(folder)}
    try:
        large = [path for path in files.values() if path.stat().st_size > _SMALL]
        hashes = hash_files(large)
        return {name: hashes.get(path) or _sha256(path) for name, path in sorted(files.items())}
    except OSError as error:
        raise Refusal(f"{error.filename} cannot be read ({error.strerror}).", "Mend its permissions.") from error


def _checkpoint(checkpoint: Checkpoint, progress: Progress) -> str:
    place = place_of(checkpoint)
    if place is None:
        return ""
    return f"{COMMIT}{place.name}" if is_hub_id(checkpoint.source) else _content(place, progress)


def _parts(path: Path) -> Dict[str, Path]:
    """Return the files by name that a folder or file of weights consists of."""
    if path.is_dir():
        return {str(file.relative_to(path)): file for file in _files(path) if str(file.relative_to(path)) != CARD}
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


def _files(folder: Path) -> List[Path]:
    """Return the files of a folder and of those below it, links followed; Refusal where there are very many.

    A link that leads back to a folder around it ends there. Any other counts as what it leads to now, so that a link
    that is turned to another folder is another model.
    """
    found: List[Path] = []
    try:
        _collect(folder, (), found)
    except OSError as error:
        raise Refusal(f"{error.filename} cannot be read ({error.strerror}).", "Mend its permissions.") from error
    return found


def _collect(folder: Path, above: Tuple[str, ...], found: List[Path]) -> None:
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        if entry.is_dir():
            if entry.name not in NO_CODE:
                _collect(Path(entry.path), (*above, real), found)
        elif entry.is_file() and not entry.name.endswith(NO_CODE_ENDINGS):
            found.append(Path(entry.path))
        if len(found) > MOST_FILES or len(above) > DEEPEST:
            raise Refusal(
                f"{above[0] if above else folder} holds more than {MOST_FILES:,} files, with those that links lead to, "
                f"or more than {DEEPEST} folders within each other.",
                "Keep data and environments elsewhere: all its files are part of what the model is.",
            )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
