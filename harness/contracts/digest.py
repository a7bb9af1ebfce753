"""One way to turn values into bytes, and bytes into a hash.

Suite hashes, manifests, episodes and trajectory roots all go through here, so that equal values give
equal digests on every machine and Python version.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from typing import Any, Iterable, List, Mapping, Optional, Tuple

import numpy as np
import numpy.typing as npt

_SCALARS = frozenset((float, str, int, bool, type(None)))

FLAT: Mapping[str, Any] = {"flat": True}
"""Metadata of a dataclass's field whose items stand among the other fields in plain form; one field a class at most."""


@functools.cache
def flat_field(kind: Any) -> str:
    """Return the name of the `FLAT` field of a dataclass, "" where it has none."""
    return next((field.name for field in dataclasses.fields(kind) if field.metadata.get("flat")), "")


@functools.cache
def _field_names(kind: type) -> Optional[Tuple[Tuple[str, ...], str]]:
    """Return the names of a dataclass's fields, and of the one that is flat; None of any other kind."""
    if not dataclasses.is_dataclass(kind):
        return None
    flat = flat_field(kind)
    return tuple(field.name for field in dataclasses.fields(kind) if field.name != flat), flat


def to_plain(value: Any) -> Any:
    """Return ``value`` as JSON-ready dicts, lists, strings, numbers, booleans and None.

    Dataclasses become dicts of their fields. Arrays and other objects raise TypeError: they are hashed
    by `array_digest` and referred to by digest.
    """
    kind: type = type(value)
    if kind in _SCALARS:
        return value
    names = _field_names(kind)
    if names is not None:
        items = [(name, getattr(value, name)) for name in names[0]]
        plain = {name: item if type(item) in _SCALARS else to_plain(item) for name, item in items}
        return {**to_plain(getattr(value, names[1])), **plain} if names[1] else plain
    if isinstance(value, dict):
        return {str(k): v if type(v) in _SCALARS else to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [v if type(v) in _SCALARS else to_plain(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} has no canonical form; hash arrays with array_digest")


def canonical_json(value: Any) -> bytes:
    """Return the one JSON encoding of ``value``: sorted keys, no spaces, shortest float form, no NaN."""
    return _encoded(to_plain(value))


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of ``value`` as 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def digest_of_json(value: Any) -> str:
    """Return the `digest` of a value that was read from JSON, which is plain already: a run's plan is megabytes."""
    return hashlib.sha256(_encoded(value)).hexdigest()


def _encoded(plain: Any) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def array_digest(array: npt.NDArray[Any]) -> str:
    """Return the SHA-256 of an array's dtype, shape and bytes (C order, little-endian)."""
    data = np.ascontiguousarray(array)
    head = f"{data.dtype.str}{data.shape}".encode()
    return hashlib.sha256(head + b"\0" + data.tobytes()).hexdigest()


def merkle_root(leaves: Iterable[str]) -> str:
    """Return the Merkle root of hex digests, in the order given.

    Leaves and inner nodes are hashed with different prefixes (RFC 6962, section 2.1), so that an inner
    node can never be passed off as a leaf. An odd node moves up unchanged. No leaves: SHA-256 of "".
    """
    level: List[bytes] = [hashlib.sha256(b"\x00" + bytes.fromhex(leaf)).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2])]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0].hex()
