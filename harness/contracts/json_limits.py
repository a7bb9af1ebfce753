"""JSON from strangers: what it may hold, and one sentence where it holds something else.

Python's own reader takes ``NaN`` and ``1e999``, and answers 5,000 digits and deep nesting with errors that no caller
expects.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal

MAX_BYTES = 16 * 2**20
MAX_DIGITS = 100


def read_json(file: Path, max_bytes: int = MAX_BYTES) -> Any:
    """Return the contents of a JSON file; Refusal where it cannot be read, is too large, or is not plain JSON."""
    try:
        with file.open("rb") as source:
            content = source.read(max_bytes + 1)
    except OSError as error:
        raise Refusal(f"{file} cannot be read: {error.strerror}.", "Restore it.") from error
    if len(content) > max_bytes:
        raise Refusal(f"{file} has more than {max_bytes} bytes.", "Restore it.")
    try:
        return parse_json(content.decode("utf-8"))
    except ValueError as error:
        raise Refusal(f"{file} is no JSON: {error}.", "Restore it.") from error


def parse_json(text: str) -> Any:
    """Return what a JSON text holds; ValueError says what is wrong, also for numbers that are none or too long."""
    try:
        return json.loads(text, parse_constant=_constant, parse_float=_float, parse_int=_int)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:MAX_DIGITS]} is no finite number")
    return value


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits is too long")
    return int(text)
