"""A model's own settings: names with a flag, a whole number, a number or a text, whose type is kept."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence

from harness.contracts.errors import Refusal
from harness.contracts.manifests import Setting
from harness.wire.limits import FIX_SENDER, MAX_NUMBERS, MAX_TEXT, few, finite, text, whole

_LARGEST_WHOLE = 2**63 - 1


def write_settings(settings: Mapping[str, Setting], messages: Any, where: str) -> None:
    """Append one Setting message for each of ``settings``, in their order."""
    few(settings, where, MAX_NUMBERS)
    for name, value in settings.items():
        message = messages.add()
        message.name = text(name, where)
        _write_value(value, message, f"{where}.{name}")


def read_settings(messages: Sequence[Any], where: str) -> Dict[str, Setting]:
    """Return settings by name; a name that comes twice and one without a value raise Refusal."""
    few(messages, where, MAX_NUMBERS)
    settings: Dict[str, Setting] = {}
    for message in messages:
        name = text(message.name, where)
        if name in settings:
            raise Refusal(f"{where} has {name!r} twice.", FIX_SENDER)
        settings[name] = _read_value(message, f"{where}.{name}")
    return settings


def _write_value(value: Setting, message: Any, where: str) -> None:
    if isinstance(value, bool):  # before int, which it is as well
        message.flag = value
    elif isinstance(value, int):
        message.whole = whole(value, where, -_LARGEST_WHOLE, _LARGEST_WHOLE)
    elif isinstance(value, float):
        message.number = finite(value, where)
    else:
        message.text = text(value, where, MAX_TEXT)


def _read_value(message: Any, where: str) -> Setting:
    kind = message.WhichOneof("value")
    if kind == "flag":
        return bool(message.flag)
    if kind == "whole":
        return whole(message.whole, where, -_LARGEST_WHOLE, _LARGEST_WHOLE)
    if kind == "number":
        return finite(message.number, where)
    if kind == "text":
        return text(message.text, where, MAX_TEXT)
    raise Refusal(f"{where} has no value.", FIX_SENDER)
