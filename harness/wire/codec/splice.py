"""Serialises messages with images in one copy, and reads messages that are nothing but pixels in none.

protobuf would copy an image four times on its way out (into the message, twice while serialising, into the bytes),
which alone costs more than the whole round trip may. A `Splice` has protobuf serialise the small fields and puts the
large ones beside them by the rules of its encoding (tag, length, payload:
https://protobuf.dev/programming-guides/encoding). The bytes are an ordinary message, whoever reads them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, List, Sequence, Tuple, Union

import numpy.typing as npt

_LENGTH_DELIMITED = 2
_FIRST_FIELD = bytes([1 << 3 | _LENGTH_DELIMITED])

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

    def add_arrays(self, field: int, arrays: Sequence[npt.NDArray[Any]]) -> None:
        """Set a bytes field to the contents of C-ordered arrays; an empty one is left out, as protobuf does."""
        filled = [array for array in arrays if array.size]
        if filled:
            self._begin(field, sum(array.nbytes for array in filled))
            self._pieces.extend(array.data for array in filled)

    def add_encoded(self, field: int, data: bytes) -> None:
        """Set a text field or a submessage to bytes that are encoded already; empty ones are left out."""
        if data:
            self._begin(field, len(data))
            self._pieces.append(data)

    def add_message(self, field: int, message: Splice) -> None:
        """Set a submessage, or append to a repeated one."""
        self._begin(field, message._size)
        self._pieces.extend(message._pieces)

    def append(self, fields: Splice) -> None:
        """Add the fields of another message of this kind."""
        self._pieces.extend(fields._pieces)
        self._size += fields._size

    def __len__(self) -> int:
        return self._size

    def serialized(self) -> bytes:
        """Return the message's bytes."""
        return b"".join(self._pieces)


def leading_payload(data: bytes) -> Tuple[memoryview, bytes]:
    """Return the content of a bytes field number 1 that a message begins with, and the rest of the message.

    The content stays where it is. A message that begins with anything else is all rest.
    """
    if data[:1] == _FIRST_FIELD:
        size = 0
        for index, byte in enumerate(data[1:6]):
            size |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                start = index + 2
                if start + size <= len(data):
                    return memoryview(data)[start : start + size], data[start + size :]
                break
    return memoryview(b""), data
