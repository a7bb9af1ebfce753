"""Reads and writes safetensors files with numpy alone.

The format is a header of JSON (name -> dtype, shape, place) after its length, then the raw arrays. It is read here
so that the score needs no further package, and written here so that equal content gives equal bytes: names are
sorted, and the header holds nothing of the machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import Refusal

_DTYPES: Dict[str, np.dtype[Any]] = {
    name: np.dtype(code) for name, code in (("F32", "<f4"), ("F16", "<f2"), ("U8", "u1"), ("I64", "<i8"))
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_METADATA = "__metadata__"
_ALIGNMENT = 8


@dataclass(frozen=True, eq=False)
class TensorFile:
    """Arrays by name, what the file says about itself, and the SHA-256 of its bytes."""

    tensors: Mapping[str, npt.NDArray[Any]]
    metadata: Mapping[str, str]
    sha256: str


def read_tensors(path: Path) -> TensorFile:
    """Return the content of a safetensors file; Refusal where it is damaged or of another format."""
    data = path.read_bytes()
    try:
        (length,) = struct.unpack_from("<Q", data)
        header: Dict[str, Any] = json.loads(data[8 : 8 + length])
        metadata = header.pop(_METADATA, {})
        body = memoryview(data)[8 + length :]
        tensors = {name: _array(entry, body) for name, entry in header.items()}
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(
            f"{path} is no readable safetensors file: {error!r}.", "Restore or make the file again."
        ) from error
    return TensorFile(tensors, metadata, hashlib.sha256(data).hexdigest())


def read_metadata(path: Path) -> Mapping[str, str]:
    """Return what a file says about itself without reading its arrays; Refusal where it is cut short or damaged."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header: Dict[str, Any] = json.loads(file.read(length))
            metadata: Dict[str, str] = header.pop(_METADATA, {})
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(f"{path} is no readable safetensors file: {error!r}.", "Make the file again.") from error
    if path.stat().st_size != 8 + length + end:
        raise Refusal(f"{path} has {path.stat().st_size} bytes instead of {8 + length + end}.", "Make the file again.")
    return metadata


def write_tensors(path: Path, tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> str:
    """Write a safetensors file in one piece (a reader never meets half of it); return its SHA-256."""
    arrays = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    header: Dict[str, Any] = {_METADATA: dict(sorted(metadata.items()))}
    place = 0
    for name, array in arrays.items():
        end = place + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    sha256 = hashlib.sha256()
    handle, temporary = tempfile.mkstemp(prefix=".partial-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in (struct.pack("<Q", len(text)), text, *(array.tobytes() for array in arrays.values())):
                sha256.update(part)
                file.write(part)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return sha256.hexdigest()


def _array(entry: Mapping[str, Any], body: memoryview) -> npt.NDArray[Any]:
    first, last = entry["data_offsets"]
    array: npt.NDArray[Any] = np.frombuffer(body[first:last], np.dtype(_DTYPES[entry["dtype"]]))
    return array.reshape(entry["shape"])
