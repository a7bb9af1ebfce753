"""How the bytes of a bundle's zip file lie: as `submit` writes them, entry after entry, the list, and its end.

A zip file may hold more than its list names: bytes before, between and after entries, comments, fields that one program
reads and another does not. Nobody signed any of that, so a bundle holds none.
"""

from __future__ import annotations

import os
import struct
import zipfile
from typing import BinaryIO

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
"""The end of a zip file, and the two records before it where there are more than 65,534 entries."""

_LOCAL = struct.Struct("<4s5H3L2H")
"""What stands before the name of each entry."""

_UTF8 = 0x800
"""The only flag of an entry that may be set: its name is UTF-8."""


def list_bytes(file: BinaryIO) -> int:
    """Return how many bytes the list of entries has, before it is read; BadZipFile where it does not end the file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END.size - _LOCATOR.size - _END64.size))
    tail = file.read()
    if len(tail) < _END.size or tail[-_END.size :][:4] != b"PK\5\6":
        raise zipfile.BadZipFile("it does not end as one")
    *_, length, begin, _comment = _END.unpack(tail[-_END.size :])
    end = size - _END.size
    if tail[-_END.size - _LOCATOR.size :][:4] == b"PK\6\7":
        signature, *_, length, begin = _END64.unpack(tail[: _END64.size])
        end -= _LOCATOR.size + _END64.size
        if signature != b"PK\6\6":
            raise zipfile.BadZipFile("its end names another place")
    if begin + length != end:
        raise zipfile.BadZipFile("there is something before or after what it lists")
    return int(length)


def check_layout(archive: zipfile.ZipFile, file: BinaryIO) -> None:
    """Raise BadZipFile unless the entries follow each other without a gap, and say the same as the list does."""
    at = 0
    for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
        name = entry.filename.encode()
        file.seek(at)
        head = file.read(_LOCAL.size)
        listed = (entry.flag_bits, entry.compress_type)
        sizes = (entry.CRC, entry.compress_size, entry.file_size, len(name), 0)
        if entry.header_offset != at or len(head) < _LOCAL.size or entry.flag_bits & ~_UTF8:
            raise zipfile.BadZipFile(f"{entry.filename} does not begin where the entry before ends")
        signature, _, *method, _, _, crc, packed, unpacked, length, extra = _LOCAL.unpack(head)
        if signature != b"PK\3\4" or (*method,) != listed or (crc, packed, unpacked, length, extra) != sizes:
            raise zipfile.BadZipFile(f"{entry.filename} is another entry than the list says")
        if entry.extra or entry.comment:
            raise zipfile.BadZipFile(f"{entry.filename} has a field or comment of its own")
        at += _LOCAL.size + len(name) + entry.compress_size
    if at != archive.start_dir:
        raise zipfile.BadZipFile("there is something between its entries and their list")
