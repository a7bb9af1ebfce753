"""The local cache of the Hugging Face Hub, read by its layout: nothing is imported and nothing is downloaded.

``models--org--name/snapshots/<commit>/`` holds links to the files of one commit, ``refs/<revision>`` the commit that a
branch or tag stood for when it was fetched. A download that broke off leaves links without a file, or none.
Which files hold weights is known by their names: one list for the cache, for cards and for what containers see.
"""

from __future__ import annotations

import glob
import json
import os
import re
from pathlib import Path
from typing import Iterator, Optional

from harness.contracts.folders import absolute, home, user_cache

INDEX = ".index"
DATA_PATTERN = ".data-?????-of-?????"
PATTERNS = (
    "*.safetensors",
    "*.bin",
    "*.ckpt",
    "*.pt",
    "*.pth",
    "*.pth.tar",
    f"*{INDEX}",
    f"*{DATA_PATTERN}",
    "*.msgpack",
)
"""A TensorFlow checkpoint is a small ``NAME.index`` and its data, ``NAME.data-00000-of-00001`` and so on."""

_DIGITS = 5


def is_weights(file: Path) -> bool:
    """Say whether a file holds weights, or a part of them."""
    return any(file.match(pattern) for pattern in PATTERNS)


def weight_files(checkpoint: Path) -> tuple[Path, ...]:
    """Return the files of weights of a checkpoint, sorted; of a file, itself and the data that it is the index of."""
    if not checkpoint.is_dir():
        return (*data_files(checkpoint), checkpoint)
    return tuple(sorted(path for path in checkpoint.rglob("*") if is_weights(path) and path.is_file()))


def data_files(file: Path) -> tuple[Path, ...]:
    """Return the data beside the ``.index`` file of a TensorFlow checkpoint, sorted; () for any other file."""
    if file.suffix != INDEX:
        return ()
    return tuple(sorted(file.parent.glob(glob.escape(file.stem) + DATA_PATTERN)))


def missing_data(index: Path) -> str:
    """Return the name of the first data file that an ``.index`` file lacks, "" where all that it has are there.

    How many there are is in the name of each; without any, the first is named.
    """
    present = {file.name for file in data_files(index)}
    count = max((int(name[-_DIGITS:]) for name in present), default=1)
    wanted = (f"{index.stem}.data-{number:0{_DIGITS}}-of-{count:0{_DIGITS}}" for number in range(count))
    return next((name for name in wanted if name not in present), "")


DEFAULT_REVISION = "main"
MODEL_INDEX, CONFIG = "model_index.json", "config.json"
SAFETENSORS, PICKLED = ".safetensors", ".bin"
_OF_A_COMPONENT = (SAFETENSORS, PICKLED, ".msgpack")
_NEVER_EMPTY = (".json", ".model")
_POINTER = b"version https://git-lfs"
_STEMS, _SPLIT = ("diffusion_pytorch_model", "model"), ".safetensors.index"
_MODEL_CLASS = re.compile(r"(Transformer\w*|UNet\w*|Autoencoder\w*|Encoder\w*)Model|Autoencoder")
_PART = re.compile(r"-\d{5}-of-\d{5}")
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


def incomplete(snapshot: Path, variant: str = "") -> str:
    """Return what a snapshot lacks, "" where it is whole as far as its own lists of files say.

    A pipeline's ``model_index.json`` lists its components, the index of a split file its parts, and the data of a
    TensorFlow checkpoint say in their names how many they are. Weights load as safetensors, of the plain names or of
    the ``variant``: other files of a component are no weights of it.
    """
    broken = sorted(path for path in snapshot.rglob("*") if path.is_symlink() and not path.exists())
    if broken:
        return f"{broken[0].relative_to(snapshot)} was not fetched"
    missing = next(_unfetched(snapshot), "")
    if missing:
        return f"{missing} was not fetched"
    empty = next((path for path in sorted(snapshot.rglob("*")) if _is_empty(path)), None)
    if empty is not None:
        return f"{empty.relative_to(snapshot)} was not fetched: it holds nothing"
    without = next(_without_weights(snapshot, variant), "")
    if without:
        return without
    files = [path for path in snapshot.rglob("*") if is_weights(path)]
    if files and all(path.suffix == PICKLED for path in files):
        return f"{files[0].relative_to(snapshot)} was fetched, and weights load as safetensors"
    return "" if files else "no file of weights was fetched"


def _is_empty(path: Path) -> bool:
    """Say whether a file that a model is made of has no bytes, or is the pointer that stands for one in git."""
    if not path.is_file() or not (is_weights(path) or path.suffix in _NEVER_EMPTY):
        return False
    with path.open("rb") as file:
        head = file.read(len(_POINTER))
    return not head or head == _POINTER


def _without_weights(snapshot: Path, variant: str) -> Iterator[str]:
    """Yield what is wrong with each component, or a model of one folder, that has a configuration and no weights."""
    index = _read(snapshot / MODEL_INDEX)
    listed = {name: str(value[1]) for name, value in index.items() if isinstance(value, list) and all(value[:2])}
    for name, kind in listed.items():
        folder = snapshot / name
        has_weights = (folder / CONFIG).is_file() or _MODEL_CLASS.search(kind) is not None
        if has_weights and not _loadable(folder, variant):
            yield f"{name} has {_found(folder)}"
    own = [path for path in snapshot.glob("*") if is_weights(path)]
    ours = bool(own) and all(path.suffix in _OF_A_COMPONENT for path in own)
    if not listed and ours and (snapshot / CONFIG).is_file() and not any(_plain(path, variant) for path in own):
        yield f"it has {_found(snapshot)}"


def _loadable(folder: Path, variant: str) -> bool:
    """Say whether a component has weights under the names that its library looks for."""
    dots = (f".{variant}", "") if variant else ("",)
    endings = [ending for dot in dots for ending in (f"{dot}{SAFETENSORS}", f"{_SPLIT}{dot}.json")]
    names = [f"{stem}{ending}" for stem in _STEMS for ending in endings]
    return any((folder / name).is_file() for name in names)


def _plain(path: Path, variant: str) -> bool:
    """Say whether a file of weights is safetensors, and of no other variant than the wanted one."""
    words = _PART.sub("", path.name.removesuffix(SAFETENSORS)).split(".")[1:]
    return path.suffix == SAFETENSORS and all(word == variant for word in words)


def _found(folder: Path) -> str:
    there = [path.name for path in sorted(folder.glob("*")) if is_weights(path)] or ["no file of weights"]
    return f"{there[0]}, and no safetensors under the name that is loaded"


def _unfetched(snapshot: Path) -> Iterator[str]:
    components = _read(snapshot / MODEL_INDEX)
    for name, value in components.items():
        if isinstance(value, list) and value and value[0] and not (snapshot / name).is_dir():
            yield name
    for index in snapshot.rglob("*.index.json"):
        parts = _read(index).get("weight_map")
        names = {part for part in parts.values() if isinstance(part, str)} if isinstance(parts, dict) else set()
        for part in sorted(names):
            if not (index.parent / part).is_file():
                yield str((index.parent / part).relative_to(snapshot))
    for index in snapshot.rglob(f"*{INDEX}"):
        missing = missing_data(index)
        if missing:
            yield str(index.with_name(missing).relative_to(snapshot))


def _read(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
