"""Reads dataclasses back from the plain values that `harness.contracts.digest.to_plain` makes of them."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import typing
from typing import Any, Dict, Mapping, Set, Tuple, Type, TypeVar, Union

T = TypeVar("T")


def from_plain(kind: Type[T], value: Any) -> T:
    """Return ``value`` (from JSON) as an instance of ``kind``; raise ValueError where it does not fit.

    Understands what the contracts use: nested dataclasses, tuples, mappings, optional values, and unions: of
    dataclasses, told apart by their field names, and of scalars, which keep their type. Every field without a default
    must be there and no other may be.
    """
    return typing.cast(T, _read(kind, value, kind.__name__))


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    origin = typing.get_origin(kind)
    if origin is Union:
        return _read_union(typing.get_args(kind), value, where)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), value, where)
    if origin in (dict, collections.abc.Mapping):
        if not isinstance(value, dict):
            raise ValueError(f"{where} is {value!r}, not an object")
        inner = typing.get_args(kind)[1]
        return {key: _read(inner, item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} is {value!r}, not of type {kind.__name__}")
    return value


@functools.cache
def _hints(kind: Any) -> Dict[str, Any]:
    return typing.get_type_hints(kind)


def _field_names(kind: Any) -> Set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _read_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r}, not an object")
    unknown = sorted(set(value) - _field_names(kind))
    if unknown:
        raise ValueError(f"{where} has unknown fields: {', '.join(unknown)}")
    hints: Dict[str, Any] = _hints(kind)
    known = {name: _read(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    try:
        return kind(**known)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error


def _read_tuple(kinds: Tuple[Any, ...], value: Any, where: str) -> Tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{where} is {value!r}, not a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_read(kinds[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if len(kinds) != len(value):
        raise ValueError(f"{where} has {len(value)} items, not {len(kinds)}")
    return tuple(_read(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value)))


def _read_union(kinds: Tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    options = [kind for kind in kinds if kind is not type(None)]
    if len(options) == 1:
        return _read(options[0], value, where)
    if type(value) in options:
        return value
    for kind in options:
        if dataclasses.is_dataclass(kind) and isinstance(value, Mapping) and set(value) == _field_names(kind):
            return _read_dataclass(kind, value, where)
    raise ValueError(f"{where} is {value!r}, which fits none of {[kind.__name__ for kind in options]}")
