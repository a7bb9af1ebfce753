"""Reads the published episode files: gzip JSON, checked item by item.

An error names the file, the item (counted from 0) with its id, and the field, says what was found and what was
expected. Only the file itself is read: the published reader opens whatever lies in the folder, so that one stray file
breaks it; here other files are named and left alone.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Generic, Mapping, Sequence, Set, Tuple, Type, TypeVar

from pydantic import BaseModel, ValidationError

from harness.contracts.errors import Refusal
from tasks.official.records import AEQAItem, ARContainer, ARItem, IGNavContainer, IGNavItem

EVALUATION_FOLDER = Path("WIW_datasets") / "eval_datasets"
"""Where the published episode files lie below the data folder."""

AR_FILE = EVALUATION_FOLDER / "AR" / "episodes_AR.json.gz"
IGNAV_FILE = EVALUATION_FOLDER / "IGNav" / "episodes_IGNav.json.gz"
AEQA_FILE = EVALUATION_FOLDER / "AEQA" / "episodes_AEQA.json.gz"

MOST_ITEMS = 2000
"""The published reader of active recognition stops here; no published file comes near it."""

MOST_BYTES = 64 << 20
"""Unpacked size that is refused: the largest published file is far below, and gzip can hide gigabytes in a few kB."""

_RESTORE = "Fetch it again (`python benchmark.py datasets fetch {name}`), or mend the file."
_SHOWN = 80

Item = TypeVar("Item", ARItem, IGNavItem, AEQAItem)
Container = TypeVar("Container", bound=BaseModel)


@dataclass(frozen=True)
class OfficialFile(Generic[Item]):
    """The checked content of one file: its items in file order, its SHA-256, and what else lies in its folder."""

    path: Path
    sha256: str
    items: Tuple[Item, ...]
    stray_files: Tuple[str, ...]


def read_ar(data: Path) -> OfficialFile[ARItem]:
    """Return the episodes of active recognition below the data folder."""
    path = data / AR_FILE
    plain, sha256 = _read_json(path, "ar")
    items = _container(ARContainer, plain, path, "ar").episodes
    return _official(ARItem, items, path, sha256, "ar", ("episode_id",))


def read_ignav(data: Path) -> OfficialFile[IGNavItem]:
    """Return the episodes of image-goal navigation below the data folder."""
    path = data / IGNAV_FILE
    plain, sha256 = _read_json(path, "ignav")
    container = _container(IGNavContainer, plain, path, "ignav")
    known = (container.meta.img_zip_filename, "goal_imgs_unzipped")
    found = _official(IGNavItem, container.data, path, sha256, "ignav", ("datum_id", "episode_id"), known)
    _refuse_twice(path, "ignav", "episode_id", [(item.scene_relpath, item.episode_id) for item in found.items])
    return found


def read_aeqa(data: Path) -> OfficialFile[AEQAItem]:
    """Return the questions of embodied question answering below the data folder."""
    path = data / AEQA_FILE
    plain, sha256 = _read_json(path, "aeqa")
    if not isinstance(plain, list) or not plain:
        raise _refused(path, "aeqa", f"found {_shown(plain)}, expected a list of questions")
    return _official(AEQAItem, plain, path, sha256, "aeqa", ("question_id",))


def _official(
    kind: Type[Item],
    plain: Sequence[Any],
    path: Path,
    sha256: str,
    name: str,
    ids: Tuple[str, ...],
    known: Tuple[str, ...] = (),
) -> OfficialFile[Item]:
    if len(plain) > MOST_ITEMS:
        raise _refused(path, name, f"found {len(plain)} items, expected at most {MOST_ITEMS}")
    items = tuple(_item(kind, value, number, path, name, ids) for number, value in enumerate(plain))
    _refuse_twice(path, name, ids[0], [item.key for item in items])
    return OfficialFile(path, sha256, items, _strays(path, known))


def _item(kind: Type[Item], value: Any, number: int, path: Path, name: str, ids: Tuple[str, ...]) -> Item:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        where = f"item {number}{_named(value, ids)}"
        raise _refused(path, name, f"{where}: {_first_error(error)}") from error


def _container(kind: Type[Container], plain: Any, path: Path, name: str) -> Container:
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        raise _refused(path, name, _first_error(error)) from error


def _refuse_twice(path: Path, name: str, field: str, keys: Sequence[Any]) -> None:
    first: Dict[Any, int] = {}
    for number, key in enumerate(keys):
        if key in first:
            found = f"item {number}: field {field}: found {key!r} again, expected it once (item {first[key]} has it)"
            raise _refused(path, name, found)
        first[key] = number


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
