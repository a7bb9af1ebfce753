"""What a field of a contract may hold: ``steps: Annotated[int, Whole(0, 100)]`` stands once, beside the field.

Two edges read it there: the wire (`harness.wire.codec.mapper`) calls ``check``, in both directions and before memory is
taken, and pydantic, where a file is read, takes the same numbers as its own constraints. Each ``check`` returns the
value as the field holds it; it raises `LimitExceeded` (too large) or `Refusal` (a value that means nothing) and names
the field, whose path is ``where``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from math import isfinite
from operator import mul
from typing import Annotated, Any, Dict, Sized, Tuple

from harness.contracts.errors import LimitExceeded, Refusal

MAX_NAME = 256
MAX_PATH = 4096
MAX_TEXT = 16384
MAX_SIDE = 8192
MAX_CANDIDATES = 1024
MAX_ACTIONS = 256
MAX_FRAMES = 1024
MAX_NUMBERS = 256
MAX_TAGS = 64
MAX_UINT32 = 2**32 - 1
MAX_INT64 = 2**63 - 1
MAX_UINT64 = 2**64 - 1

FIX_SENDER = "The message is malformed: fix its sender."


def too_large(where: str, what: str, value: int, limit: int) -> LimitExceeded:
    """Return the error for a quantity above its limit."""
    return LimitExceeded(f"{where} has {value} {what}; at most {limit} are allowed.", "Send less.")


class Limit:
    """What all limits are to pydantic: constraints beside those of the field's type."""

    def check(self, value: Any, where: str) -> Any:
        """Return ``value`` as the field holds it; raise LimitExceeded or Refusal where it may not hold it."""
        raise NotImplementedError

    def constraints(self) -> Dict[str, Any]:
        """Return the limit in pydantic's words (those of its core schemas)."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Dict[str, Any]:
        return {**handler(source), **self.constraints()}


@dataclass(frozen=True)
class Text(Limit):
    """Text of ``least`` to ``most`` characters that UTF-8 can write, and that ``pattern`` matches as a whole."""

    most: int = MAX_NAME
    pattern: str = ""
    least: int = 0

    def check(self, value: Any, where: str) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise Refusal(f"{where} is {type(value).__name__}, not text.", FIX_SENDER)
        if len(value) > self.most:
            raise too_large(where, "characters", len(value), self.most)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Refusal(f"{where} is no valid text: {error}.", FIX_SENDER) from error
        if len(value) < self.least or (self.pattern and not re.fullmatch(self.pattern, value)):
            raise Refusal(f"{where} is {value!r}.", f"Allowed: {self.pattern or f'at least {self.least} characters'}.")
        return value

    def constraints(self) -> Dict[str, Any]:
        """Return the lengths and the pattern."""
        pattern = {"pattern": f"^(?:{self.pattern})$"} if self.pattern else {}
        return {"min_length": self.least, "max_length": self.most, **pattern}


@dataclass(frozen=True)
class Word(Limit):
    """One of few words."""

    allowed: Tuple[str, ...]

    def check(self, value: Any, where: str) -> str:
        """Return the word."""
        word = Text().check(value, where)
        if word not in self.allowed:
            raise Refusal(f"{where} is {word!r}.", f"Allowed: {', '.join(sorted(self.allowed))}.")
        return word

    def constraints(self) -> Dict[str, Any]:
        """Return a schema of literals, which replaces that of text."""
        return {"type": "literal", "expected": list(self.allowed)}


@dataclass(frozen=True)
class Whole(Limit):
    """A whole number from ``low`` to ``high``; no flag and no fraction."""

    low: int = 0
    high: int = MAX_UINT32

    def check(self, value: Any, where: str) -> int:
        """Return the number."""
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise Refusal(f"{where} is {type(value).__name__}, not a whole number.", FIX_SENDER)
        result = int(value)
        if not self.low <= result <= self.high:
            raise Refusal(f"{where} is {result}, outside {self.low}..{self.high}.", FIX_SENDER)
        return result

    def constraints(self) -> Dict[str, Any]:
        """Return the range."""
        return {"ge": self.low, "le": self.high}


@dataclass(frozen=True)
class Number(Limit):
    """A number above ``above``, at least ``low`` and at most ``high``; never NaN, and finite unless ``infinite``."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    infinite: bool = False

    def check(self, value: Any, where: str) -> float:
        """Return the number as a float."""
        if type(value) is float and self.low <= value <= self.high and self.above < value and isfinite(value):
            return value  # nearly always; an observation has dozens
        try:
            result = float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise Refusal(f"{where} is {type(value).__name__}, not a number.", FIX_SENDER) from error
        if math.isnan(result):
            raise Refusal(f"{where} is NaN.", FIX_SENDER)
        if math.isinf(result) and not self.infinite:
            raise Refusal(f"{where} is {result}, not a finite number.", FIX_SENDER)
        if result < self.low == 0.0:
            raise Refusal(f"{where} is {result}, below zero.", FIX_SENDER)
        if not self.low <= result <= self.high or -math.inf != self.above >= result:
            raise Refusal(f"{where} is {result}, outside {self._range()}.", FIX_SENDER)
        return result

    def _range(self) -> str:
        low = f"[{self.low:g}" if self.low > self.above else f"({self.above:g}"
        return f"{low}, {self.high:g}]"

    def constraints(self) -> Dict[str, Any]:
        """Return the range and whether infinity is one of its numbers."""
        above = {} if self.above == -math.inf else {"gt": self.above}
        low = {} if self.low == -math.inf else {"ge": self.low}
        high = {} if self.high == math.inf else {"le": self.high}
        return {"allow_inf_nan": self.infinite, **above, **low, **high}


@dataclass(frozen=True)
class Few(Limit):
    """A list or mapping of ``least`` to ``most`` items."""

    most: int
    least: int = 0

    def check(self, value: Sized, where: str) -> Any:
        """Return the items, which are not looked at."""
        if len(value) > self.most:
            raise too_large(where, "items", len(value), self.most)
        if len(value) < self.least:
            raise Refusal(f"{where} has {len(value)} items, and needs {self.least}.", FIX_SENDER)
        return value

    def constraints(self) -> Dict[str, Any]:
        """Return the counts."""
        return {"min_length": self.least, "max_length": self.most}


@dataclass(frozen=True)
class UnitLength(Limit):
    """A tuple of numbers of length 1, such as a rotation. The tolerance is of the square: float32 simulators round."""

    tolerance: float = 1e-3

    def check(self, value: Tuple[float, ...], where: str) -> Any:
        """Return the tuple."""
        if not abs(sum(map(mul, value, value)) - 1.0) <= self.tolerance:
            raise Refusal(f"{where} {tuple(value)} is not a unit quaternion.", "Give w, x, y, z of length 1.")
        return value

    def constraints(self) -> Dict[str, Any]:
        """Return nothing: pydantic has no words for it."""
        return {}


Name = Annotated[str, Text()]
Given = Annotated[str, Text(least=1)]
Note = Annotated[str, Text(MAX_TEXT)]
Count = Annotated[int, Whole()]
Finite = Annotated[float, Number()]
NotNegative = Annotated[float, Number(low=0.0)]
NotNan = Annotated[float, Number(infinite=True)]
