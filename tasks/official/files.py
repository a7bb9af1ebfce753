"""Reads the published episode files: gzip JSON, checked item by item.

An error names the file, the item (counted from 0) with its id, and the field, says what was found and what was
expected. An item that is wrong costs its episode and not the file; a value that can mean only one thing is read, with
one note a file. Only the file itself is read: the published reader opens whatever lies in the folder, so that one stray
file breaks it; here other files are named and left alone.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Generic, List, Mapping, Sequence, Set, Tuple, Type, TypeVar

from pydantic import BaseModel, ValidationError

from harness.contracts.errors import Refusal
from tasks.official.records import NOTES, AEQAItem, ARContainer, ARItem, IGNavContainer, IGNavItem

EVALUATION_FOLDER = Path("WIW_datasets") / "eval_datasets"
"""Where the published episode files lie below the data folder."""

AR_FILE = EVALUATION_FOLDER / "AR" / "episodes_AR.json.gz"
IGNAV_FILE = EVALUATION_FOLDER / "IGNav" / "episodes_IGNav.json.gz"
AEQA_FILE = EVALUATION_FOLDER / "AEQA" / "episodes_AEQA.json.gz"

MOST_ITEMS = 2000
"""The published reader of active recognition stops here; no published file comes near it."""

MOST_BYTES = 64 << 20
"""Unpacked size that is refused: the largest published file is far below, and gzip can hide gigabytes in a few kB."""

_RESTORE = "Fetch it again (`python benchmark.py datasets fetch {name}`), or fix the file."
_SHOWN = 80

Item = TypeVar("Item", ARItem, IGNavItem, AEQAItem)
Container = TypeVar("Container", bound=BaseModel)


@dataclass(frozen=True)
class OfficialFile(Generic[Item]):
    """The checked content of one file: its items in file order, its SHA-256, and what else lies in its folder.

    ``refused`` says of each item that is left out what is wrong with it; ``note`` says what was read though it is
    written in another form than the published one ("" for nothing).
    """

    path: Path
    sha256: str
    items: Tuple[Item, ...]
    stray_files: Tuple[str, ...]
    refused: Tuple[str, ...] = ()
    note: str = ""


def read_ar(data: Path) -> OfficialFile[ARItem]:
    """Return the episodes of active recognition below the data folder."""
    path = data / AR_FILE
    plain, sha256 = _read_json(path, "ar")
    listed = _Listed(_container(ARContainer, plain, path, "ar", []).episodes, "episodes", ("episode_id",))
    return _official(ARItem, listed, path, sha256, "ar")


def read_ignav(data: Path) -> OfficialFile[IGNavItem]:
    """Return the episodes of image-goal navigation below the data folder."""
    path = data / IGNAV_FILE
    plain, sha256 = _read_json(path, "ignav")
    notes: List[str] = []
    container = _container(IGNavContainer, plain, path, "ignav", notes)
    known = (container.meta.img_zip_filename, "goal_imgs_unzipped")
    listed = _Listed(container.data, "data", ("datum_id", "episode_id"), known, tuple(notes))
    return _official(IGNavItem, listed, path, sha256, "ignav")


def read_aeqa(data: Path) -> OfficialFile[AEQAItem]:
    """Return the questions of embodied question answering below the data folder."""
    path = data / AEQA_FILE
    plain, sha256 = _read_json(path, "aeqa")
    if not isinstance(plain, list) or not plain:
        raise _refused(path, "aeqa", f"found {_shown(plain)}, expected a list of questions")
    return _official(AEQAItem, _Listed(plain, "", ("question_id",)), path, sha256, "aeqa")


@dataclass(frozen=True)
class _Listed:
    """The items of a file as they are written: under which name, what their ids are called, what is known."""

    items: Sequence[Any]
    field: str
    ids: Tuple[str, ...]
    known_files: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()


def _official(kind: Type[Item], listed: _Listed, path: Path, sha256: str, name: str) -> OfficialFile[Item]:
    if len(listed.items) > MOST_ITEMS:
        raise _refused(path, name, f"found {len(listed.items)} items, expected at most {MOST_ITEMS}")
    items: List[Item] = []
    refused: List[str] = []
    notes = list(listed.notes)
    seen: Dict[Any, int] = {}
    for number, value in enumerate(listed.items):
        read: List[str] = []
        try:
            item = _item(kind, value, number, listed, read)
            _once(item, number, listed.ids, seen)
        except ValueError as error:
            refused.append(str(error))
            continue
        notes += [f"item {number}: {what}" for what in read]
        items.append(item)
    if not items:
        more = f" (so are the other {len(refused) - 1} items)" if len(refused) > 1 else ""
        raise _refused(path, name, f"{refused[0].rstrip('.')}{more}")
    note = f"{len(notes)} values were read in another form, such as {notes[0]}" if notes else ""
    return OfficialFile(path, sha256, tuple(items), _strays(path, listed.known_files), tuple(refused), note)


def _item(kind: Type[Item], value: Any, number: int, listed: _Listed, notes: List[str]) -> Item:
    """Return one item; ValueError says what is wrong with it."""
    if not isinstance(value, Mapping):
        place = f"field {listed.field}.{number}: " if listed.field else ""
        raise ValueError(f"item {number}: {place}found {_shown(value)}, expected an object")
    try:
        return kind.model_validate(value, context={NOTES: notes})
    except ValidationError as error:
        raise ValueError(f"item {number}{_named(value, listed.ids)}: {_first_error(error)}") from error


def _once(item: Item, number: int, ids: Tuple[str, ...], seen: Dict[Any, int]) -> None:
    """Remember what identifies an item; ValueError where one before it has the same."""
    keys: Dict[str, Any] = {ids[0]: item.key}
    if isinstance(item, IGNavItem):
        keys["episode_id"] = (item.scene_relpath, item.episode_id)
    for field, key in keys.items():
        first = seen.get((field, key))
        if first is not None:
            raise ValueError(
                f"item {number}: field {field}: found {key!r} again, expected it once (item {first} has it)"
            )
    seen.update(dict.fromkeys(keys.items(), number))


def _container(kind: Type[Container], plain: Any, path: Path, name: str, notes: List[str]) -> Container:
    try:
        return kind.model_validate(plain, context={NOTES: notes})
    except ValidationError as error:
        raise _refused(path, name, _first_error(error)) from error


def _read_json(path: Path, name: str) -> Tuple[Any, str]:
    if not path.is_file():
        raise Refusal(
            f"the published episode file {path} is not here.", f"Run `python benchmark.py datasets fetch {name}`."
        )
    try:
        packed = path.read_bytes()
        with gzip.open(path) as stream:
            text = stream.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise _refused(path, name, f"found more than {MOST_BYTES >> 20} MiB of text, expected less")
        return json.loads(text), hashlib.sha256(packed).hexdigest()
    except (OSError, EOFError, ValueError, RecursionError) as error:
        page = " It is a web page." if _is_page(path) else ""
        raise _refused(path, name, f"cannot be read as gzip JSON ({error}).{page}") from error


def _is_page(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(256).lstrip().lower().startswith((b"<!doctype", b"<html"))
    except OSError:
        return False


def _strays(path: Path, known: Tuple[str, ...]) -> Tuple[str, ...]:
    expected: Set[str] = {path.name, *known}
    return tuple(sorted(other.name for other in path.parent.iterdir() if other.name not in expected))


def _named(value: Any, ids: Tuple[str, ...]) -> str:
    if not isinstance(value, Mapping):
        return ""
    named = [f"{field} {_shown(value[field])}" for field in ids if field in value]
    return f" ({', '.join(named)})" if named else ""


def _first_error(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "(all)"
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "missing":
        return f"field {field}: found nothing, expected a value{more}"
    if field == "(all)" and first["type"] == "value_error":
        return f"{message}{more}"
    return f"field {field}: found {_shown(first['input'])}, {message}{more}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _refused(path: Path, name: str, what: str) -> Refusal:
    return Refusal(f"{path}: {what.rstrip('.')}.", _RESTORE.format(name=name))
