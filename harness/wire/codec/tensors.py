"""Arrays: dtype, shape and raw bytes.

Declared dtype and shape are compared with what the field must be, and their product with the number of bytes, before
an array exists. Reading makes a read-only view of the message's bytes, not a copy.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import LimitExceeded, Refusal
from harness.contracts.field_limits import FIX_SENDER, too_large
from harness.wire.codec.splice import Splice
from harness.wire.generated import wiw_pb2
from harness.wire.limits import MAX_ELEMENTS, MAX_RANK

Shape = Tuple[Optional[int], ...]
"""A shape that a field must have; None where any size will do."""

_CODES: Mapping[str, int] = {
    "uint8": wiw_pb2.DTYPE_UINT8,
    "float32": wiw_pb2.DTYPE_FLOAT32,
    "int32": wiw_pb2.DTYPE_INT32,
    "bool": wiw_pb2.DTYPE_BOOL,
}
_DTYPES: Mapping[str, Any] = {name: np.dtype(name).newbyteorder("<") for name in _CODES}
_NAMES: Mapping[int, str] = {code: name for name, code in _CODES.items()}


def _fits(shape: Sequence[int], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(want in (None, have) for want, have in zip(expected, shape))


def checked_elements(dtype: str, shape: Sequence[int], expected: Shape, where: str) -> int:
    """Return the number of elements of ``shape``; raise LimitExceeded unless it is as expected and within limits."""
    if len(shape) > MAX_RANK:
        raise too_large(where, "dimensions", len(shape), MAX_RANK)
    if shape != expected and not _fits(shape, expected):
        wanted = ", ".join("any" if want is None else str(want) for want in expected)
        raise LimitExceeded(f"{where} has shape {list(shape)} instead of [{wanted}].", "Send an array of that shape.")
    elements = math.prod(shape)
    if elements > MAX_ELEMENTS[dtype]:
        raise too_large(where, f"{dtype} elements", elements, MAX_ELEMENTS[dtype])
    return elements


def _check_values(array: npt.NDArray[Any], dtype: str, where: str) -> None:
    if dtype == "float32" and not bool(np.isfinite(array).all()):
        raise Refusal(f"{where} holds NaN or infinity.", FIX_SENDER)
    if dtype == "bool" and array.size and int(array.view(np.uint8).max()) > 1:
        raise Refusal(f"{where} holds bytes that are neither 0 nor 1.", FIX_SENDER)


def checked_array(value: Any, dtype: str, expected: Shape, where: str) -> npt.NDArray[Any]:
    """Return ``value`` as a C-ordered array if its dtype, shape and values are as expected."""
    if not isinstance(value, np.ndarray):
        raise LimitExceeded(f"{where} is {type(value).__name__}, not an array of {dtype}.", "Give a numpy array.")
    if value.dtype != _DTYPES[dtype]:
        raise LimitExceeded(f"{where} has dtype {value.dtype} instead of {dtype}.", "Convert it before sending.")
    checked_elements(dtype, value.shape, expected, where)
    array = np.ascontiguousarray(value)
    _check_values(array, dtype, where)
    return array


def bytes_of(dtype: str, shape: Tuple[int, ...], where: str) -> int:
    """Return how many bytes an array has; raise LimitExceeded if it is too large."""
    size: int = checked_elements(dtype, shape, shape, where) * _DTYPES[dtype].itemsize
    return size


def array_over(data: Union[bytes, memoryview], dtype: str, shape: Tuple[int, ...], where: str) -> npt.NDArray[Any]:
    """Return a read-only array over bytes of the right number, copied only if its numbers lie across the words."""
    array = np.frombuffer(data, _DTYPES[dtype]).reshape(shape)
    if not array.flags.aligned:
        array = array.copy()
        array.flags.writeable = False
    _check_values(array, dtype, where)
    return array


@lru_cache(maxsize=256)
def _head(dtype: str, shape: Tuple[int, ...]) -> bytes:
    """Return the encoded dtype and shape of a Tensor; cached, because the images of a run have few shapes."""
    head: bytes = wiw_pb2.Tensor(dtype=_CODES[dtype], shape=shape).SerializeToString()
    return head


def write_tensor(value: npt.NDArray[Any], dtype: str, expected: Shape, where: str) -> Splice:
    """Return a Tensor message of an array, whose bytes are not copied yet."""
    array = checked_array(value, dtype, expected, where)
    tensor = Splice(_head(dtype, array.shape))
    tensor.add_arrays(wiw_pb2.Tensor.DATA_FIELD_NUMBER, [array])
    return tensor


def read_tensor(message: Any, dtype: str, expected: Shape, where: str) -> npt.NDArray[Any]:
    """Return a read-only array over the bytes of a Tensor message."""
    if message.dtype != _CODES[dtype]:
        declared = _NAMES.get(message.dtype, f"code {message.dtype}")
        raise LimitExceeded(f"{where} declares dtype {declared} instead of {dtype}.", "Convert it before sending.")
    shape = tuple(message.shape)
    size = checked_elements(dtype, shape, expected, where) * _DTYPES[dtype].itemsize
    data = message.data
    if len(data) != size:
        raise LimitExceeded(f"{where} carries {len(data)} bytes; {dtype} {list(shape)} needs {size}.", FIX_SENDER)
    return array_over(data, dtype, shape, where)
