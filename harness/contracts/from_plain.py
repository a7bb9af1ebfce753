"""Reads dataclasses back from the plain values that `harness.contracts.digest.to_plain` makes of them."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import typing
from typing import Any, Callable, FrozenSet, Mapping, Tuple, Type, TypeVar, Union

from harness.contracts.digest import flat_field

T = TypeVar("T")

Reader = Callable[[Any], Any]
"""Returns a value as the kind that the reader was made for; raises `_Misfit` where it does not fit."""


LARGEST = 2**1000
"""Whole numbers above it have no place in a float."""


def _shown(value: Any) -> str:
    return repr(value)[:200]


class _Misfit(Exception):
    """A value that does not fit: ``where`` grows outwards from it, so that only a misfit costs building it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.where = ""

    def within(self, part: str) -> _Misfit:
        """Return the misfit, seen from a value that holds it under ``part``."""
        self.where = part + self.where
        return self


def from_plain(kind: Type[T], value: Any) -> T:
    """Return ``value`` (from JSON) as an instance of ``kind``; raise ValueError where it does not fit.

    Understands what the contracts use: nested dataclasses, tuples, mappings, optional values, and unions: of
    dataclasses, told apart by their field names, and of scalars, which keep their type. Every field without a default
    must be there and no other may be.
    """
    known: Any = kind
    try:
        return typing.cast(T, _reader(known)(value))
    except _Misfit as misfit:
        raise ValueError(f"{kind.__name__}{misfit.where}{misfit.text}") from None


@functools.cache
def _reader(kind: Any) -> Reader:
    """Return the reader of a kind, made once: a run's trajectories hold the same few kinds a thousand times."""
    if kind is Any:
        return lambda value: value
    if dataclasses.is_dataclass(kind):
        return functools.partial(_read_dataclass, kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:
        return _union_reader(arguments)
    if origin is tuple:
        return _tuple_reader(arguments)
    if origin in (dict, collections.abc.Mapping):
        return _mapping_reader(arguments[1])
    return functools.partial(_read_scalar, kind)


def _read_scalar(kind: Any, value: Any) -> Any:
    found = type(value)
    if found is kind:
        return value
    if kind is float and found is int and abs(value) <= LARGEST:
        return float(value)
    if not isinstance(value, kind) or (kind is int and found is bool):
        raise _Misfit(f" is {_shown(value)}, not of type {kind.__name__}")
    return value


@functools.cache
def _field_readers(kind: Any) -> Mapping[str, Reader]:
    hints = typing.get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}


def _read_dataclass(kind: Any, value: Any) -> Any:
    if not isinstance(value, dict):
        raise _Misfit(f" is {_shown(value)}, not an object")
    readers = _field_readers(kind)
    unknown = sorted(set(value) - set(readers))
    flat = flat_field(kind)
    if flat:
        value = {name: item for name, item in value.items() if name in readers} | {
            flat: {name: value[name] for name in unknown}
        }
    elif unknown:
        raise _Misfit(f" has unknown fields: {', '.join(unknown)}")
    known = {}
    for name, item in value.items():
        try:
            known[name] = readers[name](item)
        except _Misfit as misfit:
            raise misfit.within(f".{name}") from None
    try:
        return kind(**known)
    except TypeError as error:
        raise _Misfit(f": {error}") from error


def _mapping_reader(inner: Any) -> Reader:
    read = _reader(inner)

    def read_mapping(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _Misfit(f" is {_shown(value)}, not an object")
        found = {}
        for key, item in value.items():
            try:
                found[key] = read(item)
            except _Misfit as misfit:
                raise misfit.within(f".{key}") from None
        return found

    return read_mapping


def _tuple_reader(kinds: Tuple[Any, ...]) -> Reader:
    endless = len(kinds) == 2 and kinds[1] is Ellipsis
    readers = [_reader(kind) for kind in (kinds[:1] if endless else kinds)]

    def read_tuple(value: Any) -> Tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise _Misfit(f" is {_shown(value)}, not a list")
        if not endless and len(readers) != len(value):
            raise _Misfit(f" has {len(value)} items, not {len(readers)}")
        found = []
        for index, item in enumerate(value):
            try:
                found.append((readers[0] if endless else readers[index])(item))
            except _Misfit as misfit:
                raise misfit.within(f"[{index}]") from None
        return tuple(found)

    return read_tuple


@functools.cache
def _names(kind: Any) -> FrozenSet[str]:
    """Return the names of a dataclass's fields; none for any other kind."""
    return frozenset(each.name for each in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else frozenset()


def _union_reader(kinds: Tuple[Any, ...]) -> Reader:
    options = [kind for kind in kinds if kind is not type(None)]
    only = _reader(options[0]) if len(options) == 1 else None

    def read_union(value: Any) -> Any:
        if value is None and type(None) in kinds:
            return None
        if only is not None:
            return only(value)
        if type(value) in options:
            return value
        for kind in options:
            if _names(kind) and isinstance(value, dict) and set(value) == _names(kind):
                return _read_dataclass(kind, value)
        raise _Misfit(f" is {_shown(value)}, which fits none of {[kind.__name__ for kind in options]}")

    return read_union
