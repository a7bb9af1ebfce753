"""The local cache of the Hugging Face Hub, read by its layout: nothing is imported and nothing is downloaded.

``models--org--name/snapshots/<commit>/`` holds links to the files of one commit, ``refs/<revision>`` the commit that a
branch or tag stood for when it was fetched. A download that broke off leaves links without a file, or none.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Iterator, Optional

from harness.contracts.folders import absolute, home, user_cache
from harness.worldmodels.weight_files import INDEX, is_weights, missing_data

DEFAULT_REVISION = "main"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def is_hub_id(source: str) -> bool:
    """Say whether ``source`` is ``organisation/name``, and no address or path."""
    return _HUB_ID.fullmatch(source) is not None


def cache_folder() -> Path:
    """Return the hub's cache folder, found as the hub's own client finds it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return absolute(os.environ[variable])
    named = os.environ.get("HF_HOME")
    if named:
        return absolute(named) / "hub"
    caches = os.environ.get("XDG_CACHE_HOME")
    return (absolute(caches) if caches else (home() or user_cache()) / ".cache") / "huggingface" / "hub"


def repository_folder(source: str, cache: Optional[Path] = None) -> Path:
    """Return where the cache keeps a repository, whether it is there or not."""
    return (cache or cache_folder()) / f"models--{source.replace('/', '--')}"


def find_snapshot(source: str, revision: str = "", cache: Optional[Path] = None) -> Optional[Path]:
    """Return the folder of ``source`` at ``revision`` ("" is the main branch), or None where it is not here."""
    repository = repository_folder(source, cache)
    wanted = revision or DEFAULT_REVISION
    try:
        commit = (repository / "refs" / wanted).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        commit = wanted
    folder = repository / "snapshots" / commit
    return folder if folder.is_dir() else None


def incomplete(snapshot: Path) -> str:
    """Return what a snapshot lacks, "" where it is whole as far as its own lists of files say.

    A pipeline's ``model_index.json`` lists its components, the index of a split file its parts, and the data of a
    TensorFlow checkpoint say in their names how many they are.
    """
    broken = sorted(path for path in snapshot.rglob("*") if path.is_symlink() and not path.exists())
    if broken:
        return f"{broken[0].relative_to(snapshot)} was not fetched"
    missing = next(_unfetched(snapshot), "")
    if missing:
        return f"{missing} was not fetched"
    weights = any(is_weights(path) for path in snapshot.rglob("*"))
    return "" if weights else "no file of weights was fetched"


def _unfetched(snapshot: Path) -> Iterator[str]:
    components = _read(snapshot / "model_index.json")
    for name, value in components.items():
        if isinstance(value, list) and value and value[0] and not (snapshot / name).is_dir():
            yield name
    for index in snapshot.rglob("*.index.json"):
        parts = _read(index).get("weight_map")
        for part in sorted(set(parts.values())) if isinstance(parts, dict) else ():
            if not (index.parent / str(part)).is_file():
                yield str((index.parent / str(part)).relative_to(snapshot))
    for index in snapshot.rglob(f"*{INDEX}"):
        missing = missing_data(index)
        if missing:
            yield str(index.with_name(missing).relative_to(snapshot))


def _read(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
