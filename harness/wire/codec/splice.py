"""Serialises messages with images in one copy, and reads messages that are nothing but pixels in none.

protobuf would copy an image four times on its way out (into the message, twice while serialising, into the bytes),
which alone costs more than the whole round trip may. A `Splice` has protobuf serialise the small fields and puts the
large ones beside them by the rules of its encoding (tag, length, payload:
https://protobuf.dev/programming-guides/encoding). The bytes are an ordinary message, whoever reads them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, List, Optional, Union

import numpy.typing as npt

_LENGTH_DELIMITED = 2

Piece = Union[bytes, memoryview]


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


@lru_cache(maxsize=1024)
def _prefix(field: int, size: int) -> bytes:
    """Return tag and length; cached, because the images of a run have few sizes."""
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(size)


class Splice:
    """A message in pieces: the serialised small fields of it, then whatever is added."""

    def __init__(self, small: bytes = b"") -> None:
        self._pieces: List[Piece] = [small]
        self._size = len(small)

    @classmethod
    def of(cls, message: Any) -> Splice:
        """Begin with the fields that ``message`` has."""
        return cls(message.SerializeToString())

    def _begin(self, field: int, size: int) -> None:
        prefix = _prefix(field, size)
        self._pieces.append(prefix)
        self._size += len(prefix) + size

    def add_bytes(self, field: int, array: npt.NDArray[Any]) -> None:
        """Set a bytes field to the content of a C-ordered array; an empty one is left out, as protobuf does."""
        if not array.size:
            return
        self._begin(field, array.nbytes)
        self._pieces.append(array.data)

    def add_encoded(self, field: int, data: bytes) -> None:
        """Set a text field or a submessage to bytes that are encoded already; empty ones are left out."""
        if data:
            self._begin(field, len(data))
            self._pieces.append(data)

    def add_message(self, field: int, message: Splice) -> None:
        """Set a submessage, or append to a repeated one."""
        self._begin(field, message._size)
        self._pieces.extend(message._pieces)

    def __len__(self) -> int:
        return self._size

    def serialized(self) -> bytes:
        """Return the message's bytes."""
        return b"".join(self._pieces)


def sole_payload(data: bytes, field: int) -> Optional[memoryview]:
    """Return the payload of a message that is one bytes field and nothing else; None for any other message."""
    tag = _varint(field << 3 | _LENGTH_DELIMITED)
    if not data.startswith(tag):
        return None
    for size_bytes in range(1, 6):
        start = len(tag) + size_bytes
        size = len(data) - start
        if size >= 0 and data[len(tag) : start] == _varint(size):
            return memoryview(data)[start:]
    return None
