"""Verifies files by size and SHA-256: against the manifest where it knows them, else against the first time.

What the manifest does not know is recorded once in ``datasets.lock.json`` in the data folder. That cannot prove that
the first copy was right, and the caller says so; it does prove that nothing changed since, and lets two machines be
compared.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Tuple

from harness.contracts.errors import Refusal
from tasks.datasets.catalog import Dataset, DatasetFile

if TYPE_CHECKING:
    from tasks.official.files import OfficialFile

LOCK_NAME = "datasets.lock.json"
OK, RECORDED, MISSING, WRONG = "ok", "recorded", "missing", "wrong"

_CHUNK = 4 << 20
OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Fingerprint:
    """The size in bytes and the SHA-256 of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Finding:
    """What was found of one file: ``ok``, ``recorded`` (seen for the first time), ``missing`` or ``wrong``."""

    path: str
    state: str
    detail: str


class Lock:
    """The fingerprints recorded in one data folder, by path below it."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._path = data / LOCK_NAME
        self._known: Dict[str, Fingerprint] = _read_lock(self._path)

    def get(self, path: str) -> Fingerprint | None:
        """Return what was recorded of a file, or None."""
        return self._known.get(path)

    def record(self, path: str, found: Fingerprint) -> None:
        """Record a file; written at once, so that an interrupted verification keeps what it has hashed."""
        self._known[path] = found
        text = json.dumps({name: asdict(self._known[name]) for name in sorted(self._known)}, indent=1) + "\n"
        temporary = self._path.with_name(self._path.name + ".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self._path)


def fingerprint(path: Path, on_bytes: OnBytes = lambda count: None) -> Fingerprint:
    """Return size and SHA-256 of a file, telling ``on_bytes`` how much more was read."""
    hasher = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
            size += len(chunk)
            on_bytes(len(chunk))
    return Fingerprint(size, hasher.hexdigest())


def verify(dataset: Dataset, data: Path, on_bytes: OnBytes = lambda count: None) -> Iterator[Finding]:
    """Yield a finding for every file of the dataset; what nobody knew is recorded in the lock."""
    lock = Lock(data)
    for file in dataset.files:
        found = file.found(data)
        if not found:
            yield Finding(file.path, MISSING, "not there")
        for path in found:
            yield check_file(file, path, data, lock, on_bytes)


def check_file(file: DatasetFile, path: Path, data: Path, lock: Lock, on_bytes: OnBytes) -> Finding:
    """Compare one file with the manifest, else with the lock, else record it."""
    name = path.relative_to(data).as_posix()
    known, source = expected(file, name, lock)
    size = path.stat().st_size
    if known.size and size != known.size:
        return Finding(name, WRONG, f"found {size:,} bytes, expected {known.size:,} ({source})")
    found = fingerprint(path, on_bytes)
    if known.sha256 and found.sha256 != known.sha256:
        return Finding(name, WRONG, f"found SHA-256 {found.sha256}, expected {known.sha256} ({source})")
    if known.sha256:
        return Finding(name, OK, f"{found.size:,} bytes, SHA-256 {found.sha256[:16]}… ({source})")
    lock.record(name, found)
    return Finding(
        name, RECORDED, f"{found.size:,} bytes, SHA-256 {found.sha256[:16]}… recorded, compared with nothing"
    )


def describe_content(dataset: Dataset, data: Path) -> Tuple[str, ...]:
    """Read a dataset's episode file and goal images item by item; return what a person should know about them.

    An item with something wrong is told with its field, and Refusal raised where nothing can be read. Scenes have
    nothing to read here.
    """
    from tasks.official.files import read_aeqa, read_ar, read_ignav
    from tasks.official.goal_images import ZIP_FILE, GoalImages

    notes: List[str] = []
    strays: Tuple[str, ...] = ()
    if dataset.name == "ar":
        ar = read_ar(data)
        wrong = _wrong(ar)
        notes.append(f"{len(ar.items)} episodes in {len({item.scene_id for item in ar.items})} scenes")
        strays = ar.stray_files
    elif dataset.name == "aeqa":
        aeqa = read_aeqa(data)
        wrong = _wrong(aeqa)
        notes.append(f"{len(aeqa.items)} questions in {len({item.scene_id for item in aeqa.items})} scenes")
        strays = aeqa.stray_files
    elif dataset.name == "ignav":
        ignav = read_ignav(data)
        wrong = _wrong(ignav)
        images = GoalImages(data / ZIP_FILE)
        images.check(item.datum_id for item in ignav.items)
        scenes = len({item.scene_relpath for item in ignav.items})
        notes.append(f"{len(ignav.items)} episodes in {scenes} scenes, {len(images)} goal images")
        strays = ignav.stray_files
    else:
        wrong = []
    notes += wrong
    if strays:
        notes.append(f"other files in the folder, not read: {', '.join(strays)}")
    return tuple(notes)


def _wrong(official: OfficialFile[Any]) -> List[str]:
    """Return what is wrong in a published file, a sentence an item, and what was read in another form."""
    return [f"left out: {what}" for what in official.refused] + ([official.note] if official.note else [])


def expected(file: DatasetFile, name: str, lock: Lock) -> Tuple[Fingerprint, str]:
    """Return what is known of a file (size 0 and digest "" where nothing is), and who knows it."""
    if file.sha256:
        return Fingerprint(file.size, file.sha256), "manifest"
    recorded = lock.get(name)
    if recorded is not None:
        return recorded, "recorded here earlier"
    return Fingerprint(file.size, ""), "manifest"


def _read_lock(path: Path) -> Dict[str, Fingerprint]:
    if not path.exists():
        return {}
    try:
        plain: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return {name: Fingerprint(int(entry["size"]), str(entry["sha256"])) for name, entry in plain.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refusal(
            f"{path} cannot be read: {error}.", "Restore it, or delete it to record all files again."
        ) from error
