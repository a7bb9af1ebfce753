"""Reads files of a folder that may come from anybody: nothing outside it is read, and nothing larger than it may be.

A folder can hold a link to the reader's own files, a pipe that never answers, a device without end, or JSON that takes
gigabytes. Every reader of records opens files here, so that none of them has to think of it again.
"""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, Dict, List, NoReturn, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.from_plain import LARGEST
from harness.records.errors import RecordError

MAX_DEPTH = 40
"""How deep JSON may be nested; records need about a dozen levels."""

_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
_REPLACE = "Replace it by a plain file, or leave this folder alone: somebody else may have made it."


class UnsafeEntry(RecordError):
    """An entry of a record folder is not what it has to be: a link, a pipe, a device, or far too large."""


def read_inside(root: Path, name: str, limit: int) -> bytes:
    """Return the bytes of the file ``name`` (parts divided by ``/``) below ``root``, at most ``limit`` of them.

    ``root`` may be a link, since the user named it; nothing below it may be. Raises OSError where the file cannot be
    read, and UnsafeEntry for a link, anything but a plain file, and a file of more than ``limit`` bytes.
    """
    *folders, last = name.split("/")
    if not all(part not in ("", ".", "..") for part in (*folders, last)):
        raise UnsafeEntry(f"{name!r} does not name a file inside {root}.", _REPLACE)
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            inner = _open(root, part, current, os.O_RDONLY | os.O_DIRECTORY)
            os.close(current)
            current = inner
        # O_NONBLOCK: a pipe in the place of a file would otherwise be waited for, for ever.
        with os.fdopen(_open(root, last, current, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UnsafeEntry(f"{root / name} is {_kind(found.st_mode)}, not a plain file.", _REPLACE)
            data = file.read(limit + 1)
    finally:
        os.close(current)
    if len(data) > limit:
        raise UnsafeEntry(f"{root / name} has more than the {limit} bytes that such a file may have.", _REPLACE)
    return data


def read_json_inside(root: Path, name: str, limit: int) -> Any:
    """Return the JSON value in a file, as `read_inside` reads it.

    Raises ValueError for what is no JSON in UTF-8, for numbers that are not finite, for text that has no UTF-8, for a
    name that an object has twice (whoever takes the first reads something else), and for values nested deeper than
    `MAX_DEPTH`; such values would make trouble wherever they are written again.
    """
    return parse_json(read_inside(root, name, limit))


def parse_json(data: bytes | str) -> Any:
    """Return the JSON value in ``data``; ValueError as in `read_json_inside`."""
    value = _decoded(data)
    _check_values(value)
    return value


def parse_numbers(text: str) -> Dict[str, float]:
    """Return finite numbers by name from JSON; ValueError for anything else. A journal has thousands of such texts."""
    found = _decoded(text)
    if not isinstance(found, dict) or not all(map(_is_number, found.values())):
        raise ValueError("no numbers by name")
    "".join(found).encode()
    return found


def _decoded(data: bytes | str) -> Any:
    try:
        return _DECODER.decode(data if isinstance(data, str) else data.decode())
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels") from None


def _is_number(value: object) -> bool:
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) <= LARGEST)


def check_kind(path: Path, folder: bool = False) -> bool:
    """Say whether ``path`` exists; raise UnsafeEntry unless it is then a plain file (or a folder), and no link."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not (stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode)):
        raise UnsafeEntry(f"{path} is {_kind(mode)}, not a {'folder' if folder else 'plain file'}.", _REPLACE)
    return True


def reason(error: Exception) -> str:
    """Return why a folder or file cannot be used, without a full stop: what an error says, in one line."""
    if isinstance(error, (RecordError, Refusal)):
        return error.what.rstrip(".")
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _open(root: Path, part: str, folder: int, flags: int) -> int:
    try:
        return os.open(part, flags | _NO_LINK, dir_fd=folder)
    except OSError:
        mode = os.lstat(part, dir_fd=folder).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UnsafeEntry(f"{part} in {root} is {_kind(mode)}, which is never followed.", _REPLACE) from None
        raise


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a link",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFDIR: "a folder",
        stat.S_IFREG: "a file",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a name twice")
    return found


_DECODER = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_once)
"""Made once: a journal has thousands of texts."""


def _check_values(value: Any) -> None:
    """Raise ValueError for infinity (1e999), for half a pair of UTF-16 (no file can hold it), and for deep nesting."""
    level: List[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner: List[Any] = []
        for item in level:
            if type(item) is dict:
                inner.extend(item.values())
                inner.extend(item)
            elif type(item) is list:
                inner.extend(item)
            elif type(item) is str:
                item.isascii() or item.encode()
            elif type(item) is float and not math.isfinite(item):
                raise ValueError("it holds a number that is not finite")
        if not inner:
            return
        level = inner
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
