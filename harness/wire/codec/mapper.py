"""Contracts to messages and back, by the names, types and limits of their fields.

- A dataclass is a message with fields of the same names, and has to be there where it is a field itself.
- A tuple of numbers is a message whose fields are the numbers in order (Vec3); one of any length a repeated field.
- A mapping is a repeated message of a ``name``, each once, and a ``value``; a union is a oneof with a member a type.
- Texts, numbers and flags are fields of their type.

Limits (`harness.contracts.field_limits`) are checked when a message is read and when it is written. What is worked out
of a type is kept: a `Codec` reads and writes a message, or one field of it. ``where`` is its path for errors.
"""

from __future__ import annotations

import dataclasses
import typing
from functools import cache
from math import isfinite
from operator import attrgetter
from typing import Annotated, Any, Callable, Dict, NamedTuple, Optional, Tuple, Union

from harness.contracts.errors import Refusal
from harness.contracts.field_limits import FIX_SENDER, Few, Finite, Limit
from harness.wire.codec.messages import choice

Check = Callable[[Any, str], Any]
_FLOATS = {float}


class Codec(NamedTuple):
    """``read(message, where)`` returns the checked value, ``write(value, message, where)`` checks and sets it."""

    read: Check
    write: Callable[[Any, Any, str], None]


Fields = Tuple[Tuple[str, Codec], ...]


def read(kind: Any, message: Any, where: str) -> Any:
    """Return the value of ``kind`` (a dataclass, a union, or a tuple of numbers) that a message holds.

    Raises LimitExceeded and Refusal.
    """
    return _message(kind, message.DESCRIPTOR).read(message, where)


def write(kind: Any, value: Any, message: Any, where: str) -> None:
    """Fill a message from a value of ``kind``; raise LimitExceeded or Refusal where it could not be read again."""
    _message(kind, message.DESCRIPTOR).write(value, message, where)


def read_fields(kind: Any, message: Any, where: str, *but: str) -> Dict[str, Any]:
    """Return the fields of the dataclass ``kind`` by name, but for those that the caller reads itself."""
    return {name: get(message, f"{where}.{name}") for name, (get, _) in _fields(kind, message.DESCRIPTOR, but)}


def write_fields(kind: Any, value: Any, message: Any, where: str, *but: str) -> None:
    """Fill a message from the fields of a dataclass, but for those that the caller writes itself."""
    _write_each(_fields(kind, message.DESCRIPTOR, but), value, message, where)


def _write_each(fields: Fields, value: Any, message: Any, where: str) -> None:
    for name, (_, put) in fields:
        put(getattr(value, name), message, f"{where}.{name}")


@cache
def _fields(kind: Any, descriptor: Any, but: Tuple[str, ...]) -> Fields:
    """Return the codecs of a dataclass's fields by name; TypeError says which line a new field still needs."""
    hints = typing.get_type_hints(kind, include_extras=True)
    names = [field.name for field in dataclasses.fields(kind) if field.name not in but]
    missing = [name for name in names if name not in descriptor.fields_by_name]
    if missing:
        raise TypeError(f"add {missing[0]} to message {descriptor.name} of wiw.proto, and generate its code again.")
    return tuple((name, _field(hints[name], descriptor, name)) for name in names)


@cache
def _message(kind: Any, descriptor: Any) -> Codec:
    """Return the codec of whole messages."""
    base, limit = _split(kind)
    parts = typing.get_args(base)
    if typing.get_origin(base) is Union:
        return _union(parts, descriptor)
    return _numbers(parts, limit, descriptor) if parts else _dataclass(base, _fields(base, descriptor, ()))


def _field(kind: Any, descriptor: Any, name: str) -> Codec:
    base, limit = _split(kind)
    inner = descriptor.fields_by_name[name].message_type
    if isinstance(limit, Few):
        item, *values = (part for part in typing.get_args(base) if part is not Ellipsis)
        if not values:
            return _many(name, limit, _message(item, inner) if inner else None, None if inner else _check(item, name))
        value = _field(values[0], inner, "value") if "value" in inner.fields_by_name else _message(values[0], inner)
        return _named(name, limit, _check(item, name), value)
    return _nested(name, _message(kind, inner)) if inner else _scalar(name, _check(kind, name))


def _split(kind: Any) -> Tuple[Any, Optional[Limit]]:
    """Return a type without its limit, and the limit."""
    if typing.get_origin(kind) is not Annotated:
        return kind, None
    base, *notes = typing.get_args(kind)
    return base, next((note for note in notes if isinstance(note, Limit)), None)


def _check(kind: Any, name: str) -> Check:
    base, limit = _split(kind)
    if base is bool:
        return lambda value, where: bool(value)
    if limit is None:
        raise TypeError(f"{name} needs a limit of harness/contracts/field_limits.py in its contract.")
    return limit.check


def _scalar(name: str, check: Check) -> Codec:
    return Codec(
        lambda message, where: check(getattr(message, name), where),
        lambda value, message, where: setattr(message, name, check(value, where)),
    )


def _nested(name: str, inner: Codec) -> Codec:
    read, write = inner

    def get(message: Any, where: str) -> Any:
        if not message.HasField(name):
            raise Refusal(f"{where} is missing.", FIX_SENDER)
        return read(getattr(message, name), where)

    def put(value: Any, message: Any, where: str) -> None:
        nested = getattr(message, name)
        nested.SetInParent()  # also where all its fields are empty
        write(value, nested, where)

    return Codec(get, put)


def _dataclass(kind: Any, fields: Fields) -> Codec:
    def get(message: Any, where: str) -> Any:
        value = kind(*[get(message, f"{where}.{name}") for name, (get, _) in fields])
        if may_misfit:
            _check_fit(value, where)
        return value

    def put(value: Any, message: Any, where: str) -> None:
        _write_each(fields, value, message, where)
        if may_misfit:
            _check_fit(value, where)

    may_misfit = hasattr(kind, "misfit")
    return Codec(get, put)


def _check_fit(value: Any, where: str) -> None:
    """Raise Refusal where a dataclass says that its fields do not fit each other."""
    problem = value.misfit()
    if problem:
        raise Refusal(f"{where}.{problem}.", FIX_SENDER)


def _numbers(kinds: Tuple[Any, ...], limit: Optional[Limit], descriptor: Any) -> Codec:
    names = [field.name for field in descriptor.fields]
    checks = [_check(kind, name) for kind, name in zip(kinds, names)]
    pick, any_finite = attrgetter(*names), set(kinds) == {Finite}

    def checked(value: Any, where: str, floats: bool) -> Any:
        if len(value) != len(checks):
            raise Refusal(f"{where} has {len(value)} numbers instead of {len(checks)}.", FIX_SENDER)
        if not (any_finite and floats and isfinite(sum(value))):  # seldom, and each pose has seven
            value = tuple([check(number, where) for check, number in zip(checks, value)])
        return limit.check(value, where) if limit else value

    def put(value: Any, message: Any, where: str) -> None:
        for name, number in zip(names, checked(value, where, set(map(type, value)) == _FLOATS)):
            setattr(message, name, number)

    return Codec(lambda message, where: checked(pick(message), where, True), put)


def _union(kinds: Tuple[Any, ...], descriptor: Any) -> Codec:
    """The members of the oneof are in the order of the types; a flag, which is a whole number as well, before those."""
    (oneof,) = descriptor.oneofs
    members = {field.name: _field(kind, descriptor, field.name) for kind, field in zip(kinds, oneof.fields)}
    types = [(_split(kind)[0], members[field.name]) for kind, field in zip(kinds, oneof.fields)]

    def put(value: Any, message: Any, where: str) -> None:
        for base, member in types:
            if isinstance(value, base):
                return member.write(value, message, where)
        names = ", ".join(base.__name__ for base, _ in types)
        raise Refusal(f"{where} is {type(value).__name__}, none of {names}.", "Give one of these.")

    return Codec(lambda message, where: members[choice(message, oneof.name, where)].read(message, where), put)


def _many(name: str, limit: Limit, inner: Optional[Codec], check: Optional[Check]) -> Codec:
    """Items are messages (``inner``) or scalars (``check``)."""
    one: Any = inner.read if inner else check

    def get(message: Any, where: str) -> Any:
        items = enumerate(limit.check(getattr(message, name), where))
        return tuple([one(item, f"{where}[{index}]") for index, item in items])

    def put(value: Any, message: Any, where: str) -> None:
        items = getattr(message, name)
        for index, item in enumerate(limit.check(value, where)):
            at = f"{where}[{index}]"
            inner.write(item, items.add(), at) if inner else items.append(one(item, at))

    return Codec(get, put)


def _named(name: str, limit: Limit, key: Check, value: Codec) -> Codec:
    def get(message: Any, where: str) -> Any:
        found: Dict[str, Any] = {}
        for item in limit.check(getattr(message, name), where):
            word = key(item.name, where)
            if word in found:
                raise Refusal(f"{where} names {word!r} twice.", FIX_SENDER)
            found[word] = value.read(item, f"{where}.{word}")
        return found

    def put(values: Any, message: Any, where: str) -> None:
        for word, inner in limit.check(values, where).items():
            item = getattr(message, name).add(name=key(word, where))
            value.write(inner, item, f"{where}.{word}")

    return Codec(get, put)
