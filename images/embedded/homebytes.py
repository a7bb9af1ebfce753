"""A home as bytes: a JSON header and raw arrays. What the cache stores and the suite hash covers.

The layout is fixed (little-endian, C order, one order of fields), so that equal homes give equal bytes and
one SHA-256 stands for geometry, textures, light and metadata together.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict, Iterator, Tuple

import numpy as np

from images.embedded.mesh import Home, HomeObject, Room

_MAGIC = b"WIWHOME1"
_ARRAYS = (
    ("positions", "<f4"),
    ("faces", "<i4"),
    ("uvs", "<f4"),
    ("light", "<f4"),
    ("face_texture", "<i4"),
    ("face_object", "<i4"),
    ("face_double_sided", "|u1"),
    ("textures", "|u1"),
    ("texture_emissive", "|u1"),
)


class HomeBytesError(ValueError):
    """Bytes that are not a home."""


def describe_home(home: Home) -> Dict[str, Any]:
    """Return seed, objects and rooms as JSON-ready values."""
    return {
        "seed": home.seed,
        "objects": [
            {"id": o.id, "category": o.category, "colour": o.colour, "room": o.room, "bounds": list(o.bounds)}
            for o in home.objects
        ],
        "rooms": [{"id": r.id, "kind": r.kind, "bounds": list(r.bounds)} for r in home.rooms],
    }


def parse_objects(description: Dict[str, Any]) -> Tuple[HomeObject, ...]:
    """Return the objects of ``describe_home``."""
    return tuple(
        HomeObject(o["id"], o["category"], o["colour"], o["room"], tuple(o["bounds"])) for o in description["objects"]
    )


def parse_rooms(description: Dict[str, Any]) -> Tuple[Room, ...]:
    """Return the rooms of ``describe_home``."""
    return tuple(Room(r["id"], r["kind"], tuple(r["bounds"])) for r in description["rooms"])


def _chunks(home: Home) -> Iterator[bytes]:
    header = describe_home(home)
    arrays = [np.ascontiguousarray(getattr(home, name), dtype) for name, dtype in _ARRAYS]
    header["arrays"] = [[name, dtype, list(array.shape)] for (name, dtype), array in zip(_ARRAYS, arrays)]
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode("utf-8")
    yield _MAGIC + len(text).to_bytes(8, "little") + text
    for array in arrays:
        yield array.tobytes()


def encode_home(home: Home) -> bytes:
    """Return a home as bytes; equal homes give equal bytes."""
    return b"".join(_chunks(home))


def home_digest(home: Home) -> str:
    """Return the SHA-256 over all arrays and metadata of a home (its scene bytes), in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in _chunks(home):
        digest.update(chunk)
    return digest.hexdigest()


def decode_home(data: bytes) -> Home:
    """Return the home that ``encode_home`` wrote; raise ``HomeBytesError`` for anything else."""
    start = len(_MAGIC) + 8
    if data[: len(_MAGIC)] != _MAGIC or len(data) < start:
        raise HomeBytesError("these bytes are not a stored home (wrong first bytes): build the home again")
    end = start + int.from_bytes(data[len(_MAGIC) : start], "little")
    try:
        header = json.loads(data[start:end].decode("utf-8"))
        arrays = _read_arrays(data, end, header["arrays"])
        return Home(seed=header["seed"], objects=parse_objects(header), rooms=parse_rooms(header), **arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise HomeBytesError(f"this stored home cannot be read ({error}): build the home again") from error


def _read_arrays(data: bytes, offset: int, table: Any) -> Dict[str, Any]:
    if [(name, dtype) for name, dtype, _ in table] != list(_ARRAYS):
        raise HomeBytesError("this stored home has other arrays than this version reads: build the home again")
    arrays: Dict[str, Any] = {}
    for name, dtype, shape in table:
        count = 1
        for length in shape:
            count *= int(length)
        arrays[name] = np.frombuffer(data, dtype, count, offset).reshape(shape)
        offset += arrays[name].nbytes
    if offset != len(data):
        raise HomeBytesError(f"this stored home has {len(data)} bytes, its header says {offset}: build it again")
    return arrays
