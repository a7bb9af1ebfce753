"""TOML and YAML from strangers: what it may hold, and a ValueError with one sentence where it holds something else.

A few hundred bytes can name themselves millions of times (aliases of YAML), nest deeper than a reader can follow, or
hold numbers that are none: the libraries answer with minutes of work or with errors that no caller expects.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable
from typing import Any

import tomllib

MAX_INTEGER = 2**63 - 1
MAX_DEPTH = 32
MAX_PLAIN = 10_000


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text holds; ValueError says what is wrong with it or with a value in it."""
    try:
        found = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except ValueError as error:
        raise ValueError(_one_line(error)) from error
    check_plain(found)
    return found


def parse_yaml(text: str) -> Any:
    """Return what a YAML text holds; ValueError says what is wrong. Aliases and merges are refused unread."""
    import yaml  # type: ignore[import-untyped]

    try:
        _check_tokens(yaml.scan(text, Loader=yaml.SafeLoader))
        found = yaml.safe_load(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise ValueError(_one_line(error)) from error
    check_plain(found)
    return found


def _check_tokens(tokens: Iterable[Any]) -> None:
    """Raise ValueError at the first token that would make much of little: nothing has been made of it then."""
    import yaml

    flow = (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)
    opening = (*flow, yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken)
    closing = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
    depth = 0
    for token in tokens:
        where = f"line {token.start_mark.line + 1}"
        depth += isinstance(token, opening) - isinstance(token, closing)
        if depth > MAX_DEPTH:
            raise ValueError(f"{where} is nested too deep")
        if isinstance(token, (yaml.AliasToken, yaml.AnchorToken)):
            raise ValueError(f"{where} has an anchor or alias, which is not taken")
        if isinstance(token, yaml.ScalarToken) and token.plain and token.value == "<<":
            raise ValueError(f"{where} has a merge, which is not taken")
        if isinstance(token, yaml.ScalarToken) and token.plain and len(token.value) > MAX_PLAIN:
            raise ValueError(f"{where} has {len(token.value)} characters without quotes")


def check_plain(value: Any, where: str = "", depth: int = 0) -> None:
    """Raise ValueError, which names the place, unless a value holds texts, flags, dates and numbers that are some."""
    if depth > MAX_DEPTH:
        raise ValueError("it is nested too deep")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where or 'it'} has the key {str(key)[:40]!r}, which is no text")
            check_plain(item, f"{where}.{key}" if where else key, depth + 1)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            check_plain(item, f"{where}[{number}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}, which is no finite number")
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise ValueError(f"{where} is a whole number of more than 63 bits")
    elif value is not None and not isinstance(value, (str, bool, int, float, datetime.date, datetime.time)):
        raise ValueError(f"{where} is of type {type(value).__name__}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
